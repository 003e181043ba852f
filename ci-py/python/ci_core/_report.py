"""How a run ended, as values that can be compared, copied and pickled."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ._exceptions import WorkflowFailed
from ._outcome import Kind, Outcome

_SUCCESS = Outcome.success()


@dataclass(frozen=True)
class JobReport:
    """How a job ended."""

    name: str
    """Its name."""
    outcome: Outcome
    """How it ended."""
    attempts: int
    """How many attempts it took; zero if it never started."""
    duration: float
    """Seconds that its attempts took together."""
    allowed: bool
    """Whether a failure of it counts as success."""
    exception: BaseException | None = field(default=None, compare=False, repr=False)
    """What a step in Python raised in the last attempt: the very object. It is left out when the
    report is pickled, as few exceptions can be; the traceback is not."""
    traceback: str | None = field(default=None, repr=False)
    """Its traceback as text."""

    @property
    def is_success(self) -> bool:
        """Whether it succeeded."""
        return self.outcome.is_success

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "exception": None}

    def __copy__(self) -> JobReport:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> JobReport:
        return self


@dataclass(frozen=True)
class BudgetReport:
    """What a stage spent of its time budget."""

    stage: str
    """The stage."""
    limit: float
    """The budget in seconds."""
    spent: float
    """Seconds from the first start of a job of the stage to the last end."""

    @property
    def share(self) -> float:
        """The share of the budget that was spent; above 1 is over it."""
        return self.spent / self.limit if self.limit else float("inf")

    @property
    def is_over(self) -> bool:
        """Whether the budget was used up."""
        return self.spent >= self.limit


@dataclass(frozen=True)
class RunReport:
    """How a run ended."""

    run: str
    """The run's id."""
    workflow: str
    """The workflow's name."""
    outcome: Kind
    """How the run ended."""
    duration: float
    """Seconds that the run took."""
    jobs: tuple[JobReport, ...]
    """Every job, in the order of the plan."""
    budgets: tuple[BudgetReport, ...] = ()
    """The time budgets of the stages that began, in the order of the workflow."""
    warnings: tuple[str, ...] = ()
    """What people should know that changed nothing."""

    @property
    def is_success(self) -> bool:
        """Whether the run succeeded."""
        return self.outcome == "success"

    def job(self, name: str) -> JobReport:
        """The job of this name; `KeyError` if there is none."""
        for job in self.jobs:
            if job.name == name:
                return job
        raise KeyError(name)

    @property
    def failed(self) -> tuple[JobReport, ...]:
        """The jobs that ended badly by themselves, allowed failures aside."""
        bad = ("failed", "timed_out", "interrupted", "infrastructure_failure")
        return tuple(job for job in self.jobs if job.outcome.kind in bad and not job.allowed)

    def raise_for_failure(self) -> None:
        """Raises if the run did not succeed.

        If exactly one job failed, and by an exception of a step in Python, that very exception is
        raised. Otherwise it is `WorkflowFailed`, whose cause is the first such exception.
        """
        if self.is_success:
            return
        raised = [job.exception for job in self.failed if job.exception is not None]
        if len(raised) == 1 and len(self.failed) == 1:
            raise raised[0]
        words = [f"`{job.name}`: {job.outcome}" for job in self.failed]
        message = f"the run of `{self.workflow}` ended as {self.outcome}"
        if words:
            message += ": " + "; ".join(words)
        failure = WorkflowFailed(message, kind=self.outcome, report=self)
        raise failure from (raised[0] if raised else None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dictionaries, lists and numbers, ready for `json`."""
        plain = dataclasses.asdict(
            dataclasses.replace(
                self, jobs=tuple(dataclasses.replace(job, exception=None) for job in self.jobs)
            )
        )
        for job in plain["jobs"]:
            del job["exception"]
        return plain

    if not TYPE_CHECKING:  # Or every name would do.

        def __getattr__(self, name: str) -> Any:
            """Only what is not there: the jobs, which are made when somebody looks at them first."""
            jobs = self.__dict__.get("_jobs") if name == "jobs" else None
            if jobs is not None:
                # Several threads may make them, but all get the same.
                self.__dict__.setdefault("jobs", tuple(map(_job, jobs())))
                self.__dict__.pop("_jobs", None)
            if name == "jobs" and "jobs" in self.__dict__:
                return self.__dict__["jobs"]
            raise AttributeError(f"`RunReport` has no `{name}`", name=name, obj=self)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def _of(cls, told: dict[str, Any], jobs: Callable[[], list[tuple[Any, ...]]]) -> RunReport:
        report = object.__new__(cls)
        report.__dict__.update(
            run=told["run"],
            workflow=told["workflow"],
            outcome=told["outcome"],
            duration=told["duration"],
            budgets=tuple(BudgetReport(*budget) for budget in told["budgets"]),
            warnings=tuple(told["warnings"]),
            _jobs=jobs,
        )
        return report


def _job(told: tuple[Any, ...]) -> JobReport:
    name, ended, attempts, duration, allowed, raised = told
    exception, traceback = raised if raised is not None else (None, None)
    # Past the checks of a frozen class, which cost more than all else does.
    job = object.__new__(JobReport)
    job.__dict__.update(
        name=name,
        outcome=_SUCCESS if ended is None else Outcome._of(*ended),
        attempts=attempts,
        duration=duration,
        allowed=allowed,
        exception=exception,
        traceback=traceback,
    )
    return job
