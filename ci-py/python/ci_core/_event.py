"""What happens in a run, as it happens."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol


@dataclass(frozen=True)
class Event:
    """Something that happened in a run. `schema/EVENTS.md` of ci-core tells the types and fields."""

    type: str
    """What happened, such as `job_finished`."""
    seq: int
    """Counts the events of the run from 1."""
    time: datetime
    """When it happened, in UTC."""
    run: str
    """The run's id."""
    fields: dict[str, Any]
    """Everything else, as in the JSON form."""

    @property
    def job(self) -> str | None:
        """The name of the job that it is about, if it is about one."""
        job = self.fields.get("job")
        return job if isinstance(job, str) else None

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A field, or `default`."""
        return self.fields.get(name, default)

    @classmethod
    def _of(cls, told: dict[str, Any]) -> Event:
        told.pop("v", None)
        time = datetime.fromtimestamp(told.pop("time") / 1000, timezone.utc)
        run = told.pop("run")
        return cls(told.pop("type"), told.pop("seq"), time, run, told)


class Sink(Protocol):
    """Sees the events of a run, one after the other, on a thread of its own: it may block. One that is
    slow misses output, never another event; one that raises is dropped, with a warning in the report.
    Neither stalls the run. A function of one argument is a sink too."""

    def event(self, event: Event, /) -> object:
        """Takes an event."""
        ...


class EventStream:
    """The events of a run, for `for` and `async for`; from one thread or task at a time.

    It holds at most `limit` events that were not read yet; then output is left out, and nothing else.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()
        self._over = False
        self._closed = False
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def event(self, event: Event) -> None:
        """Takes an event, as a sink does; waits while too many are unread."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._events) < self._limit or self._closed)
            if self._closed:
                return
            self._events.append(event)
            self._over = self._over or event.type == "run_finished"
            self._wake()

    def close(self) -> None:
        """Ends the stream; what comes later is not kept."""
        with self._changed:
            self._closed = True
            self._wake()

    def end(self) -> None:
        """No event comes any more; those that are there can still be read."""
        with self._changed:
            self._over = True
            self._wake()

    def _wake(self) -> None:
        self._changed.notify_all()
        if self._waiter is not None:
            loop, flag = self._waiter
            try:
                loop.call_soon_threadsafe(flag.set)
            except RuntimeError:
                # The loop was closed, and with it whoever waited.
                self._waiter = None

    def _take(self) -> Event | None:
        """The next event, None for none yet; raises `IndexError` at the end."""
        if self._events:
            event = self._events.popleft()
            self._changed.notify_all()
            return event
        if self._over or self._closed:
            raise IndexError
        return None

    def __iter__(self) -> Iterator[Event]:
        while True:
            with self._changed:
                try:
                    while (event := self._take()) is None:
                        # In short waits, so that Ctrl-C is seen on every system.
                        self._changed.wait(0.1)
                except IndexError:
                    return
            yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        flag = asyncio.Event()
        self._waiter = asyncio.get_running_loop(), flag
        try:
            while True:
                with self._changed:
                    flag.clear()
                    try:
                        event = self._take()
                    except IndexError:
                        return
                if event is None:
                    await flag.wait()
                else:
                    yield event
        finally:
            self._waiter = None
