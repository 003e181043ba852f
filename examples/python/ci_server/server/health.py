"""Whether the server is well, and its figures."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import ci_core
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from . import status
from .seed import known_parameters
from .state import Server
from .status import Status

router = APIRouter(tags=["health"], dependencies=[Depends(known_parameters)])


class Health(BaseModel):
    """How the server is."""

    status: str = Field(description="`ok`, or `not watching` when the watching ended by an error.")
    repository: str
    watching: bool
    version: str = Field(description="The version of ci_core.")


@router.get("/healthz", summary="Whether the server is well", responses={503: {"model": Health}})
async def healthz(server: Server, response: Response) -> Health:
    """200 while the store can be read and, unless the server only shows, the repository is watched."""
    await server.listing()
    watching = server.watch is not None and not server.watch.done
    well = watching or not server.config.watch
    if not well:
        response.status_code = 503
    return Health(
        status="ok" if well else "not watching",
        repository=str(server.config.repository),
        watching=watching,
        version=ci_core.__version__,
    )


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def metrics(server: Server) -> Response:
    """Runs, commits and requests, in the text form of Prometheus."""
    listing = await server.listing()
    runs = Counter(status.of_run(run) for run in listing.runs.values())
    commits = Counter(status.of_run(run) for run in listing.latest.values())
    taken = [(run.finished - run.created).total_seconds() for run in listing.runs.values() if run.finished]
    lines = family("ci_server_runs", "gauge", "Runs in the store by how they are.")
    lines += [f'ci_server_runs{{status="{it}"}} {runs[it]}' for it in get_args(Status)]
    lines += family("ci_server_commits", "gauge", "Commits by how their latest run is.")
    lines += [f'ci_server_commits{{status="{it}"}} {commits[it]}' for it in get_args(Status)]
    lines += family("ci_server_run_seconds", "summary", "How long runs took that ended.")
    lines += [f"ci_server_run_seconds_sum {sum(taken):.3f}", f"ci_server_run_seconds_count {len(taken)}"]
    lines += family("ci_server_watching", "gauge", "Whether the repository is watched.")
    lines += [f"ci_server_watching {int(server.watch is not None and not server.watch.done)}"]
    lines += family("ci_server_requests_total", "counter", "Requests that were answered.")
    for (route, code), count in sorted(server.requests.items()):
        lines.append(f'ci_server_requests_total{{route="{route}",code="{code}"}} {count}')
    return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4; charset=utf-8")


def family(name: str, kind: str, help: str) -> list[str]:
    """What stands before the figures of a name."""
    return [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]
