"""The words of the API for how runs and jobs end."""

from __future__ import annotations

from typing import Literal

from ci_core import JobResult, RunSummary

Status = Literal["success", "failure", "pending", "running", "canceled", "error", "skipped"]

OF_OUTCOME: dict[str, Status] = {
    "success": "success",
    "failed": "failure",
    "timed_out": "failure",
    "canceled": "canceled",
    "infrastructure_failure": "error",
    "interrupted": "error",
    "on_hold": "pending",
    "skipped": "skipped",
    "not_run": "skipped",
}
"""What the outcomes of the engine are called."""


def of_run(run: RunSummary) -> Status:
    """How a run is: `pending` also while it waits for a person, or to be gone on with."""
    if run.outcome is None:
        return "running" if run.active else "pending"
    return OF_OUTCOME[run.outcome]


def failed(job: JobResult) -> bool:
    """Whether a job is one to name when its run failed."""
    return OF_OUTCOME[job.outcome] == "failure" and not job.allowed


def failed_steps(run: RunSummary) -> list[str]:
    """The jobs that made a run fail."""
    return [job.name for job in run.jobs if failed(job)]
