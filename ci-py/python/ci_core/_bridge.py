"""What the engine calls: functions as it needs them, exceptions in words."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import os
import threading
import traceback
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from ._exceptions import ForkError

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
    done: Callable[[concurrent.futures.Future[Any]], object],
) -> concurrent.futures.Future[Any]:
    """Runs an `async` function on `loop`, and calls `done` with its future when it has ended."""
    if loop is None:
        loop = background()
    coroutine = function(*arguments)
    try:
        # The task takes the context in which it is submitted.
        future = context.copy().run(asyncio.run_coroutine_threadsafe, coroutine, loop)
    except BaseException:
        coroutine.close()
        raise
    future.add_done_callback(done)
    return future


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
