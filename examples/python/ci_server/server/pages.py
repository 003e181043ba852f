"""The pages for people. All but the live parts work without JavaScript."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Annotated, Any, get_args

from ci_core import LogLine
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from markupsafe import Markup

from . import api, report, view
from .api import Bar, CoveragePoint, JobName, Phase, RunId, Timeline
from .state import Server, State
from .status import Status

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PAGE = 50
"""How many runs stand on a page."""
LINES = 2000
"""How many lines of a log stand on a page."""
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00-\x08\x0b-\x1f]")
"""What a terminal would take for orders (ECMA-48)."""

templates = Jinja2Templates(directory=Path(__file__).parent / "templates")


def seconds(value: float | None) -> str:
    """A duration for people."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size(value: float) -> str:
    """A size for people."""
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def moment(value: datetime | None) -> str:
    """A time for people."""
    return "" if value is None else value.strftime("%Y-%m-%d %H:%M:%S UTC")


templates.env.filters |= {"seconds": seconds, "size": size, "moment": moment}
templates.env.filters["plain"] = lambda text: ESCAPES.sub("", text)


def page(request: Request, server: State, name: str, **values: Any) -> HTMLResponse:
    """A page with what all have."""
    values |= {"repository": server.config.repository.name, "page_name": name}
    return templates.TemplateResponse(request, f"{name}.html", values)


@router.get("/")
async def runs(
    request: Request,
    server: Server,
    branch: str = "",
    status: str = "",
    number: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1,
) -> HTMLResponse:
    """The list of runs."""
    listing = await server.listing()
    all_runs = [view.of_summary(run) for run in listing.newest()]
    found = [
        run for run in all_runs if (not branch or run.branch == branch) and (not status or run.status == status)
    ]
    return page(
        request,
        server,
        "runs",
        runs=found[(number - 1) * PAGE : number * PAGE],
        total=len(found),
        number=number,
        pages=max(1, ceil(len(found) / PAGE)),
        branch=branch,
        status=status,
        branches=sorted({run.branch for run in all_runs if run.branch}),
        statuses=get_args(Status),
    )


@router.get("/ui/run/{run}")
async def run(request: Request, server: Server, run: RunId) -> HTMLResponse:
    """A run: its jobs, what failed, and when what ran."""
    stored, seen = await asyncio.gather(server.run(run), report.seen(server, run))
    kept = {it["name"]: (it["reports"] or {}).get("tests") for it in seen.told["jobs"]}
    return page(
        request,
        server,
        "run",
        run=view.of_stored(stored),
        seen=seen,
        counts={name: tests for name, tests in kept.items() if tests},
        graph=Markup(view.graph(stored, seen.critical_path)),
        timeline=drawn(await api.timeline(server, run)),
        tests=await asyncio.to_thread(server.store.failed_tests, run),
        coverage=(await api.coverage(server, run)).data,
        artifacts=(await api.artifacts(server, request, run)).data,
    )


@router.get("/ui/run/{run}/log/{job:path}")
async def log(request: Request, server: Server, run: RunId, job: JobName) -> HTMLResponse:
    """What a job wrote; its end, if that is much."""
    await api.known_job(server, run, job)
    stored = await server.run(run)
    found = next((it for it in view.jobs(stored) if it.name == job), None)
    count, lines = await asyncio.to_thread(last_lines, server, run, job)
    shown = view.of_summary(stored.summary)
    steps = by_step(lines, found)
    return page(
        request, server, "log", run=shown, job=job, state=found, count=count, lines=lines, steps=steps
    )


@dataclass
class StepLog:
    """What a step wrote."""

    index: int
    name: str
    status: str
    lines: list[LogLine]


def by_step(lines: list[LogLine], job: view.JobView | None) -> list[StepLog]:
    """The lines of each step, in the order of the lines."""
    known = {step.index: step for step in job.steps} if job else {}
    found: list[StepLog] = []
    for line in lines:
        if not found or found[-1].index != line.step:
            step = known.get(line.step)
            name, status = (step.name, step.status) if step else (f"step {line.step + 1}", "")
            found.append(StepLog(line.step, name, status, []))
        found[-1].lines.append(line)
    return found


def last_lines(server: State, run: str, job: str) -> tuple[int, list[LogLine]]:
    """How many lines there are, and the last of them. Blocks."""
    lines: deque[LogLine] = deque(maxlen=LINES)
    count = 0
    for line in server.store.follow_log(run, job):
        lines.append(line)
        count += 1
    return count, list(lines)


@router.get("/ui/coverage")
async def coverage(request: Request, server: Server, branch: str = "") -> HTMLResponse:
    """Coverage over time."""
    found = await api.coverage_over_time(server, branch or None, 200)
    branches = {run.branch for run in (await server.listing()).runs.values() if run.branch}
    values = {"branch": branch, "branches": sorted(branches), "points": found.data}
    return page(request, server, "coverage", lines=curves(found.data), **values)


@dataclass(frozen=True)
class Curve:
    """The coverage of a job over time, in a picture of 1000 by 240."""

    job: str
    points: list[tuple[float, float, CoveragePoint]]

    @property
    def path(self) -> str:
        """The points as SVG has them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in self.points)


def curves(points: list[CoveragePoint]) -> list[Curve]:
    """One curve for each job; runs stand beside each other in their order."""
    order = sorted({point.run for point in points})
    place = {run: 30 + 940 * (index + 0.5) / len(order) for index, run in enumerate(order)}
    jobs: dict[str, list[tuple[float, float, CoveragePoint]]] = {}
    for point in reversed(points):
        if point.lines is not None:
            spot = (place[point.run], 220 - 2 * point.lines, point)
            jobs.setdefault(point.job, []).append(spot)
    return [Curve(job, spots) for job, spots in sorted(jobs.items())]


@dataclass(frozen=True)
class Part:
    """A part of a stripe."""

    kind: str
    status: str
    x: float
    width: float


@dataclass(frozen=True)
class Stripe:
    """A job on the timeline, in a picture that is 1000 wide."""

    name: str
    status: str
    y: int
    parts: list[Part]
    title: str


def drawn(timeline: Timeline) -> list[Stripe]:
    """Where each job stands in the picture, those that began first on top."""
    scale = 820 / max(timeline.length, 0.001)

    def part(phase: Phase) -> Part:
        # What took time is seen, however short it was.
        least = 2 if phase.kind == "steps" else 0
        width = max(least, scale * (phase.end - phase.start))
        return Part(kind=phase.kind, status=phase.status, x=170 + scale * phase.start, width=width)

    return [
        Stripe(
            name=bar.name,
            status=bar.status,
            y=26 * index,
            parts=[part(phase) for phase in bar.phases],
            title=f"{bar.name}: {told(bar)}",
        )
        for index, bar in enumerate(sorted(timeline.jobs, key=lambda bar: bar.start))
    ]


def told(bar: Bar) -> str:
    """How long a job was at what."""
    words = {"waited": "waited", "prepared": "prepared", "steps": "ran", "teardown": "torn down"}
    times = {kind: sum(it.end - it.start for it in bar.phases if it.kind == kind) for kind in words}
    return ", ".join(f"{words[kind]} {seconds(time)}" for kind, time in times.items() if time or kind == "steps")
