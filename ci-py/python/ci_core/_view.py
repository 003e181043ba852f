"""A run as people look at it: what its report shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ._outcome import Kind
from ._report import BudgetReport


@dataclass(frozen=True)
class FailedJob:
    """A job that ended badly."""

    name: str
    """Its name."""
    outcome: Kind | None
    """How it ended; None if the process that drove it died."""
    reason: str | None
    """Why, where the outcome's name does not say it all."""
    allowed: bool
    """Whether its failure counts as success."""
    step: str | None
    """The step that failed, if one did."""
    lines: tuple[str, ...]
    """The step's first failing lines; where none looks like one, its last."""
    bad_tests: int
    """How many of its tests failed or broke."""

    @classmethod
    def _of(cls, told: dict[str, Any]) -> FailedJob:
        step = told["step"]
        return cls(
            told["name"],
            told["outcome"],
            (step and step["reason"]) or told["reason"],
            told["allowed"],
            step and step["name"],
            tuple(line["text"] for line in step["output"]["lines"]) if step else (),
            told["bad_tests"],
        )


@dataclass(frozen=True)
class Gate:
    """What a gate said."""

    job: str
    """The job."""
    on: Literal["coverage", "metrics", "findings"]
    """What it is on."""
    passed: bool
    """Whether it was passed."""
    message: str
    """The same in words."""


@dataclass(frozen=True)
class Metric:
    """A value that a job measured."""

    job: str
    """The job."""
    name: str
    """Its name."""
    value: float
    """The value."""
    unit: str | None
    """Its unit, where that is told."""
    median: float | None
    """The median of the earlier values, where a gate asks for them."""
    deviation: float | None
    """How far the earlier values usually lie from it."""
    change: float | None
    """How many percent the value is above the median; negative below it."""
    passed: bool | None
    """Whether it is good enough; None where no gate is on it."""

    @classmethod
    def _of(cls, told: dict[str, Any]) -> Metric:
        gate = told["gate"] or {}
        return cls(
            told["job"],
            told["name"],
            told["value"],
            told["unit"],
            gate.get("median"),
            gate.get("deviation"),
            gate.get("change"),
            gate.get("passed"),
        )


@dataclass(frozen=True)
class Finding:
    """Something that a scanner or a linter found."""

    severity: str
    """How bad it is, such as `high`."""
    rule: str
    """The rule."""
    place: str
    """The file with its line, or the package."""
    message: str
    """What it is."""
    tools: tuple[str, ...]
    """Who found it."""


@dataclass(frozen=True)
class FlakyInRun:
    """A test that passed after it had failed."""

    job: str
    """The job."""
    test: str
    """The test."""


@dataclass(frozen=True)
class FileCoverage:
    """The coverage of a file."""

    path: str
    """Its path."""
    covered: int
    """How many of its lines ran."""
    total: int
    """How many lines can run."""


@dataclass(frozen=True)
class Place:
    """Where jobs ran."""

    executor: str
    """The executor."""
    image: str | None
    """The container image."""
    machine: str | None
    """The class of machine."""
    jobs: int
    """How many jobs ran there."""


@dataclass(frozen=True)
class RunView:
    """What the report of a run shows."""

    failed: tuple[FailedJob, ...]
    """The jobs that ended badly, those first whose failure counts. The first twenty have their lines."""
    critical_path: tuple[str, ...]
    """The jobs on the path that took longest, first job first."""
    critical_duration: float
    """How many seconds the jobs on that path took together."""
    budgets: tuple[BudgetReport, ...]
    """What stages spent of their time budgets, once the run has ended."""
    gates: tuple[Gate, ...]
    """What the gates on coverage, values and findings said."""
    metrics: tuple[Metric, ...]
    """What the jobs measured."""
    findings: tuple[Finding, ...]
    """What scanners and linters found, the worst first."""
    flaky: tuple[FlakyInRun, ...]
    """The tests that passed after they had failed."""
    least_covered: tuple[FileCoverage, ...]
    """The files of which the least is covered, where their reports are at hand."""
    environment: tuple[Place, ...]
    """Where the jobs ran."""
    fidelity: tuple[str, ...]
    """What is not the same as on the machines of the vendor whose file it is."""
    told: dict[str, Any]
    """All of it, as `ci report run --format json` prints it."""

    @classmethod
    def _of(cls, told: dict[str, Any]) -> RunView:
        metrics = map(Metric._of, told["metrics"])
        findings = (Finding(**{**it, "tools": tuple(it["tools"])}) for it in told["findings"])
        places = (
            Place(it["executor"], it["image"], it["class"], it["jobs"])
            for it in told["environment"]
        )
        return cls(
            failed=tuple(map(FailedJob._of, told["failure"]["jobs"])),
            critical_path=tuple(told["critical_path"]),
            critical_duration=told["critical_duration"],
            budgets=tuple(BudgetReport(**it) for it in told["budgets"]),
            gates=tuple(Gate(**it) for it in told["gates"]),
            metrics=tuple(metrics),
            findings=tuple(findings),
            flaky=tuple(FlakyInRun(**it) for it in told["flaky"]),
            least_covered=tuple(FileCoverage(**it) for it in told["least_covered"]),
            environment=tuple(places),
            fidelity=tuple(told["fidelity"]),
            told=told,
        )
