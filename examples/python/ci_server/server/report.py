"""What the report of a run shows: under `/api/v1`, and as the page that `ci report html` writes."""

from __future__ import annotations

import asyncio
from typing import Literal

from ci_core import FileCoverage, Finding, FlakyInRun, Gate, Metric, Place, RunView
from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import BaseModel, Field

from .api import RunId
from .seed import known_parameters, problem
from .state import Server, State

router = APIRouter(prefix="/api/v1", tags=["reports"], dependencies=[Depends(known_parameters)])

MEDIA = {"html": "text/html", "markdown": "text/markdown", "text": "text/plain"}
"""What each form of the report is."""


class FailedJobView(BaseModel):
    """A job that ended badly."""

    name: str
    outcome: str | None
    reason: str | None
    allowed: bool = Field(description="Whether its failure counts as success.")
    step: str | None = Field(description="The step that failed.")
    lines: list[str] = Field(description="Its first failing lines; where none looks like one, its last.")
    bad_tests: int


class Report(BaseModel):
    """What the report of a run shows beside its jobs, its tests and its logs."""

    failed: list[FailedJobView]
    critical_path: list[str] = Field(description="The jobs on the path that took longest, first job first.")
    critical_duration: float = Field(description="Seconds that the jobs on that path took together.")
    gates: list[Gate] = Field(description="What the gates on coverage, values and findings said.")
    metrics: list[Metric] = Field(description="What the jobs measured.")
    findings: list[Finding] = Field(description="What scanners and linters found, the worst first.")
    flaky: list[FlakyInRun] = Field(description="Tests that passed after they had failed.")
    least_covered: list[FileCoverage] = Field(description="The files of which the least is covered.")
    environment: list[Place] = Field(description="Where the jobs ran.")
    fidelity: list[str] = Field(description="What is not the same as on the machines of the vendor.")


async def seen(server: State, run: str) -> RunView:
    """What the report of a run shows, without its logs."""
    return await asyncio.to_thread(server.store.view, run, storage=server.storage)


@router.get("/runs/{run}/report", summary="Get what the report shows", responses=problem(404))
async def report(server: Server, run: RunId) -> Report:
    """What failed with its first failing lines, the slowest path, gates, values, findings, flaky tests, the
    least covered files, and where the jobs ran; also while the run goes on."""
    view = await seen(server, run)
    names = set(Report.model_fields) - {"failed"}
    failed = [FailedJobView(**{**vars(job), "lines": list(job.lines)}) for job in view.failed]
    return Report(failed=failed, **{name: getattr(view, name) for name in names})


@router.get(
    "/runs/{run}/report.{form}",
    summary="Get the report in one file",
    response_class=Response,
    responses={200: {"content": {media: {} for media in MEDIA.values()}}, **problem(404)},
)
async def page(server: Server, run: RunId, form: Literal["html", "markdown", "text"]) -> Response:
    """The report as one file that needs nothing beside it: a page with the logs of the jobs, Markdown for a
    comment on a pull request, or text for a terminal."""
    made = await asyncio.to_thread(server.store.page, run, form, storage=server.storage)
    # The page brings its own policy, which knows its script.
    headers = {"Content-Security-Policy": "frame-ancestors 'none'"} if form == "html" else {}
    return Response(made, headers=headers, media_type=f"{MEDIA[form]}; charset=utf-8")
