"""Workflows: built in Python, read from files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

from . import _native
from ._native import Spec
from ._step import StepLike, name_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._run import Options, Run
    from ._report import RunReport

PathLike = Union[str, "os.PathLike[str]"]
StepGiven = Union[str, Sequence[str], Mapping[str, Any], StepLike, Any]
"""A script, a program with its arguments, a step as the form has it, or a step in Python."""


class WorkflowSpec:
    """A workflow as data, immutable: read with `from_dict`, `from_json`, `from_yaml`, `from_file`."""

    __slots__ = ("_native",)
    _native: Spec

    def __init__(self, native: Spec) -> None:
        object.__setattr__(self, "_native", native)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a workflow does not change: `{name}`")

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> WorkflowSpec:
        """Reads the form as `to_dict` gives it. `timedelta` may stand where a duration does."""
        return cls.from_json(json.dumps(form, default=_plain))

    @classmethod
    def from_json(cls, text: str) -> WorkflowSpec:
        """Reads the JSON form."""
        return cls(Spec.from_json(text))

    @classmethod
    def from_yaml(cls, text: str) -> WorkflowSpec:
        """Reads the YAML form."""
        return cls(Spec.from_yaml(text))

    @classmethod
    def from_file(cls, path: PathLike) -> WorkflowSpec:
        """Reads a file: JSON if its name ends with `.json`, else YAML."""
        return cls(Spec.from_file(os.fspath(path)))

    def to_dict(self) -> dict[str, Any]:
        """The form as dictionaries and lists."""
        form: dict[str, Any] = json.loads(self.to_json())
        return form

    def to_json(self) -> str:
        """The JSON form."""
        return self._native.to_json()

    def to_yaml(self) -> str:
        """The YAML form."""
        return self._native.to_yaml()

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._native.name

    @property
    def jobs(self) -> tuple[str, ...]:
        """The names of its jobs, in the order given."""
        return tuple(self._native.jobs)

    def validate(self) -> None:
        """Raises `InvalidWorkflow` with every problem at once."""
        self._native.validate()

    def plan(self, **facts: Any) -> dict[str, tuple[str, ...]]:
        """The jobs of a run for these facts (`branch`, `tag`, …), each with what it needs."""
        jobs = self._native.plan(json.dumps(facts))
        return {name: tuple(needs) for name, needs in jobs}

    def draw(self, language: Literal["dot", "mermaid", "svg"] = "mermaid", **facts: Any) -> str:
        """The jobs as a diagram."""
        return self._native.draw(language, json.dumps(facts))

    def run(self, **options: Unpack[Options]) -> RunReport:
        """Runs it to its end: see `ci_core.run`."""
        from ._run import run

        return run(self, **options)

    async def run_async(self, **options: Unpack[Options]) -> RunReport:
        """Runs it to its end: see `ci_core.run_async`."""
        from ._run import run_async

        return await run_async(self, **options)

    def start(self, *, events: bool = False, **options: Unpack[Options]) -> Run:
        """Begins a run of it: see `ci_core.start`."""
        from ._run import start

        return start(self, events=events, **options)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkflowSpec) and self._native == other._native

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        return f"<WorkflowSpec {self.name!r}: {len(self.jobs)} jobs>"

    def __reduce__(self) -> tuple[Any, ...]:
        return WorkflowSpec.from_json, (self.to_json(),)


class Workflow:
    """Builds a workflow.

    >>> workflow = Workflow("ci")
    >>> _ = workflow.job("lint", "echo linted")
    >>> _ = workflow.job("test", "echo tested", needs=["lint"])
    >>> workflow.run().outcome
    'success'

    Args:
        name: the workflow's name.
        options: what else the form has at its top, such as `env`, `timeout` or `fail_fast`.
    """

    def __init__(self, name: str, **options: Any) -> None:
        self.name = name
        self.steps: dict[str, Any] = {}
        """The steps in Python, by the names that the form has for them."""
        self._form: dict[str, Any] = {"version": 1, "name": name, **options, "jobs": {}}

    def job(
        self,
        name: str,
        *steps: StepGiven,
        needs: str | Sequence[str | Mapping[str, Any]] = (),
        **options: Any,
    ) -> Workflow:
        """Adds a job, and gives the workflow back.

        Args:
            name: its name.
            steps: what it does, in this order. A text is a script, a list a program with its
                arguments, a dictionary a step of the form; a function or an object with `run` is a
                step in Python.
            needs: the jobs that have to succeed before it starts.
            options: what else the form has for a job, such as `env`, `timeout`, `retry`, `image`,
                `matrix`, `when` or `manual`. `timedelta` may stand where a duration does.
        """
        jobs: dict[str, Any] = self._form["jobs"]
        if name in jobs:
            raise ValueError(f"the job `{name}` is defined more than once")
        if isinstance(needs, str):
            needs = [needs]
        form: dict[str, Any] = {"steps": [self._step(name, step) for step in steps], **options}
        if needs:
            form["needs"] = list(needs)
        jobs[name] = form
        return self

    def _step(self, job: str, given: StepGiven) -> dict[str, Any]:
        if isinstance(given, str):
            return {"run": given}
        if isinstance(given, Mapping):
            return dict(given)
        if isinstance(given, Sequence):
            return {"run": list(given)}
        from ._step import adapt

        # What is no step is told here and not when it runs.
        adapt(given)
        name = name_of(given)
        key = name
        count = 2
        while key in self.steps and self.steps[key] is not given:
            key = f"{name}-{count}"
            count += 1
        self.steps[key] = given
        return {"name": name, "use": key}

    def to_dict(self) -> dict[str, Any]:
        """The form as it is so far."""
        form: dict[str, Any] = json.loads(json.dumps(self._form, default=_plain))
        return form

    def build(self) -> WorkflowSpec:
        """The workflow as data; raises `InvalidWorkflow` with every problem at once."""
        spec = WorkflowSpec.from_dict(self._form)
        spec.validate()
        return spec

    def run(self, **options: Unpack[Options]) -> RunReport:
        """Runs it to its end: see `ci_core.run`."""
        from ._run import run

        return run(self, **options)

    async def run_async(self, **options: Unpack[Options]) -> RunReport:
        """Runs it to its end: see `ci_core.run_async`."""
        from ._run import run_async

        return await run_async(self, **options)

    def start(self, *, events: bool = False, **options: Unpack[Options]) -> Run:
        """Begins a run of it: see `ci_core.start`."""
        from ._run import start

        return start(self, events=events, **options)

    def __repr__(self) -> str:
        return f"<Workflow {self.name!r}: {len(self._form['jobs'])} jobs>"


def _plain(value: object) -> object:
    """What JSON has not, as the form writes it."""
    if isinstance(value, timedelta):
        return f"{round(value.total_seconds() * 1000)}ms"
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a workflow has no `{type(value).__name__}`: {value!r}")


@dataclass(frozen=True)
class FidelityRow:
    """A key that does not mean here what it means at the vendor's."""

    file: str
    """The file."""
    line: int
    """The line, from 1."""
    column: int
    """The column, from 1."""
    key: str
    """The key."""
    level: Literal["approximated", "ignored"]
    """How much is left of it."""
    why: str
    """Why."""
    job: str | None = None
    """The job it belongs to, where that is told."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: `{self.key}` is {self.level}: {self.why}"


@dataclass(frozen=True)
class Project:
    """A project's workflow with what a run of it is for, opened by `load`."""

    workflow: WorkflowSpec
    """The workflow."""
    facts: dict[str, Any]
    """What a run of it is for."""
    dir: Path
    """The project's directory."""
    fidelity: tuple[FidelityRow, ...]
    """What is not the same here as on the vendor's machines."""
    skipped: dict[str, str]
    """The jobs of the file that do not run, and why."""

    def run(self, **options: Unpack[Options]) -> RunReport:
        """Runs the workflow in the project's directory: see `ci_core.run`."""
        from ._run import run

        return run(self, **options)

    async def run_async(self, **options: Unpack[Options]) -> RunReport:
        """Runs the workflow in the project's directory: see `ci_core.run_async`."""
        from ._run import run_async

        return await run_async(self, **options)


def load(
    path: PathLike = ".",
    *,
    config: PathLike | None = None,
    workflow: str | None = None,
    parameters: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    orbs: Sequence[PathLike] = (),
    event: Literal["push", "schedule", "api"] = "push",
    branch: str | None = None,
    tag: str | None = None,
    revision: str | None = None,
    base: str | None = None,
    executor: str | None = None,
    images: Mapping[str, str] | None = None,
    stub_missing: bool = False,
) -> Project:
    """Reads a project's workflow: the engine's own form, a CircleCI or a GitLab CI file.

    Raises `SpecError` for what cannot be read or understood. What is understood but cannot be the same
    here stands in `Project.fidelity`.

    Args:
        path: a file, or a directory with `.ci/workflow.yml`, `.circleci/config.yml` or
            `.gitlab-ci.yml` in it.
        config: the file to use, where the directory has several.
        workflow: only this workflow of the file.
        parameters: arguments of the pipeline's parameters.
        variables: variables of the run.
        orbs: directories of published orbs.
        event: what started the pipeline.
        branch: the branch the run is for; by default the one checked out.
        tag: the tag the run is for.
        revision: the commit the run is for; by default the one checked out.
        base: the revision to compare with to find the changed paths.
        executor: where jobs run for which nothing else decides it: `auto` (the default for a vendor's
            file: in images where a Docker Engine answers, in the local shell where not), `local`,
            `docker`, or an executor of the settings.
        images: other images to use instead of some; `*` and `?` are wildcards, `local` is no image.
        stub_missing: go on without includes that are not on this machine.
    """
    words = [os.fspath(path), "--event", event]
    for option, value in (
        ("--config", config),
        ("--workflow", workflow),
        ("--branch", branch),
        ("--tag", tag),
        ("--revision", revision),
        ("--base", base),
        ("--executor", executor),
    ):
        if value is not None:
            words.append(f"{option}={os.fspath(value)}")
    words += [f"--param={name}={value}" for name, value in (parameters or {}).items()]
    words += [f"--var={name}={value}" for name, value in (variables or {}).items()]
    words += [f"--image={image}={other}" for image, other in (images or {}).items()]
    words += [f"--orbs={os.fspath(orb)}" for orb in orbs]
    if stub_missing:
        words.append("--stub-missing")
    opened = _native.load(words)
    return Project(
        workflow=WorkflowSpec(opened["workflow"]),
        facts=opened["facts"],
        dir=Path(opened["dir"]),
        fidelity=tuple(FidelityRow(**row) for row in opened["fidelity"]),
        skipped=dict(opened["skipped"]),
    )
