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
        lines = self._native.log(run_id, job, attempt, step)
        return [
            LogLine(name, number, index, stream, _moment(time), data)
            for name, number, index, stream, time, data in lines
        ]

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


def _moment(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, timezone.utc)
