"""What happens while it happens, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from ci_core import Event, LogLine
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import Response, StreamingResponse

from . import view
from .api import JobName, RunId, known_job
from .seed import known_parameters, problem
from .state import Server, State

router = APIRouter(prefix="/api/v1", tags=["live"], dependencies=[Depends(known_parameters)])

PAUSE = 0.2
"""How often the store is looked at for a reader, in seconds. Looking costs little where nothing changed."""
COMMENT = 15.0
"""After how many silent seconds something is sent, so that nobody between takes the stream for dead."""
STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


class EventStreamResponse(StreamingResponse):
    """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    media_type = "text/event-stream"


def message(event: str, data: object, id: int | None = None) -> bytes:
    """An event as the stream has it; JSON has no line ends."""
    number = "" if id is None else f"id: {id}\n"
    return f"{number}event: {event}\ndata: {json.dumps(data, default=str)}\n\n".encode()


async def paced(server: State, source: AsyncIterator[list[bytes]]) -> AsyncIterator[bytes]:
    """Sends what the source finds, with pauses where it finds nothing, until it or the server ends."""
    silent = 0.0
    yield b"retry: 1000\n\n"
    async for found in source:
        if found:
            silent = 0
            yield b"".join(found)
            continue
        if silent >= COMMENT:
            silent = 0
            yield b": still here\n\n"
        silent += PAUSE
        try:
            await asyncio.wait_for(server.closing.wait(), PAUSE)
            return
        except TimeoutError:
            pass


@router.get(
    "/events", summary="Follow all runs", response_class=Response, responses=STREAM
)
async def events(server: Server) -> EventStreamResponse:
    """An event `changed` whenever anything about any run has changed."""

    async def source() -> AsyncIterator[list[bytes]]:
        last = server.store.version()
        yield [message("hello", {})]
        while True:
            now = server.store.version()
            if now != last:
                server.index.forget()
            yield [message("changed", {})] if now != last else []
            last = now

    return EventStreamResponse(paced(server, source()))


LastId = Annotated[str | None, Header(alias="Last-Event-ID", description="Goes on after this event.")]


@router.get(
    "/runs/{run}/events",
    summary="Follow a run",
    response_class=Response,
    responses={**STREAM, **problem(404)},
)
async def run_events(
    server: Server,
    run: RunId,
    after: Annotated[int, Query(ge=0, le=1 << 53, description="Passes over the events up to this.")] = 0,
    last_event_id: LastId = None,
) -> EventStreamResponse:
    """Every event of a run but output, from its beginning or after the last one that was seen; the
    stream ends with the run. The types are those of `ci-core/schema/EVENTS.md`."""
    await server.run(run)
    if last_event_id is not None and last_event_id.isdecimal():
        after = int(last_event_id[:18])

    async def source() -> AsyncIterator[list[bytes]]:
        last, version = after, None
        while True:
            now = server.store.version()
            if now == version and now is not None:
                yield []
                continue
            version = now
            stored = await server.run(run)
            new = [event for event in stored.events if event.seq > last]
            yield [message(event.type, told(event), event.seq) for event in new]
            last = max([last, *(event.seq for event in new)])
            if stored.summary.outcome is not None:
                return

    return EventStreamResponse(paced(server, source()))


def told(event: Event) -> dict[str, Any]:
    """The JSON form of an event."""
    return {"run": event.run, "seq": event.seq, "time": event.time.isoformat(), "type": event.type, **event.fields}


@router.get(
    "/runs/{run}/jobs/{job:path}/log/live",
    summary="Follow a log",
    response_class=Response,
    responses={**STREAM, **problem(404)},
)
async def log(
    server: Server,
    run: RunId,
    job: JobName,
    skip: Annotated[int, Query(ge=0, le=1 << 53, description="Passes over so many lines.")] = 0,
    last_event_id: LastId = None,
) -> EventStreamResponse:
    """The lines of a job as they are written, in events `line`, numbered from 1; an event `end` says how
    it ended."""
    await known_job(server, run, job)
    if last_event_id is not None and last_event_id.isdecimal():
        skip = int(last_event_id[:18])

    async def source() -> AsyncIterator[list[bytes]]:
        attempt, number, version, reader, is_over = 0, 0, None, None, None

        def lines(found: list[LogLine]) -> list[bytes]:
            nonlocal number
            sent = []
            for line in found:
                number += 1
                if number > skip:
                    fields = {"step": line.step, "stream": line.stream, "time": line.time, "text": line.text}
                    sent.append(message("line", fields, number))
            return sent

        while True:
            now = server.store.version()
            if now is None or now != version:
                version = now
                stored = await server.run(run)
                state = next((it for it in view.jobs(stored) if it.name == job), None)
                if state is not None and (reader is None or state.attempts > attempt):
                    # Another attempt has a log of its own.
                    if attempt:
                        number = 0
                        yield [message("attempt", {"attempt": state.attempts})]
                    attempt = state.attempts
                    reader = server.store.follow_log(run, job, attempt=attempt or None)
                if state is None or state.finished is not None or stored.summary.outcome is not None:
                    is_over = "skipped" if state is None else state.status
            found = [] if reader is None else await asyncio.to_thread(reader.read)
            if found:
                yield lines(found)
                continue
            if is_over is not None:
                rest = [] if reader is None else lines(reader.finish())
                yield [*rest, message("end", {"status": is_over})]
                return
            yield []

    return EventStreamResponse(paced(server, source()))
