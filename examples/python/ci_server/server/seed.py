"""The two endpoints that the step runner's users know, in exactly their shapes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field

from .index import entry
from .state import Server
from .status import Status



async def known_parameters(request: Request) -> None:
    """Refuses parameters that the endpoint does not have: a misspelt filter must not look like one that
    everything passes."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    errors = [
        {"type": "extra_forbidden", "loc": ("query", name), "msg": "there is no such parameter", "input": value}
        for name, value in request.query_params.items()
        if name not in known
    ]
    if errors:
        raise RequestValidationError(errors)


router = APIRouter(tags=["runs of commits"], dependencies=[Depends(known_parameters)])
LARGEST = 1_000_000_000
"""Larger numbers of runs there are none."""


class CommitRun(BaseModel):
    """The latest run of a commit."""

    id: str = Field(description="The commit; of a single one, as it was asked for.")
    status: Status
    failed_steps: list[str] = Field([], description="Only of a run that failed.")


class CommitRuns(BaseModel):
    """The latest run of each commit, newest first."""

    total: int
    data: list[CommitRun]


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


def problem(*codes: int) -> dict[int | str, dict[str, object]]:
    """How the documentation says that an endpoint may answer with these codes."""
    return {code: {"model": Problem} for code in codes}


@router.get("/runs", summary="Get all CI runs", response_model=CommitRuns, responses={304: {}})
async def runs(
    server: Server,
    request: Request,
    limit: Annotated[int | None, Query(ge=0, le=LARGEST, description="At most so many.")] = None,
    offset: Annotated[int, Query(ge=0, le=LARGEST, description="Passes over so many.")] = 0,
) -> Response:
    """The latest run of each commit, newest first; all of them, unless a part is asked for.

    `status` is `success`, `failure`, `running`, `pending` (it waits for a person or to be gone on with),
    `canceled`, `error` (the infrastructure broke: no verdict about the commit) or `skipped`.
    """
    listing = await server.listing()
    if limit is not None or offset:
        return Response(listing.page(offset, limit), media_type="application/json")
    headers = {"ETag": listing.etag, "Cache-Control": "no-cache"}
    if listing.etag and listing.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(listing.body, headers=headers, media_type="application/json")


@router.get(
    "/run/{commit}", summary="Get a CI run by commit", response_model=CommitRun, responses=problem(404, 409)
)
async def run(server: Server, commit: str) -> Response:
    """The latest run of a commit, by its full hash or the unique beginning of it."""
    listing = await server.listing()
    wanted = commit.lower()
    found = listing.latest.get(wanted)
    if found is None:
        if len(wanted) < 4 or not wanted.isalnum():
            raise HTTPException(404, f"`{commit}` is not the hash of a commit, nor four digits of one")
        matching = listing.matching(wanted)
        if not matching:
            raise HTTPException(404, f"no run is for the commit `{commit}`")
        if len(matching) > 1:
            raise HTTPException(409, f"`{commit}` is the beginning of several commits")
        found = listing.latest[matching[0]]
    return Response(entry(commit, found), media_type="application/json")
