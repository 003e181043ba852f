"""Steps written in Python."""

from __future__ import annotations

import asyncio
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, Union, cast, overload, runtime_checkable

from . import _native
from ._bridge import inside, is_async
from ._outcome import ExitStatus, Outcome

_T = TypeVar("_T")
Returned = Union[None, Outcome, Awaitable[Union[None, Outcome]]]
"""What a step returns: nothing for success, or an outcome; awaited if it is `async`."""


class StepContext:
    """What a step may see and do while it runs.

    The methods block and may be called from any thread; in an `async` step, use those that end with
    `_async`.
    """

    __slots__ = ("_native",)

    def __init__(self, native: _native.Context) -> None:
        self._native = native

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._native.run_id

    @property
    def job(self) -> str:
        """The job's name."""
        return self._native.job

    @property
    def attempt(self) -> int:
        """The attempt of the job, from 1."""
        return self._native.attempt

    @property
    def index(self) -> int:
        """The step's place in the job, from 0."""
        return self._native.index

    @property
    def given(self) -> Any:
        """What the workflow gives the step: `with` of its form; None for nothing."""
        return self._native.given

    @property
    def facts(self) -> dict[str, Any]:
        """What the run is for: `branch`, `revision`, `tag`, `changed_paths`, `variables`, …"""
        return self._native.facts

    @property
    def env(self) -> dict[str, str]:
        """The variables that commands of the step see, secrets included."""
        return self._native.env

    def set_env(self, name: str, value: str) -> None:
        """Sets a variable for the steps that follow in the job."""
        self._native.set_env(name, value)

    @property
    def canceled(self) -> bool:
        """Whether the step has to stop. One that goes on is left behind half a second later."""
        return self._native.canceled

    def warn(self, message: str) -> None:
        """Adds a warning to the report of the run."""
        self._native.warn(message)

    def say(self, line: str) -> None:
        """Writes a line to the step's log, in the name of the engine."""
        self._native.write("engine", f"{line}\n".encode())

    def write(self, data: str | bytes, stream: Literal["stdout", "stderr"] = "stdout") -> None:
        """Writes to the step's log, secrets masked. Waits while the log is slower."""
        self._native.write(stream, data.encode() if isinstance(data, str) else data)

    def exec(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> ExitStatus:
        """Runs a script with `sh -e`, or a program with its arguments, where the job runs."""
        words = command if isinstance(command, str) else list(command)
        how, number = self._native.exec(words, dict(env or {}), cwd)
        return ExitStatus(how, number)

    def sh(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Outcome:
        """Like `exec`, with the outcome that a step returns."""
        return self.exec(command, env=env, cwd=cwd).outcome

    async def exec_async(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> ExitStatus:
        """`exec` for `async` steps."""
        return await asyncio.to_thread(self.exec, command, env=env, cwd=cwd)

    async def sh_async(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Outcome:
        """`sh` for `async` steps."""
        return await asyncio.to_thread(self.sh, command, env=env, cwd=cwd)

    @property
    def work_dir(self) -> str:
        """The working directory as commands see it. Prepares the session if there is none yet."""
        return self._native.dirs()[0]

    @property
    def host_work_dir(self) -> Path | None:
        """Where that is on this machine, if it is on this machine."""
        return self._native.dirs()[2]

    def approval(
        self, prompt: str | None = None, *, timeout: float | timedelta | None = None
    ) -> bool | None:
        """Holds the job until somebody decides. None after `timeout` seconds."""
        if isinstance(timeout, timedelta):
            timeout = timeout.total_seconds()
        return self._native.approval(prompt, timeout)


@runtime_checkable
class StepLike(Protocol):
    """Anything with a `run` method that takes the context."""

    def run(self, ctx: StepContext, /) -> Returned:
        """Does the work."""
        ...


class Step(ABC):
    """A step as a class: `run` does the work, plain or `async`."""

    name: str | None = None
    """What people see; by default the name of the class."""

    @abstractmethod
    def run(self, ctx: StepContext, /) -> Returned:
        """Does the work."""


class FunctionStep(Step):
    """A function as a step, made by `step`. It can still be called as the function that it is."""

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def run(self, ctx: StepContext, /) -> Returned:
        """Does the work."""
        return cast(Returned, self.function(ctx) if takes_context(self.function) else self.function())

    def __repr__(self) -> str:
        return f"<step {self.name!r}>"


@overload
def step(function: Callable[..., Any], /) -> FunctionStep: ...
@overload
def step(
    function: None = None, /, *, name: str | None = None
) -> Callable[[Callable[..., Any]], FunctionStep]: ...
def step(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None
) -> FunctionStep | Callable[[Callable[..., Any]], FunctionStep]:
    """Makes a step of a function, plain or `async`, that takes the context or nothing.

    It returns nothing, or an `Outcome`. An exception is a failure of the step, with its traceback in
    the log; the exception itself is in the report.
    """
    if function is not None:
        return FunctionStep(function)
    return lambda function: FunctionStep(function, name)


def takes_context(function: Callable[..., Any]) -> bool:
    """Whether a function has a place for the context."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    places = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
    return any(parameter.kind in places for parameter in parameters)


def name_of(step: Any) -> str:
    """What people see of a step in Python."""
    for name in (getattr(step, "name", None), getattr(step, "__name__", None)):
        if isinstance(name, str) and name:
            return name
    return type(step).__name__


def adapt(step: Any) -> Callable[[_native.Context], Any]:
    """The function that the engine calls for a step in Python; what is none is told now."""
    target = step.function if isinstance(step, FunctionStep) else step
    run = getattr(target, "run", None)
    function = run if callable(run) else target
    if not callable(function) or isinstance(target, type):
        raise TypeError(
            f"`{step!r}` is no step: a step is a function, or an object with the method `run`"
        )
    call: Callable[..., Any] = function
    with_context = takes_context(call)

    if is_async(call):

        async def call_async(native: _native.Context) -> str | None:
            context = (StepContext(native),) if with_context else ()
            return told(await call(*context))

        return call_async

    def call_sync(native: _native.Context) -> str | None:
        context = (StepContext(native),) if with_context else ()
        return told(inside(lambda: call(*context)))

    return call_sync


def told(returned: object) -> str | None:
    """What a step returned, as the engine reads it."""
    if returned is None:
        return None
    if isinstance(returned, Outcome):
        return returned.to_json()
    if isinstance(returned, ExitStatus):
        return returned.outcome.to_json()
    if inspect.iscoroutine(returned):
        returned.close()
    raise TypeError(
        f"a step returns nothing or an `Outcome`, not `{type(returned).__name__}`"
    )
