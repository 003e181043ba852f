"""The run store: what ran, how it went, what it printed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal

from . import _native
from ._event import Event
from ._outcome import Kind

if TYPE_CHECKING:
    from ._storage import Storage
    from ._view import RunView
    from ._workflow import PathLike, WorkflowSpec


@dataclass(frozen=True)
class JobResult:
    """How a job ended, in a listing."""

    name: str
    outcome: Kind
    exit_code: int | None
    reason: str | None
    attempts: int
    duration: float
    allowed: bool


@dataclass(frozen=True)
class RunSummary:
    """A run in a listing."""

    id: str
    """Its id."""
    workflow: str
    """The workflow's name."""
    outcome: Kind | None
    """How it ended; None while it has not."""
    active: bool
    """Whether a living process drives it."""
    branch: str | None
    """The branch it was for."""
    revision: str | None
    """The commit it was for."""
    created: datetime
    """When it was made."""
    finished: datetime | None
    """When it ended."""
    rerun_of: str | None
    """The run whose successful jobs it reused."""
    jobs: tuple[JobResult, ...]
    """The jobs that have ended so far."""

    @classmethod
    def _of(cls, told: dict[str, Any]) -> RunSummary:
        told["created"] = _moment(told["created"])
        told["finished"] = None if told["finished"] is None else _moment(told["finished"])
        fields = JobResult.__dataclass_fields__
        told["jobs"] = tuple(
            JobResult(**{name: job.get(name) for name in fields}) for job in told["jobs"]
        )
        return cls(**told)


@dataclass(frozen=True)
class RunPage:
    """A part of a listing, newest first."""

    total: int
    """How many runs match."""
    runs: tuple[RunSummary, ...]
    """The runs of this part."""

    def __iter__(self) -> Iterator[RunSummary]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)


@dataclass(frozen=True)
class StoredRun:
    """A run as the store has it."""

    summary: RunSummary
    """What it is and how far it is."""
    workflow: WorkflowSpec
    """What runs; steps in Python are there by name only."""
    facts: dict[str, Any]
    """What it is for."""
    events: tuple[Event, ...]
    """What happened, output left out, oldest first."""


@dataclass(frozen=True)
class LogLine:
    """A line of a log."""

    job: str
    """The job."""
    attempt: int
    """The attempt, from 1."""
    step: int
    """The step's place in the job, from 0."""
    stream: Literal["stdout", "stderr", "engine"]
    """The stream; `engine` is what the engine itself says."""
    time: datetime
    """When it was read, in UTC."""
    data: bytes
    """The bytes as they were written, secrets masked, without the line's end."""

    @property
    def text(self) -> str:
        """The line as text; bytes that are not UTF-8 become U+FFFD."""
        return self.data.decode(errors="replace")


@dataclass(frozen=True)
class KeptTest:
    """A test as a run kept it."""

    run: str
    """The run's id."""
    revision: str | None
    """The commit that the run was for."""
    created: datetime
    """When the run was made."""
    job: str
    """The job."""
    attempt: int
    """The attempt of the job."""
    step: int
    """The step's place in the job."""
    id: str
    """`class::name`, with the suite where there is no class."""
    suite: str
    """The suite that it stands in."""
    class_name: str
    """Its class, module or group."""
    name: str
    """Its name."""
    file: str | None
    """The file that it stands in, where the report says so."""
    outcome: Literal["passed", "skipped", "failed", "error"]
    """How it ended."""
    flaky: bool
    """Whether it passed after it had failed."""
    time: float | None
    """How many seconds it took."""
    message: str | None
    """Why it ended as it did."""
    quarantined: bool
    """Whether it is in quarantine: its failure does not fail the job."""

    @classmethod
    def _of(cls, told: dict[str, Any]) -> KeptTest:
        told["created"] = _moment(told["created"])
        told["class_name"] = told.pop("class")
        return cls(**told)


@dataclass(frozen=True)
class KeptCoverage:
    """The coverage that a step of a run reported."""

    run: str
    """The run's id."""
    revision: str | None
    """The commit that the run was for."""
    created: datetime
    """When the run was made."""
    job: str
    """The job."""
    attempt: int
    """The attempt of the job."""
    step: int
    """The step's place in the job."""
    totals: dict[str, Any]
    """The counts, as in the event `coverage`."""

    @classmethod
    def _of(cls, told: dict[str, Any]) -> KeptCoverage:
        place = ("run", "revision", "created", "job", "attempt", "step")
        named = {name: told.pop(name) for name in place}
        named["created"] = _moment(named["created"])
        return cls(**named, totals=told)


class LogReader:
    """Reads logs piece by piece, also while they grow."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.LogReader) -> None:
        self._native = native

    def read(self) -> list[LogLine]:
        """The next lines that have ended, about a mebibyte of them; none when there are none for now."""
        return list(map(_line, self._native.read()))

    def finish(self) -> list[LogLine]:
        """The lines that have begun and not ended: the rest, when nothing more will be written."""
        return list(map(_line, self._native.finish()))

    def __iter__(self) -> Iterator[LogLine]:
        """Everything that is there now, to the end."""
        while lines := self.read():
            yield from lines
        yield from self.finish()


class Store:
    """Keeps runs, in a file or in memory.

    Args:
        path: the file; by default the user's own, which `ci` uses too.
    """

    __slots__ = ("_native",)

    def __init__(self, path: PathLike | None = None) -> None:
        self._native = _native.Store.open(None if path is None else os.fspath(path))

    @classmethod
    def memory(cls) -> Store:
        """A store that is gone with the process."""
        store = cls.__new__(cls)
        store._native = _native.Store.memory()
        return store

    @property
    def path(self) -> str | None:
        """The file; None in memory."""
        path = self._native.path
        return None if path is None else os.fspath(path)

    def runs(
        self,
        *,
        workflow: str | None = None,
        branch: str | None = None,
        revision: str | None = None,
        outcome: Kind | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> RunPage:
        """Lists runs, newest first; `revision` is the full hash of a commit."""
        total, runs = self._native.runs(workflow, branch, revision, outcome, offset, limit)
        return RunPage(total, tuple(map(RunSummary._of, runs)))

    def load(self, run_id: str) -> StoredRun:
        """A run with its events; raises `NotFound`."""
        from ._workflow import WorkflowSpec

        summary, spec, facts, events = self._native.load(run_id)
        return StoredRun(
            RunSummary._of(summary), WorkflowSpec(spec), facts, tuple(map(Event._of, events))
        )

    def log(
        self,
        run_id: str,
        job: str | None = None,
        *,
        attempt: int | None = None,
        step: int | None = None,
    ) -> list[LogLine]:
        """What jobs wrote: steps in order, and the lines of each as they were read. Of the last
        attempt, unless another is asked for."""
        return list(map(_line, self._native.log(run_id, job, attempt, step)))

    def follow_log(
        self,
        run_id: str,
        job: str | None = None,
        *,
        attempt: int | None = None,
        step: int | None = None,
    ) -> LogReader:
        """Reads what jobs wrote piece by piece, in little memory and while it is written."""
        return LogReader(self._native.follow_log(run_id, job, attempt, step))

    def version(self) -> int | None:
        """A number that is another one after anything in the store has changed, logs left out, whoever
        changed it. It means nothing to another object. None where the store cannot tell."""
        return self._native.version()

    def tests(
        self,
        *,
        run: str | None = None,
        workflow: str | None = None,
        branch: str | None = None,
        job: str | None = None,
        runs: int | None = None,
    ) -> list[KeptTest]:
        """The tests that runs kept: runs newest first, at most `runs` of them, and the tests of each as
        they were kept."""
        return list(map(KeptTest._of, self._native.tests(run, workflow, branch, job, runs)))

    def failed_tests(self, run_id: str) -> list[KeptTest]:
        """The tests of a run that were bad in the end, in whatever job and attempt."""
        return list(map(KeptTest._of, _native.failed_in_store(self._native, run_id)))

    def coverage(
        self,
        *,
        run: str | None = None,
        workflow: str | None = None,
        branch: str | None = None,
        job: str | None = None,
        runs: int | None = None,
    ) -> list[KeptCoverage]:
        """The coverage that steps of runs reported: runs newest first, at most `runs` of them."""
        return list(map(KeptCoverage._of, self._native.coverage(run, workflow, branch, job, runs)))

    def view(
        self, run_id: str, *, storage: Storage | None = None, log_bytes: int = 0
    ) -> RunView:
        """What the report of a run shows, also while it goes on: failures with their lines and what
        changed, gates, values, findings, flaky tests, the slowest path.

        Args:
            run_id: the run.
            storage: where its reports are; without it, coverage has no files and findings are those of
                the events.
            log_bytes: how much of the logs is in it, at most.

        Raises:
            NotFound: there is no such run.
        """
        from ._view import RunView

        within = None if storage is None else storage._native
        return RunView._of(_native.view_of(self._native, run_id, within, log_bytes))

    def page(
        self,
        run_id: str,
        language: Literal["html", "markdown", "text"] = "html",
        *,
        storage: Storage | None = None,
        log_bytes: int = 160 * 1024,
    ) -> str:
        """The report of a run: one HTML file that needs nothing beside it, a comment for a pull request,
        or text for a terminal. Everything that comes from the run is escaped."""
        within = None if storage is None else storage._native
        return _native.page_of(self._native, run_id, language, within, log_bytes)

    def mark(self, key: str) -> str | None:
        """What was last marked under `key`."""
        return self._native.mark(key)

    def set_mark(self, key: str, new: str, *, old: str | None = None) -> bool:
        """Marks `new` under `key` if what is there is still `old`, and makes it durable. False, and
        nothing changed, if another process was faster."""
        return self._native.set_mark(key, old, new)

    def cancel(self, run_id: str, job: str | None = None, *, by: str = "python") -> None:
        """Asks whatever process drives the run to stop it, or a job of it."""
        self._native.cancel(run_id, job, by)

    def approve(self, run_id: str, job: str, *, by: str = "python") -> None:
        """Lets a held job of a run go on, whatever process drives it."""
        self._native.decide(run_id, job, True, by)

    def reject(self, run_id: str, job: str, *, by: str = "python") -> None:
        """Refuses a held job of a run, whatever process drives it."""
        self._native.decide(run_id, job, False, by)

    def prune(
        self, *, max_age: float | timedelta | None = None, max_runs: int | None = None
    ) -> list[str]:
        """Removes ended runs that need not be kept, and gives their ids."""
        if isinstance(max_age, timedelta):
            max_age = max_age.total_seconds()
        return self._native.prune(max_age, max_runs)

    def __repr__(self) -> str:
        return f"<Store {self.path or 'in memory'}>"


def _line(told: tuple[str, int, int, Literal["stdout", "stderr", "engine"], int, bytes]) -> LogLine:
    name, number, index, stream, time, data = told
    return LogLine(name, number, index, stream, _moment(time), data)


def _moment(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, timezone.utc)
