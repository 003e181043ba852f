"""Versions as people tag them: compared, sorted, and whether `latest` follows a release.

>>> from ci_core import versions
>>> versions.sort(["v1.10", "1.9.1", "1.10.0-rc.2"])
['1.9.1', '1.10.0-rc.2', 'v1.10']
>>> versions.highest(["nightly", "1.2.0", "1.1.9"])
'1.2.0'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from . import _native

__all__ = ["LatestDecision", "compare", "highest", "is_version", "moves_latest", "sort"]

Order = Literal["semver", "sort-v"]
"""The order of semantic versioning, widened for real tags; or that of GNU `sort -V`."""


def is_version(tag: str) -> bool:
    """Whether a tag is one of a version: `1.2.3`, `v1.2`, `1.8.7alpha`, `2024.10.1`."""
    return _native.is_version(tag)


def compare(a: str, b: str, *, order: Order = "semver") -> int:
    """-1, 0 or 1 as `a` is below, equal to or above `b`. Raises `ValueError` for what is no version,
    which `sort-v` does not mind."""
    return _native.compare_versions(a, b, order)


def sort(versions: Iterable[str], *, order: Order = "semver") -> list[str]:
    """From the lowest to the highest. Raises `ValueError` for what is no version."""
    return _native.sort_versions(list(versions), order)


def highest(tags: Iterable[str], *, order: Order = "semver") -> str | None:
    """The highest of the tags that are versions; what is none does not count."""
    return _native.highest_version(list(tags), order)


@dataclass(frozen=True)
class LatestDecision:
    """Whether the tag `latest` follows a release."""

    moves: bool
    """Whether it does."""
    steps: tuple[tuple[str, str], ...]
    """What was looked at, in order, and what came of it."""

    def __bool__(self) -> bool:
        return self.moves


def moves_latest(
    tag: str,
    *,
    current: str | None = None,
    strategy: Literal["auto", "force", "skip"] = "auto",
    order: Order = "semver",
    kind: Literal["annotated", "lightweight"] | None = None,
    git_object: Literal["tag", "commit"] | None = None,
) -> LatestDecision:
    """Whether `latest` moves to the release `tag`.

    Args:
        tag: the tag of the release.
        current: the version that `latest` is now, if it is there.
        strategy: `auto` moves it for an annotated tag that is newer.
        order: what newer means.
        kind: what a person says that the tag is.
        git_object: what `git cat-file -t` says of it; without either, its name is asked.
    """
    moves, steps = _native.moves_latest(tag, current, strategy, order, kind, git_object)
    return LatestDecision(moves, tuple(steps))
