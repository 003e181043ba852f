"""What the engine calls: functions as it needs them, exceptions in words."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import threading
import traceback
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from ._exceptions import ForkError

_T = TypeVar("_T")
_lock = threading.Lock()
_background: tuple[int, asyncio.AbstractEventLoop] | None = None


def is_async(function: Any) -> bool:
    """Whether calling `function` gives a coroutine."""
    if inspect.iscoroutinefunction(function):
        return True
    return inspect.iscoroutinefunction(getattr(function, "__call__", None))


def background() -> asyncio.AbstractEventLoop:
    """The event loop for `async` functions of runs that nobody awaits, on a thread of its own."""
    global _background
    with _lock:
        if _background is not None:
            owner, loop = _background
            if owner != os.getpid():
                raise ForkError("the event loop of ci_core stayed in the parent process")
            return loop
        loop = asyncio.new_event_loop()
        # A daemon: a coroutine that never ends does not keep the interpreter.
        threading.Thread(target=loop.run_forever, name="ci_core loop", daemon=True).start()
        _background = os.getpid(), loop
        return loop


def submit(
    loop: asyncio.AbstractEventLoop | None,
    context: contextvars.Context,
    function: Callable[..., Coroutine[Any, Any, Any]],
    arguments: tuple[Any, ...],
    done: Callable[[asyncio.Task[Any]], object],
) -> Submitted:
    """Runs an `async` function on `loop`, and calls `done` with its task when that has ended."""
    if loop is None:
        loop = background()
    coroutine = function(*arguments)
    submitted = Submitted(loop, coroutine, done)
    try:
        # The task takes the context in which it is made.
        loop.call_soon_threadsafe(submitted.begin, context=context.copy())
    except BaseException:
        coroutine.close()
        raise
    return submitted


class Submitted:
    """A coroutine on a loop. Unlike a future of `concurrent.futures` it has ended only when the coroutine
    has, also when it was canceled."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any],
        done: Callable[[asyncio.Task[Any]], object],
    ) -> None:
        self._loop = loop
        self._coroutine = coroutine
        self._done = done
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        """Makes the task, on the loop."""
        self._task = self._loop.create_task(self._coroutine)
        self._task.add_done_callback(self._done)

    def cancel(self) -> None:
        """Cancels the task, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:
            pass  # The loop was closed, and the task with it.

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


_inside: set[int] = set()


def inside(call: Callable[[], _T]) -> _T:
    """Calls a step, on a thread that is known meanwhile."""
    thread = threading.get_ident()
    _inside.add(thread)
    try:
        return call()
    finally:
        _inside.discard(thread)


def stop_stragglers() -> None:
    """Ends the steps that still run when the interpreter does, at their next line of Python. One that
    waits in a call of the system is left where it is."""
    import ctypes

    for thread in list(_inside):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), ctypes.py_object(SystemExit)
        )


def explain(error: BaseException) -> tuple[str, str]:
    """An exception in a line, and with its traceback."""
    summary = "".join(traceback.format_exception_only(type(error), error)).strip()
    text = "".join(traceback.format_exception(type(error), error, _own(error.__traceback__)))
    return summary, text


def _own(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame that is not of this package."""
    start = trace
    here = os.path.dirname(__file__)
    while start is not None and os.path.dirname(start.tb_frame.f_code.co_filename) == here:
        start = start.tb_next
    return start or trace


def adapt_executor(executor: Any) -> tuple[str, int | None, Callable[..., Any]]:
    """The name, the limit and the `prepare` function of an executor in Python."""
    from ._executor import adapt

    return adapt(executor)
