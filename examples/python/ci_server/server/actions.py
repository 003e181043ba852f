"""Everything that changes something, under `/api/v1`: for those who have the token."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated

from ci_core import CiError, RunSummary, Watch
from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from . import status
from .api import JobName, RunId, known_job
from .seed import known_parameters, problem
from .state import Server, State

bearer = HTTPBearer(auto_error=False, description="The token that the server said at its start.")


async def authorized(
    server: Server, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> None:
    """Lets nobody pass who does not have the token."""
    said = "" if given is None else given.credentials
    if not secrets.compare_digest(said.encode(), server.config.token.encode()):
        headers = {"WWW-Authenticate": "Bearer"}
        raise HTTPException(401, "this needs the token of the server", headers=headers)


router = APIRouter(
    prefix="/api/v1",
    tags=["actions"],
    dependencies=[Depends(authorized), Depends(known_parameters)],
    responses=problem(400, 401, 503),
)


class Start(BaseModel):
    """A run that is wanted."""

    model_config = ConfigDict(extra="forbid")

    branch: str | None = Field(None, min_length=1, description="Its last commit runs, if no other is named.")
    commit: str | None = Field(None, min_length=1, description="A hash, or another name of a commit.")
    parameters: dict[str, str | int | bool] = Field({}, description="What `.ci/triggers.yml` declares.")


class Rerun(BaseModel):
    """How a run is run again."""

    model_config = ConfigDict(extra="forbid")

    all: StrictBool = Field(False, description="All of it, and not only what did not succeed.")


class Cancel(BaseModel):
    """What is to stop."""

    model_config = ConfigDict(extra="forbid")

    job: str | None = Field(None, min_length=1, description="Only this job.")


class Approve(BaseModel):
    """What somebody decides about a job that is held."""

    model_config = ConfigDict(extra="forbid")

    approved: StrictBool = True
    by: str = Field(default="the API", min_length=1, max_length=200, description="Who decides.")


class Accepted(BaseModel):
    """The run that it is about."""

    id: str


@router.post("/runs", status_code=202, summary="Start a run")
async def start(server: Server, wanted: Start) -> Accepted:
    """Starts a run that no commit asks for: for a commit, for the last one of a branch, or for what is
    checked out."""
    arguments = {name: _typed(value) for name, value in wanted.parameters.items()}
    watch = watching(server)
    return Accepted(
        id=await asyncio.to_thread(
            lambda: watch.start(branch=wanted.branch, revision=wanted.commit, arguments=arguments)
        )
    )


def _typed(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@router.post("/runs/{run}/rerun", status_code=202, summary="Run again", responses=problem(404, 409))
async def rerun(server: Server, run: RunId, how: Rerun | None = None) -> Accepted:
    """Runs again what did not succeed, as a new run that reuses the rest; or all of it."""
    stored = await server.run(run)
    watch = watching(server)
    if stored.summary.finished is None and stored.summary.active:
        raise HTTPException(409, "the run still goes on")
    if how is None or not how.all:
        return Accepted(id=await asyncio.to_thread(watch.rerun, run))
    facts = stored.facts
    branch, revision = facts.get("branch"), facts.get("revision")
    again = await asyncio.to_thread(lambda: watch.start(branch=branch, revision=revision))
    return Accepted(id=again)


@router.post("/runs/{run}/cancel", status_code=202, summary="Stop a run", responses=problem(404, 409))
async def cancel(server: Server, run: RunId, what: Cancel | None = None) -> Accepted:
    """Stops a run, or a job of it. What has to be torn down is."""
    summary = (await server.run(run)).summary
    job = None if what is None else what.job
    if job is not None:
        await known_job(server, run, job)
    if not _goes_on(summary):
        raise HTTPException(409, "the run does not go on")
    await asyncio.to_thread(lambda: server.store.cancel(run, job, by="the API"))
    return Accepted(id=run)


@router.post(
    "/runs/{run}/jobs/{job:path}/approve",
    status_code=202,
    summary="Decide about a job that is held",
    responses=problem(404, 409),
)
async def approve(server: Server, run: RunId, job: JobName, what: Approve | None = None) -> Accepted:
    """Lets a job that is held go on, or refuses it. A run that ended because only held jobs were left
    goes on."""
    said = what or Approve()
    summary = (await server.run(run)).summary
    await known_job(server, run, job)
    on_hold = summary.outcome == "on_hold"
    if not (_goes_on(summary) or on_hold):
        raise HTTPException(409, f"the run has ended: {status.of_run(summary)}")
    watch = watching(server) if on_hold else None
    decide = server.store.approve if said.approved else server.store.reject
    await asyncio.to_thread(lambda: decide(run, job, by=said.by))
    if watch is not None:
        try:
            await asyncio.to_thread(watch.resume, run)
        except CiError as error:
            raise HTTPException(409, str(error)) from error
    return Accepted(id=run)


def _goes_on(run: RunSummary) -> bool:
    return run.outcome is None and run.active


def watching(server: State) -> Watch:
    """What starts runs. Raises 503 where nothing is watched."""
    if server.watch is None or server.watch.done:
        raise HTTPException(503, "the server does not watch: it only shows")
    return server.watch
