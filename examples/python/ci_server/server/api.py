"""Everything there is to read about runs, under `/api/v1`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import quote

from ci_core import JobResult, KeptCoverage, KeptTest, LogLine
from ci_core.reports import FlakyTest, flaky_tests
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from . import status, view
from .ranges import Part, part
from .seed import LARGEST, known_parameters, problem
from .state import Server, State
from .status import Status
from .view import AttemptView, JobView, RunDetail, RunView

router = APIRouter(prefix="/api/v1", dependencies=[Depends(known_parameters)])

RunId = Annotated[
    str, Path(description="The id of the run.", pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
]
JobName = Annotated[str, Path(description="The name of the job.", min_length=1)]
Limit = Annotated[int, Query(ge=0, le=10_000, description="At most so many.")]
Offset = Annotated[int, Query(ge=0, le=LARGEST, description="Passes over so many.")]
TEXT: dict[str, Any] = {"content": {"text/plain": {"schema": {"type": "string"}}}}
PhaseKind = Literal["waited", "prepared", "steps", "teardown"]
Outcome = Literal["passed", "skipped", "failed", "error"]


class Runs(BaseModel):
    """Runs, newest first."""

    total: int = Field(description="How many there are.")
    data: list[RunView]


class Tests(BaseModel):
    """Tests of a run."""

    total: int
    data: list[KeptTest]


class CoveragePoint(BaseModel):
    """The coverage that a job reported."""

    run: str
    commit: str | None
    branch: str | None = None
    created: datetime
    job: str
    lines: float | None = Field(description="Percent of lines that ran.")
    branches: float | None = Field(description="Percent of branches that were taken.")
    totals: dict[str, Any]


class CoverageList(BaseModel):
    """Coverage, newest first."""

    total: int
    data: list[CoveragePoint]


class ArtifactView(BaseModel):
    """A file that a job kept."""

    job: str
    kind: str
    path: str
    bytes: int
    digest: str
    url: str = Field(description="Where it is downloaded.")


class Artifacts(BaseModel):
    """Files that jobs kept."""

    total: int
    data: list[ArtifactView]


class Bar(BaseModel):
    """A stretch of time, in seconds after the run was made."""

    name: str
    status: str
    start: float
    end: float
    waited: float = Field(default=0, description="How long before the start it could have begun.")
    steps: list[Bar] = []
    phases: list[Phase] = Field(default=[], description="Of each attempt: what it waited for and what it did.")


class Phase(BaseModel):
    """A part of an attempt of a job, in seconds after the run was made."""

    kind: PhaseKind
    attempt: int
    status: str
    start: float
    end: float


class Timeline(BaseModel):
    """When the jobs of a run ran."""

    created: datetime
    length: float = Field(description="Seconds until the last thing that happened.")
    jobs: list[Bar]


class FailedStep(BaseModel):
    """A job that failed, with the end of what it wrote."""

    name: str
    outcome: str
    exit_code: int | None
    reason: str | None
    log: list[str] = Field(description="The last lines.")


class LastFailure(BaseModel):
    """What failed in the last run of a branch."""

    run: RunView
    steps: list[FailedStep]
    tests: list[KeptTest] = Field(description="The tests that were bad in the end.")


@router.get("/runs", tags=["runs"], summary="List runs")
async def runs(
    server: Server,
    branch: str | None = None,
    commit: str | None = None,
    status: Status | None = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> Runs:
    """Every run, also several of one commit, newest first."""
    listing = await server.listing()
    found = [
        it
        for it in map(view.of_summary, listing.newest())
        if (branch is None or it.branch == branch)
        and (commit is None or (it.commit or "").startswith(commit))
        and (status is None or it.status == status)
    ]
    return Runs(total=len(found), data=found[offset : offset + limit])


@router.get("/runs/{run}", tags=["runs"], summary="Get a run with its jobs", responses=problem(404))
async def run(server: Server, run: RunId) -> RunDetail:
    """A run, what it is for, and how far each of its jobs is."""
    return view.of_stored(await server.run(run))


@router.get("/runs/{run}/jobs", tags=["runs"], summary="List the jobs of a run", responses=problem(404))
async def jobs(server: Server, run: RunId) -> list[JobView]:
    """The jobs in the order of the plan, with the steps of each one's last attempt."""
    return view.jobs(await server.run(run))


@router.get(
    "/runs/{run}/graph.svg",
    tags=["runs"],
    summary="Draw the jobs of a run",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {}}}, **problem(404)},
)
async def graph(server: Server, run: RunId) -> Response:
    """The jobs and what they need; each has a class such as `is-running`."""
    return Response(view.graph(await server.run(run)), media_type="image/svg+xml")


@router.get("/runs/{run}/timeline", tags=["runs"], summary="When the jobs ran", responses=problem(404))
async def timeline(server: Server, run: RunId) -> Timeline:
    """When each job and each of its steps began and ended."""
    stored = await server.run(run)
    created = stored.summary.created
    last = max([created, *(event.time for event in stored.events)])

    def after(moment: datetime | None) -> float:
        return max(0.0, ((moment or last) - created).total_seconds())

    bars = []
    for job in view.jobs(stored):
        if job.started is None:
            continue
        start = after(job.started)
        steps = [
            Bar(
                name=step.name,
                status=step.status,
                start=after(step.started),
                end=after(None) if step.duration is None else after(step.started) + step.duration,
            )
            for step in job.steps
        ]
        waited = start - after(job.ready) if job.ready else 0
        end = after(job.finished)
        phases = [phase for attempt in job.tried for phase in _phases(job, attempt, after)]
        bar = Bar(name=job.name, status=job.status, start=start, end=end, waited=waited, steps=steps, phases=phases)
        bars.append(bar)
    return Timeline(created=created, length=after(last), jobs=bars)


def _phases(job: JobView, attempt: AttemptView, after: Callable[[datetime | None], float]) -> list[Phase]:
    """When an attempt waited, was prepared, ran its steps and was torn down; what took no time is left out."""
    started, finished = after(attempt.started), after(attempt.finished)
    ready = min(after(job.ready), started) if job.ready and attempt.number == 1 else started
    prepared = min(started + (attempt.prepared or 0), finished)
    worked = finished if attempt.worked is None else max(after(attempt.worked), prepared)
    if attempt.finished is None:
        worked = finished
    marks = (ready, started, prepared, worked, finished)
    kinds: tuple[PhaseKind, ...] = ("waited", "prepared", "steps", "teardown")
    return [
        Phase(kind=kind, attempt=attempt.number, status=attempt.status, start=start, end=end)
        for kind, start, end in zip(kinds, marks, marks[1:])
        if end > start or kind == "steps"
    ]


@router.get(
    "/runs/{run}/jobs/{job:path}/log",
    tags=["logs"],
    summary="Get the log of a job",
    response_class=Response,
    responses={200: TEXT, 206: TEXT, **problem(404, 416)},
)
async def log(
    server: Server,
    request: Request,
    run: RunId,
    job: JobName,
    attempt: Annotated[int | None, Query(ge=1, le=100_000)] = None,
    step: Annotated[int | None, Query(ge=0, le=100_000)] = None,
) -> Response:
    """What a job wrote in its last attempt, or in another, or one step of it. `Range: bytes=…` asks for
    a part."""
    await known_job(server, run, job)
    lines = server.store.follow_log(run, job, attempt=attempt, step=step)

    async def pieces() -> AsyncIterator[bytes]:
        while found := await asyncio.to_thread(lines.read):
            yield b"".join(line.data + b"\n" for line in found)
        yield b"".join(line.data + b"\n" for line in lines.finish())

    wanted = request.headers.get("range")
    media = "text/plain; charset=utf-8"
    headers = {"Accept-Ranges": "bytes"}
    if wanted is None:
        return StreamingResponse(pieces(), media_type=media, headers=headers)
    # The length of a log is known only when it was read, and it may grow meanwhile.
    found: Part | None = await part(wanted, pieces())
    if found is None:
        raise HTTPException(416, f"the log has no part `{wanted}`", headers={"Content-Range": "bytes */*"})
    headers["Content-Range"] = f"bytes {found.first}-{found.first + len(found.content) - 1}/{found.total}"
    return Response(found.content, 206, headers, media)


async def known_job(server: State, run: str, job: str) -> None:
    """Raises 404 for a job that the run does not have."""
    stored = await server.run(run)
    names = {it.name for it in view.jobs(stored)} | set(stored.workflow.jobs)
    if job not in names:
        raise HTTPException(404, f"the run has no job `{job}`")


@router.get("/runs/{run}/tests", tags=["reports"], summary="List the tests of a run", responses=problem(404))
async def tests(
    server: Server,
    run: RunId,
    job: str | None = None,
    outcome: Outcome | None = None,
    limit: Limit = 1000,
    offset: Offset = 0,
) -> Tests:
    """The tests that the jobs of a run kept, in the order of the reports."""
    await server.run(run)
    found = await asyncio.to_thread(server.store.tests, run=run, job=job)
    found = [it for it in found if outcome is None or it.outcome == outcome]
    return Tests(total=len(found), data=found[offset : offset + limit])


@router.get("/runs/{run}/failed-tests", tags=["reports"], summary="List what failed", responses=problem(404))
async def failed_tests(server: Server, run: RunId) -> Tests:
    """The tests that were bad in the end: what passed in a later attempt is not among them."""
    await server.run(run)
    found = await asyncio.to_thread(server.store.failed_tests, run)
    return Tests(total=len(found), data=found)


@router.get("/runs/{run}/coverage", tags=["reports"], summary="Get the coverage", responses=problem(404))
async def coverage(server: Server, run: RunId) -> CoverageList:
    """The coverage that the jobs of a run reported."""
    stored = await server.run(run)
    found = await asyncio.to_thread(server.store.coverage, run=run)
    data = [_point(it, stored.summary.branch) for it in found]
    return CoverageList(total=len(data), data=data)


@router.get("/coverage", tags=["reports"], summary="Coverage over time")
async def coverage_over_time(server: Server, branch: str | None = None, limit: Limit = 100) -> CoverageList:
    """The coverage of the newest runs that have some, of a branch or of all."""
    found = await asyncio.to_thread(server.store.coverage, branch=branch, runs=limit)
    branches = {run.id: run.branch for run in (await server.listing()).runs.values()}
    data = [_point(it, branches.get(it.run)) for it in found]
    return CoverageList(total=len(data), data=data)


def _point(kept: KeptCoverage, branch: str | None) -> CoveragePoint:
    def percent(name: str) -> float | None:
        ratio = kept.totals[name]
        # Rounded down, as the engine does: only all of it is 100.
        return ratio["covered"] * 10_000 // ratio["total"] / 100 if ratio["total"] else None

    stated = kept.totals.get("stated")
    lines = percent("lines")
    return CoveragePoint(
        run=kept.run,
        commit=kept.revision,
        branch=branch,
        created=kept.created,
        job=kept.job,
        lines=stated if lines is None else lines,
        branches=percent("branches"),
        totals=kept.totals,
    )


@router.get("/flaky", tags=["reports"], summary="List flaky tests")
async def flaky(
    server: Server,
    branch: str | None = None,
    runs: Annotated[int, Query(ge=1, le=10_000, description="Looks at so many runs.")] = 100,
    min_score: Annotated[float, Query(ge=0, le=1)] = 0.01,
) -> list[FlakyTest]:
    """Tests that now pass and now fail, those with the highest score first."""
    return await asyncio.to_thread(
        lambda: flaky_tests(server.store, branch=branch, runs=runs, min_score=min_score)
    )


@router.get("/runs/{run}/artifacts", tags=["artifacts"], summary="List the files", responses=problem(404))
async def artifacts(server: Server, request: Request, run: RunId) -> Artifacts:
    """The files that the jobs of a run kept."""
    await server.run(run)
    found = await asyncio.to_thread(server.storage.artifacts, run)
    data = []
    for it in found:
        url = f"/api/v1/runs/{run}/jobs/{quote(it.job)}/artifacts/{it.kind}/{quote(it.path)}"
        file = ArtifactView(
            job=it.job, kind=it.kind, path=it.path, bytes=it.bytes, digest=it.digest, url=url
        )
        data.append(file)
    return Artifacts(total=len(data), data=data)


@router.get(
    "/runs/{run}/jobs/{job:path}/artifacts/{kind}/{path:path}",
    tags=["artifacts"],
    summary="Download a file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}, **problem(404)},
)
async def artifact(
    server: Server,
    run: RunId,
    job: JobName,
    kind: Literal["artifact", "test_results", "coverage", "metrics", "findings"],
    path: str,
) -> Response:
    """A file that a job kept. A browser saves it and never shows it: it may be anything."""
    await server.run(run)
    found = await asyncio.to_thread(server.storage.artifacts, run, job)
    file = next((it for it in found if (it.kind, it.path) == (kind, path)), None)
    if file is None:
        raise HTTPException(404, "the job kept no such file")
    content = await asyncio.to_thread(server.storage.open, file)

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(content.read, 1 << 18):
            yield piece

    name = quote(PurePosixPath(path).name)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Content-Length": str(file.bytes)}
    return StreamingResponse(pieces(), media_type="application/octet-stream", headers=headers)


@router.get(
    "/branches/{branch:path}/last-failure",
    tags=["runs"],
    summary="What failed in the last run of a branch",
    responses=problem(404),
)
async def last_failure(
    server: Server,
    branch: str,
    lines: Annotated[int, Query(ge=0, le=10_000, description="So many lines of each log.")] = 20,
) -> LastFailure:
    """The jobs and the tests that failed in the last run of the branch that ended, with the ends of the
    logs; nothing of both, if it was fine."""
    listing = await server.listing()
    ended = (it for it in listing.newest() if it.branch == branch and it.finished is not None)
    last = next(ended, None)
    if last is None:
        raise HTTPException(404, f"no run of the branch `{branch}` has ended")
    bad = [job for job in last.jobs if status.OF_OUTCOME[job.outcome] in ("failure", "error") and not job.allowed]
    steps = [await asyncio.to_thread(_failed_step, server, last.id, job, lines) for job in bad]
    found = await asyncio.to_thread(server.store.failed_tests, last.id)
    return LastFailure(run=view.of_summary(last), steps=steps, tests=found)


def _failed_step(server: State, run: str, job: JobResult, count: int) -> FailedStep:
    return FailedStep(
        name=job.name,
        outcome=job.outcome,
        exit_code=job.exit_code,
        reason=job.reason,
        log=[line.text for line in tail(server, run, job.name, count)],
    )


def tail(server: State, run: str, job: str, count: int) -> list[LogLine]:
    """The last lines of a job, in bounded memory. Blocks."""
    return list(deque(server.store.follow_log(run, job), maxlen=count))
