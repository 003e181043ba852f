"""Runs: begun, watched, steered, gone on with."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Union

from . import _native
from ._bridge import is_async, stop_stragglers
from ._event import Event, EventStream, Sink
from ._report import RunReport
from ._step import adapt
from ._store import Store
from ._workflow import PathLike, Project, Workflow, WorkflowSpec

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._executor import Executor
    from ._watch import StepRunner

Runnable = Union[Workflow, WorkflowSpec, Project]
"""What can be run."""
Seconds = Union[float, timedelta]
Decision = Union[bool, None]


class ApprovalRequest:
    """A question about a held job."""

    __slots__ = ("job", "prompt", "run_id")

    def __init__(self, run_id: str, job: str, prompt: str | None) -> None:
        self.run_id = run_id
        """The run."""
        self.job = job
        """The job that waits."""
        self.prompt = prompt
        """What is asked."""

    def __repr__(self) -> str:
        return f"<ApprovalRequest {self.job!r}: {self.prompt!r}>"


Approver = Callable[[ApprovalRequest], Union[Decision, Awaitable[Decision]]]
"""Decides about held jobs: yes, no, or with None that others decide. May be `async`."""


class Again(TypedDict, total=False):
    """How a run is gone on with; all of it may be left out."""

    executors: Sequence[Union[_native.NativeExecutor, Executor]]
    """Where jobs run; the first is the default. Without, they run on this machine, or where the
    settings say. Jobs that name an image go to the first that is not a `LocalExecutor`, unless there
    are settings."""
    on_event: Callable[[Event], object]
    """Called with every event but output, on a thread of its own."""
    on_output: Callable[[Event], object]
    """Called with every event, output too."""
    sinks: Sequence[Union[Sink, Callable[[Event], object]]]
    """Who else watches, output too."""
    storage: PathLike
    """The directory of caches, workspaces and artifacts."""
    settings: PathLike
    """The settings file of the project."""
    facts: Mapping[str, Any]
    """What the run is for: `branch`, `tag`, `revision`, `changed_paths`, `variables`."""
    contexts: Mapping[str, Mapping[str, str]]
    """Named contexts: variables that are secret, for the jobs that name them."""
    project_dir: PathLike
    """The directory of the project; by default the one that the process is in."""
    slots: int
    """How many jobs run at once; by default one for each processor."""
    hold: Literal["wait", "finish"]
    """What happens when only held jobs are left."""
    approver: Approver
    """Who decides about held jobs."""
    steps: Mapping[str, Any]
    """Steps in Python by the names that the workflow has for them (`use`)."""
    step_runner: StepRunner
    """The step runner that a run with its steps goes on with."""
    only: Sequence[str]
    """Runs only these jobs and what they need."""
    supersede: bool
    """Cancels the active runs in the store of the same workflow and branch."""
    console: bool
    """Shows the run on standard error."""
    grace: Seconds
    """How long a step that was told to stop may take."""
    teardown_limit: Seconds
    """How long tearing down may take after a job ended."""
    poll_interval: Seconds
    """How often the store is asked for requests of other processes."""


class Options(Again, total=False):
    """How a run is done; all of it may be left out."""

    store: Union[Store, PathLike]
    """Keeps the run, so that it can be resumed, looked at and steered from other processes."""


class Run:
    """A run that goes on, to watch and to steer. Without a reference it goes on all the same; when the
    interpreter ends, it is canceled."""

    def __init__(self, native: _native.Run, events: EventStream | None) -> None:
        self._native = native
        self._events = events
        self._report: RunReport | None = None
        _live.add(self)
        if events is not None:
            native.when_done(events.end)

    @property
    def id(self) -> str:
        """The run's id."""
        return self._native.id

    @property
    def jobs(self) -> tuple[str, ...]:
        """The names of its jobs, matrices spelled out."""
        return tuple(self._native.jobs)

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._native.done

    @property
    def events(self) -> EventStream:
        """Its events, for `for` and `async for`. Only for runs begun with `events=True`."""
        if self._events is None:
            raise RuntimeError("the run was begun without `events=True`")
        return self._events

    def cancel(self, job: str | None = None, *, teardown: bool = False) -> bool:
        """Stops the run, or one job of it. What has not begun will not, what runs is stopped; teardown
        jobs still run unless `teardown`. False if there is no such job."""
        return self._native.cancel(job, teardown)

    def approve(self, job: str, *, by: str = "python") -> bool:
        """Lets a held job go on. False if there is no such job."""
        return self._native.decide(job, True, by)

    def reject(self, job: str, *, by: str = "python") -> bool:
        """Refuses a held job. False if there is no such job."""
        return self._native.decide(job, False, by)

    def wait(self, timeout: Seconds | None = None) -> RunReport:
        """Waits for the end. Raises `TimeoutError` after `timeout` seconds; the run goes on then.

        Ctrl-C stops the run, and is raised when it has ended; the second one stops its teardown too,
        the third is raised at once. On other threads than the main one, Python does not see signals.
        """
        if self._report is None:
            if not self._native.wait(_seconds(timeout)):
                raise TimeoutError(f"the run `{self.id}` still goes on")
            self._report = RunReport._of(self._native.report(), self._native.job_reports)
        return self._report

    async def wait_async(self) -> RunReport:
        """Waits for the end. If the task is canceled the run is canceled too, and its end waited for;
        a second time, its teardown jobs are stopped as well."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            if not ended.done():
                ended.set_result(None)

        def tell() -> None:
            try:
                loop.call_soon_threadsafe(end)
            except RuntimeError:
                pass  # The loop was closed, and with it whoever waited.

        self._native.when_done(tell)
        canceled: asyncio.CancelledError | None = None
        while not ended.done():
            try:
                await asyncio.shield(ended)
            except asyncio.CancelledError as error:
                self.cancel(teardown=canceled is not None)
                canceled = error
        if canceled is not None:
            raise canceled
        return self.wait(0)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        if not self.done:
            self.cancel()
            self.wait()

    async def __aenter__(self) -> Run:
        return self

    async def __aexit__(self, *error: object) -> None:
        if not self.done:
            self.cancel()
            await self.wait_async()

    def __repr__(self) -> str:
        return f"<Run {self.id}: {'ended' if self.done else 'goes on'}>"


def start(workflow: Runnable, *, events: bool = False, **options: Unpack[Options]) -> Run:
    """Begins a run, and gives the handle to watch and steer it.

    With `events`, `Run.events` has what happens. `Options` tells the others.
    """
    return _start(workflow, options, events=events)


def _start(
    workflow: Runnable,
    options: Options,
    *,
    events: bool = False,
    loop: asyncio.AbstractEventLoop | None = None,
    to_end: bool = False,
) -> Run:
    steps: dict[str, Any] = {}
    if isinstance(workflow, Project):
        options = {"facts": workflow.facts, "project_dir": workflow.dir, **options}
        workflow = workflow.workflow
    if isinstance(workflow, Workflow):
        steps = workflow.steps
        workflow = workflow.build()
    prepared, stream = _prepare(options, steps, events, loop)
    return Run(_native.start(workflow._native, prepared, to_end), stream)


def run(workflow: Runnable, **options: Unpack[Options]) -> RunReport:
    """Runs a workflow to its end. A failed job is no exception: see `RunReport.raise_for_failure`.

    Ctrl-C stops the run, tears it down and then raises `KeyboardInterrupt`.
    """
    return _start(workflow, options, to_end=True).wait()


async def run_async(workflow: Runnable, **options: Unpack[Options]) -> RunReport:
    """Runs a workflow to its end. Its `async` steps run on the loop of the caller.

    If the task is canceled, so is the run; `CancelledError` is raised when it has ended.
    """
    return await (await start_async(workflow, **options)).wait_async()


async def start_async(
    workflow: Runnable, *, events: bool = False, **options: Unpack[Options]
) -> Run:
    """Like `start`; the `async` steps run on the loop of the caller, so only await the run."""
    return _start(workflow, options, events=events, loop=asyncio.get_running_loop())


def resume(
    run_id: str, store: Store | PathLike, *, events: bool = False, **options: Unpack[Again]
) -> Run:
    """Goes on with a run whose process died, or that ended on hold: keeps what ended, and runs the
    rest. Steps in Python have to be given again, as `steps`."""
    prepared, stream = _prepare({**options, "store": store}, {}, events, None)
    return Run(_native.resume(run_id, prepared), stream)


def rerun(
    run_id: str, store: Store | PathLike, *, events: bool = False, **options: Unpack[Again]
) -> Run:
    """Runs again what did not succeed in an ended run, as a new run that reuses the rest."""
    prepared, stream = _prepare({**options, "store": store}, {}, events, None)
    return Run(_native.rerun(run_id, prepared), stream)


def _prepare(
    options: Options,
    steps: Mapping[str, Any],
    events: bool,
    loop: asyncio.AbstractEventLoop | None,
) -> tuple[SimpleNamespace, EventStream | None]:
    """The options as the engine takes them."""
    unknown = set(options) - set(Options.__annotations__)
    if unknown:
        raise TypeError(f"there is no option `{min(unknown)}`")
    stream = EventStream() if events else None
    sinks = []
    if "on_event" in options:
        sinks.append(("on_event", _watcher(options["on_event"]), False))
    if "on_output" in options:
        sinks.append(("on_output", _watcher(options["on_output"]), True))
    for sink in options.get("sinks", ()):
        sinks.append((type(sink).__name__, _watcher(sink), True))
    if stream is not None:
        sinks.append(("events", _watcher(stream), True))
    store = options.get("store")
    if store is not None and not isinstance(store, Store):
        store = Store(store)
    hold = options.get("hold", "wait")
    if hold not in ("wait", "finish"):
        raise ValueError(f"`{hold}` is no way to hold; there are `wait` and `finish`")
    approver = options.get("approver")
    settings = options.get("settings")
    storage = options.get("storage")
    runner = options.get("step_runner")
    named = {**steps, **options.get("steps", {})}
    prepared = SimpleNamespace(
        executors=list(options.get("executors", ())),
        sinks=sinks,
        steps={name: adapt(step) for name, step in named.items()},
        step_runner=None if runner is None else runner._native,
        approver=None if approver is None else _decider(approver),
        store=None if store is None else store._native,
        storage=None if storage is None else os.fspath(storage),
        settings=None if settings is None else os.fspath(settings),
        facts=json.dumps(dict(options.get("facts", {})), default=os.fspath),
        contexts={name: dict(values) for name, values in options.get("contexts", {}).items()},
        project_dir=os.path.abspath(options.get("project_dir", os.curdir)),
        slots=options.get("slots"),
        finish_on_hold=hold == "finish",
        only=list(options.get("only", ())),
        supersede=options.get("supersede", False),
        console=options.get("console", False),
        grace=_seconds(options.get("grace")),
        teardown_limit=_seconds(options.get("teardown_limit")),
        poll_interval=_seconds(options.get("poll_interval")),
        event_loop=loop,
    )
    return prepared, stream


def _watcher(sink: Any) -> Callable[[dict[str, Any]], object]:
    take = getattr(sink, "event", None) or sink
    if not callable(take):
        raise TypeError(f"`{sink!r}` is no sink: a sink is a function, or has the method `event`")
    return lambda told: take(Event._of(told))


def _decider(approver: Any) -> Callable[..., Any]:
    if is_async(approver):

        async def decide_async(*question: Any) -> Any:
            return await approver(ApprovalRequest(*question))

        return decide_async
    return lambda *question: approver(ApprovalRequest(*question))


def _seconds(time: Seconds | None) -> float | None:
    return time.total_seconds() if isinstance(time, timedelta) else time


_live: weakref.WeakSet[Run] = weakref.WeakSet()


@atexit.register
def _cancel_all() -> None:
    """Stops what still runs, so that nothing outlives the interpreter."""
    here = [run for run in _live if not run.done]
    for run in here:
        run.cancel(teardown=True)
    try:
        for run in here:
            run._native.wait(5.0)
    except (Exception, KeyboardInterrupt):
        pass  # A fork, or somebody who does not want to wait.
    try:
        stop_stragglers()
        _native.quiesce(0.5)
    except (Exception, KeyboardInterrupt):
        pass
