"""Test reports, coverage and test splitting: plain functions on paths, bytes and open files.

>>> report = read_tests(b'<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>')
>>> report.counts["failed"], [case.name for case in report.failed()]
(1, ['b'])
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Union

from . import _native
from ._native import TestCase, TestCases, TestReport
from ._workflow import PathLike

if TYPE_CHECKING:
    from ._store import KeptTest, Store

__all__ = [
    "Coverage",
    "FileCoverage",
    "FlakyTest",
    "History",
    "Ratio",
    "Split",
    "TestCase",
    "TestCases",
    "TestReport",
    "Verdict",
    "flaky_tests",
    "iter_tests",
    "read_coverage",
    "read_tests",
    "rerun_arguments",
    "split",
]


class Readable(Protocol):
    """An open file, or what can be read like one."""

    def read(self, size: int, /) -> bytes | str:
        """At most so many bytes or characters; nothing at the end."""
        ...


Source = Union[PathLike, bytes, Readable]
"""A path, bytes, or an open file."""


def read_tests(source: Source) -> TestReport:
    """Reads a test report as a whole, in any of the formats the engine knows; which one is known from
    the content. Damage is no error: see `TestReport.diagnostics`."""
    return _native.read_tests(source)


def iter_tests(source: Source) -> TestCases:
    """Reads a test report test by test: memory is bounded, whatever the size of the report."""
    return _native.iter_tests(source)


@dataclass(frozen=True)
class Ratio:
    """How many of how many."""

    covered: int
    """Those that were run."""
    total: int
    """All of them."""

    @property
    def percent(self) -> float:
        """The share in percent; 100 of nothing."""
        return 100.0 * self.covered / self.total if self.total else 100.0


@dataclass(frozen=True)
class Totals:
    """Sums of coverage."""

    lines: Ratio
    branches: Ratio
    functions: Ratio


@dataclass(frozen=True)
class FileCoverage:
    """Coverage of a file."""

    path: str
    """The file."""
    totals: Totals
    """Its sums."""
    hits: dict[int, int | None]
    """How often each line was run; None where a report only says that it was."""
    missed: tuple[int, ...]
    """The lines that were not run."""


@dataclass(frozen=True)
class Verdict:
    """Whether coverage is enough."""

    passed: bool
    """Whether all limits hold."""
    text: str
    """Each limit with what is there, for people."""

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return self.text


class Coverage:
    """Coverage of any number of files, immutable. `a | b` merges reports of shards, in any order. Two are
    equal if they are as LCOV, which is also what is pickled."""

    __slots__ = ("_native", "diagnostics", "format")

    def __init__(
        self,
        native: _native.Coverage | None = None,
        format: str | None = None,
        diagnostics: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._native = _native.Coverage() if native is None else native
        self.format = format
        """The format of the report that it was read from."""
        self.diagnostics = tuple(diagnostics)
        """What was wrong with that."""

    @property
    def totals(self) -> Totals:
        """Sums of all files."""
        lines, branches, functions = self._native.totals()
        return Totals(Ratio(*lines), Ratio(*branches), Ratio(*functions))

    @property
    def files(self) -> tuple[str, ...]:
        """The paths of the files."""
        return tuple(self._native.files)

    def file(self, path: str) -> FileCoverage:
        """A file; `KeyError` if it is not there."""
        told = self._native.file(path)
        totals = (Ratio(*told[name]) for name in ("lines", "branches", "functions"))
        return FileCoverage(path, Totals(*totals), dict(told["hits"]), tuple(told["missed"]))

    def merge(self, other: Coverage) -> Coverage:
        """The coverage of both."""
        return Coverage(self._native.merge(other._native))

    def __or__(self, other: Coverage) -> Coverage:
        return self.merge(other)

    def check(
        self,
        *,
        lines: float | None = None,
        branches: float | None = None,
        functions: float | None = None,
        file_lines: float | None = None,
        file_branches: float | None = None,
        changed_lines: float | None = None,
        diff: str | None = None,
    ) -> Verdict:
        """Judges the coverage: each limit is the least percentage. `changed_lines` is for those that
        `diff`, the text of `git diff`, adds."""
        limits = {"lines": lines, "branches": branches, "functions": functions}
        limits |= {"file_lines": file_lines, "file_branches": file_branches}
        limits |= {"changed_lines": changed_lines}
        return Verdict(*self._native.check(limits, diff))

    def write(
        self, format: Literal["lcov", "cobertura", "json", "text", "markdown"] = "lcov"
    ) -> bytes:
        """The coverage as a report; `json`, `text` and `markdown` have the sums only."""
        return self._native.write(format)

    def __len__(self) -> int:
        return len(self._native)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Coverage) and self.write() == other.write()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._native)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.write("lcov"), self.format, self.diagnostics)


def _unpickled(lcov: bytes, format: str | None, diagnostics: Sequence[dict[str, Any]]) -> Coverage:
    native = read_coverage(lcov)._native if lcov else None
    return Coverage(native, format, diagnostics)


def read_coverage(source: Source, *more: Source) -> Coverage:
    """Reads coverage reports in any of the formats the engine knows, merged into one. Raises
    `ReportError` for bytes that are none."""
    coverage = Coverage(*_native.read_coverage(source))
    for other in more:
        coverage |= Coverage(*_native.read_coverage(other))
    return coverage


@dataclass(frozen=True)
class Split:
    """Names shared out over shards. Every name is in exactly one."""

    shards: tuple[tuple[str, ...], ...]
    """The names of each shard."""
    weights: tuple[float, ...]
    """Predicted seconds of each; with file sizes bytes, with names alone how many."""
    matched: dict[str, str]
    """Names with a known weight, and how it was found."""
    unmatched: tuple[str, ...]
    """Names of which no weight is known."""
    assumed: float
    """The weight that those got: the median of those known, or 1."""


def split(
    names: Iterable[str],
    shards: int,
    *,
    by: Literal["timings", "filesize", "name"] = "timings",
    timings: Mapping[str, float] | Sequence[PathLike] = (),
) -> Split:
    """Shares out tests over machines that run at the same time. Every machine computes the same split.

    Args:
        names: the tests: files, classes or cases.
        shards: over how many.
        by: by how long they took, by the sizes of the files, or by name alone.
        timings: seconds by name, or test reports in which they stand.
    """
    if shards < 1:
        raise ValueError(f"there are no {shards} shards")
    if isinstance(timings, Mapping):
        known = dict(timings)
    else:
        known = _native.test_times([os.fspath(file) for file in timings])
    parts, why = _native.split(list(names), shards, by, known)
    parts += [[] for _ in range(shards - len(parts))]
    weights = why["seconds"] + [0.0] * (shards - len(why["seconds"]))
    return Split(
        tuple(map(tuple, parts)),
        tuple(weights),
        why["matched"],
        tuple(why["unmatched"]),
        why["assumed"],
    )


@dataclass(frozen=True)
class FlakyTest:
    """What many runs say of one test."""

    id: str
    """`class::name`, with the suite where there is no class."""
    origin: str
    """The job."""
    suite: str
    """Its suite."""
    class_name: str
    """Its class, module or group."""
    name: str
    """Its name."""
    file: str | None
    """The file that it stands in, where it was told."""
    score: float
    """From 0, for a test that always passes or always fails, to 1, for one that contradicts itself in
    every revision."""
    runs: int
    """In how many runs it was."""
    passed: int
    """How often it passed."""
    failed: int
    """How often it failed or broke."""
    contradictions: int
    """In how many revisions it both passed and failed."""
    changes: int
    """How often it went from good to bad or back between revisions."""
    broken: bool
    """Whether it only failed in its last three revisions."""
    first_seen: int
    """When it was first seen, in milliseconds since 1970."""
    last_seen: int
    """When it was last seen."""
    last_failed: int | None
    """When it last failed, if it ever did."""

    @classmethod
    def _of(cls, told: dict[str, Any]) -> FlakyTest:
        told["class_name"] = told.pop("class")
        return cls(**told)


class History:
    """What many runs said of tests, to find those that now pass and now fail.

    >>> from ci_core.reports import History
    >>> history = History()
    >>> good = b'<testsuite><testcase classname="Net" name="timeout"/></testsuite>'
    >>> bad = good.replace(b"/>", b"><failure/></testcase>", 1)
    >>> for run, report in enumerate([good, bad, good]):
    ...     history.add(report, run=str(run), revision="c0ffee")
    >>> [(test.id, test.contradictions) for test in history.flaky()]
    [('Net::timeout', 1)]
    """

    def __init__(self) -> None:
        self._native = _native.History()

    def add(
        self,
        report: Source | TestReport,
        *,
        run: str,
        revision: str | None = None,
        time: int = 0,
        job: str = "",
    ) -> None:
        """Adds the report of a run: of which job, on which revision, and when in milliseconds since
        1970; runs without a time are ordered by their names."""
        if not isinstance(report, TestReport):
            report = read_tests(report)
        self._native.add(report, run, revision, time, job)

    def tests(self) -> list[FlakyTest]:
        """All tests, those with the highest score first."""
        return list(map(FlakyTest._of, self._native.tests()))

    def flaky(self, min_score: float = 0.01) -> list[FlakyTest]:
        """The tests whose score is at least `min_score`."""
        return [test for test in self.tests() if test.score >= min_score]

    def quarantine(self, min_score: float = 0.01) -> list[str]:
        """What a list of tests in quarantine should hold: those that are broken for good are left out,
        as hiding them would hide a bug."""
        return self._native.quarantine(min_score)


def flaky_tests(
    store: Store,
    *,
    workflow: str | None = None,
    branch: str | None = None,
    runs: int = 100,
    min_score: float = 0.01,
) -> list[FlakyTest]:
    """The flaky tests in the newest runs of a store that have tests, those with the highest score
    first."""
    tests = _native.flaky_in_store(store._native, workflow, branch, runs)
    return [test for test in map(FlakyTest._of, tests) if test.score >= min_score]


Runner = Literal["lines", "files", "pytest", "go", "jest", "cargo", "nextest", "maven", "gradle"]
"""Who is to run tests again; `lines` is anybody that takes `class::name`, `files` anybody that takes
files."""


def rerun_arguments(runner: Runner, tests: Iterable[TestCase | KeptTest]) -> list[str]:
    """What a runner of tests is given to run these again."""
    named = [(test.class_name or test.suite * (runner == "lines"), test.name, test.file) for test in tests]
    return _native.rerun_arguments(runner, named)
