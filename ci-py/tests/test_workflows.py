"""Workflows in and out of their forms, and those of vendors."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

import ci_core
from ci_core import InvalidWorkflow, SpecError, Workflow, WorkflowSpec

FORM = {
    "version": 1,
    "name": "ci",
    "timeout": "1h",
    "jobs": {
        "build": {"image": "alpine", "env": {"A": "b"}, "steps": ["checkout", {"run": "make"}]},
        "test": {"needs": ["build"], "steps": [{"run": ["make", "test"]}]},
    },
}


def test_the_builder_makes_the_form() -> None:
    workflow = Workflow("ci", timeout=timedelta(hours=1))
    workflow.job("build", {"checkout": None}, "make", image="alpine", env={"A": "b"})
    workflow.job("test", ["make", "test"], needs="build")
    assert workflow.build() == WorkflowSpec.from_dict(FORM)
    assert workflow.build().jobs == ("build", "test")
    with pytest.raises(ValueError, match="more than once"):
        workflow.job("test", "again")


def test_dict_json_yaml_and_files_are_the_same(tmp_path: Path) -> None:
    spec = WorkflowSpec.from_dict(FORM)
    assert WorkflowSpec.from_dict(spec.to_dict()) == spec
    assert WorkflowSpec.from_json(spec.to_json()) == spec
    assert WorkflowSpec.from_yaml(spec.to_yaml()) == spec
    for name, text in (("w.json", json.dumps(FORM)), ("w.yml", spec.to_yaml())):
        (tmp_path / name).write_text(text)
        assert WorkflowSpec.from_file(tmp_path / name) == spec
    assert spec != WorkflowSpec.from_dict({**FORM, "name": "other"})
    assert repr(spec) == "<WorkflowSpec 'ci': 2 jobs>"
    with pytest.raises(AttributeError):
        spec.name = "x"  # type: ignore[misc]


def test_what_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "w.yml"
    file.write_text("version: 1\nname: ci\njobs:\n  a:\n    stepz: []\n")
    with pytest.raises(SpecError) as caught:
        WorkflowSpec.from_file(file)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ci_core.CiError)
    assert (caught.value.path, caught.value.line) == (file, 5)
    assert caught.value.hints == ("did you mean `steps`?",)
    with pytest.raises(SpecError):
        WorkflowSpec.from_file(tmp_path / "missing.yml")


def test_all_problems_come_at_once() -> None:
    workflow = Workflow("w").job("a", "true", needs=["b"]).job("b", "true", needs=["a", "c"])
    with pytest.raises(InvalidWorkflow) as caught:
        workflow.run()
    assert "`b` needs `c`, which is no job" in " ".join(caught.value.problems)


def test_plans_and_pictures() -> None:
    spec = Workflow("w").job("a", "true", parallelism=2).job("b", "true", needs="a").build()
    plan = spec.plan(branch="main")
    assert len(plan) == 3
    assert "b" in plan
    assert spec.draw("dot").startswith("digraph")
    assert spec.draw("svg").startswith("<svg")
    with pytest.raises(ValueError, match="no language"):
        spec.draw("png")  # type: ignore[arg-type]


CIRCLECI = """\
version: 2.1
parameters:
  who: {type: string, default: world}
jobs:
  greet:
    docker: [{image: "cimg/base:stable"}]
    steps:
      - run: echo hello << pipeline.parameters.who >>
workflows:
  main:
    jobs: [greet]
"""

GITLAB = """\
stages: [test]
greet:
  stage: test
  image: alpine
  script: [echo hello from gitlab]
"""


def lines(report: ci_core.RunReport, store: ci_core.Store) -> list[str]:
    return [line.text for line in store.log(report.run) if line.stream == "stdout"]


def test_a_circleci_file_is_loaded_and_run(tmp_path: Path) -> None:
    (tmp_path / ".circleci").mkdir()
    (tmp_path / ".circleci/config.yml").write_text(CIRCLECI)
    project = ci_core.load(tmp_path, parameters={"who": "ci"}, branch="main", executor="local")
    assert project.dir == tmp_path.resolve()
    assert project.facts["branch"] == "main"
    assert project.workflow.jobs == ("greet",)
    store = ci_core.Store.memory()
    report = project.run(store=store)
    assert report.is_success, report
    assert "hello ci" in lines(report, store)


def test_a_gitlab_file_is_loaded_and_run_with_its_fidelity(tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").write_text(GITLAB)
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    project = ci_core.load(tmp_path, executor="local", images={"ruby:*": "local"})
    store = ci_core.Store.memory()
    report = project.run(store=store)
    assert report.is_success, report
    assert "hello from gitlab" in lines(report, store)
    assert project.facts["branch"] == "main"
    assert any(row.key == "image: alpine" and row.why for row in project.fidelity)


def test_files_that_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="has no workflow") as caught:
        ci_core.load(tmp_path)
    assert caught.value.hints
    (tmp_path / ".gitlab-ci.yml").write_text("a: {script: 1, needs: [nothing]}\n")
    with pytest.raises(SpecError):
        ci_core.load(tmp_path)
