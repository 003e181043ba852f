"""What the events of a run say of its jobs: how far each is, and when it did what."""

from __future__ import annotations

import html
import re
from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal

from ci_core import Event, RunSummary, StoredRun
from pydantic import BaseModel, Field

from . import status
from .status import Status

JobStatus = Literal["success", "failure", "waiting", "held", "running", "canceled", "error", "skipped"]


class StepView(BaseModel):
    """A step of the last attempt of a job."""

    index: int = Field(description="Its place in the job, from 0.")
    name: str
    status: JobStatus
    started: datetime
    duration: float | None = Field(None, description="Seconds; none while it runs.")
    reason: str | None = None


class AttemptView(BaseModel):
    """An attempt of a job."""

    number: int = Field(description="From 1.")
    status: JobStatus
    started: datetime
    prepared: float | None = Field(default=None, description="Seconds that it took until its steps could begin.")
    worked: datetime | None = Field(default=None, description="When its last step ended.")
    finished: datetime | None = None


class JobView(BaseModel):
    """A job of a run."""

    name: str
    status: JobStatus
    needs: list[str] = []
    stage: str | None = None
    executor: str | None = None
    attempts: int = 0
    ready: datetime | None = Field(None, description="When its dependencies allowed it.")
    started: datetime | None = None
    finished: datetime | None = None
    duration: float | None = Field(None, description="Seconds that its attempts took together.")
    exit_code: int | None = None
    reason: str | None = Field(None, description="Why it ended as it did, or what it waits for.")
    allowed: bool = Field(False, description="Whether a failure of it counts as success.")
    reused: bool = Field(False, description="Whether it did not run: an earlier outcome is reused.")
    steps: list[StepView] = []
    tried: list[AttemptView] = Field([], description="Its attempts.")


class RunView(BaseModel):
    """A run."""

    id: str
    commit: str | None
    branch: str | None
    workflow: str
    status: Status
    outcome: str | None = Field(description="How the engine calls its end; none while it goes on.")
    active: bool = Field(description="Whether a living process drives it.")
    failed_steps: list[str] = []
    created: datetime
    finished: datetime | None
    duration: float | None = Field(description="Seconds from its making to its end.")
    rerun_of: str | None


class RunDetail(RunView):
    """A run with its jobs."""

    tag: str | None = None
    variables: dict[str, str] = {}
    jobs: list[JobView] = []
    warnings: list[str] = []


def of_summary(run: RunSummary) -> RunView:
    """A run in a listing."""
    return RunView(**_fields(run))


def _fields(run: RunSummary) -> dict[str, Any]:
    taken = None if run.finished is None else (run.finished - run.created).total_seconds()
    said = status.of_run(run)
    return {
        "id": run.id,
        "commit": run.revision,
        "branch": run.branch,
        "workflow": run.workflow,
        "status": said,
        "outcome": run.outcome,
        "active": run.active,
        "failed_steps": status.failed_steps(run) if said == "failure" else [],
        "created": run.created,
        "finished": run.finished,
        "duration": taken,
        "rerun_of": run.rerun_of,
    }


def of_stored(run: StoredRun) -> RunDetail:
    """A run with everything about its jobs."""
    facts = run.facts
    warnings = [event["message"] for event in run.events if event.type == "warning"]
    return RunDetail(
        **_fields(run.summary),
        tag=facts.get("tag"),
        variables=facts.get("variables", {}),
        jobs=jobs(run),
        warnings=warnings,
    )


def jobs(run: StoredRun) -> list[JobView]:
    """The jobs in the order of the plan."""
    found: dict[str, JobView] = {}
    for event in run.events:
        if event.type == "run_started":
            for info in event["jobs"]:
                told = {name: info.get(name) for name in ("needs", "stage", "executor")}
                found.setdefault(info["name"], JobView(name=info["name"], status="waiting", **told))
        elif event.job in found:
            _note(found[event.job], event)
    if run.summary.outcome is not None:
        for job in found.values():
            if job.status == "running" or (job.status == "waiting" and job.finished is None):
                # Its process died, and nobody has gone on with the run.
                job.status = "error" if job.status == "running" else "waiting"
    return list(found.values())


def _note(job: JobView, event: Event) -> None:
    """Takes what an event says of a job."""
    if event.type == "job_ready":
        job.ready = event.time
    elif event.type == "job_held":
        job.status, job.reason = "held", event.get("prompt")
    elif event.type == "job_approved":
        job.status, job.reason = "waiting", None
    elif event.type == "job_waiting":
        job.reason = event["reason"]
    elif event.type == "job_started":
        job.status, job.reason, job.steps = "running", None, []
        job.attempts, job.executor = event["attempt"], event["executor"]
        job.started = job.started or event.time
        # A run that was resumed begins the attempt that was cut off again.
        job.tried = [it for it in job.tried if it.number != event["attempt"]]
        job.tried.append(AttemptView(number=event["attempt"], status="running", started=event.time))
    elif event.type == "job_prepared" and job.tried:
        job.tried[-1].prepared = event["duration"]
    elif event.type == "job_retrying" and job.tried:
        job.tried[-1].status, job.tried[-1].finished = _ended(event["result"])[0], event.time
    elif event.type == "step_started":
        fields = {"index": event["step"], "name": event["name"], "started": event.time}
        job.steps.append(StepView(status="running", **fields))
    elif event.type == "step_finished":
        for step in job.steps:
            if step.index == event["step"]:
                step.status, step.reason = _ended(event["result"])
                step.duration = event["duration"]
        if job.tried:
            job.tried[-1].worked = event.time
    elif event.type == "job_finished":
        job.status, job.reason = _ended(event["result"])
        job.finished, job.duration = event.time, event["duration"]
        job.exit_code = event["result"].get("exit_code")
        job.attempts, job.allowed = event["attempts"], event["allowed"]
        job.reused = event.get("reused", False)
        if job.tried:
            job.tried[-1].status, job.tried[-1].finished = job.status, event.time


def _ended(result: dict[str, Any]) -> tuple[JobStatus, str | None]:
    said = status.OF_OUTCOME[result["outcome"]]
    word: JobStatus = "held" if said == "pending" else "running" if said == "running" else said
    reason = result.get("reason") or result.get("message")
    if reason is None and result.get("exit_code"):
        reason = f"exit code {result['exit_code']}"
    return word, reason


JOB = re.compile(r'<g class="job([^"]*)"><title>(.*?)</title>', re.DOTALL)


def graph(run: StoredRun, critical: Collection[str] = ()) -> str:
    """The jobs as the engine draws them, each marked with its name and status for the style sheet, and those
    on the slowest path."""
    drawn = run.workflow.draw("svg", **run.facts)
    known = {job.name: job.status for job in jobs(run)}

    def mark(found: re.Match[str]) -> str:
        title = html.unescape(found[2])
        # The title goes on with notes.
        name = max((it for it in known if title == it or title.startswith(f"{it}; ")), key=len, default="")
        said = known.get(name, "skipped")
        named = html.escape(name, quote=True)
        slow = " is-critical" if name in critical else ""
        return f'<g class="job{found[1]} is-{said}{slow}" data-job="{named}"><title>{found[2]}</title>'

    return JOB.sub(mark, drawn)
