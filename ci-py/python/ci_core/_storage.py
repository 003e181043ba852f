"""Artifacts: files that jobs kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from . import _native

if TYPE_CHECKING:
    from ._workflow import PathLike


@dataclass(frozen=True)
class Artifact:
    """A file that a job kept."""

    job: str
    """The job."""
    attempt: int
    """The attempt of the job, from 1."""
    kind: Literal["artifact", "test_results", "coverage", "metrics", "findings"]
    """What it was kept as."""
    path: str
    """Its path among the artifacts of the job, with `/` between components."""
    bytes: int
    """Its size."""
    digest: str
    """Its address, for `Storage.open`."""
    mode: int
    """The permission bits it had."""


class Storage:
    """The directory of caches, workspaces and artifacts.

    Args:
        dir: the directory; by default the user's own, which `ci` uses too.
    """

    __slots__ = ("_native",)

    def __init__(self, dir: PathLike | None = None) -> None:
        self._native = _native.Storage.open(None if dir is None else os.fspath(dir))

    @property
    def path(self) -> str:
        """The directory."""
        return os.fspath(self._native.path)

    def artifacts(self, run_id: str, job: str | None = None) -> list[Artifact]:
        """The files that the jobs of a run kept in their last attempts, by job and path."""
        return [Artifact(**told) for told in self._native.artifacts(run_id, job)]

    def open(self, artifact: Artifact | str) -> _native.ArtifactFile:
        """The content of an artifact, or of an address, as an open file. Damage shows as an error at the
        end."""
        return self._native.open_artifact(artifact if isinstance(artifact, str) else artifact.digest)

    def export(self, run_id: str, job: str, dest: PathLike) -> list[str]:
        """Copies the artifacts of a job into a directory, and gives the files that were written."""
        return [os.fspath(path) for path in self._native.export(run_id, job, os.fspath(dest))]

    def __repr__(self) -> str:
        return f"<Storage {self.path}>"
