"""What the report of a run shows, from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ci_core import NotFound, Storage, Store, Workflow

JUNIT = '<testsuite><testcase classname="c" name="odd"><failure/></testcase><testcase classname="c" name="odd"/></testsuite>'
FOUND = [
    {"description": name, "check_name": name, "severity": severity, "fingerprint": name,
     "location": {"path": "a.py", "lines": {"begin": 3}}}
    for name, severity in (("style", "minor"), ("injection", "blocker"))
]  # fmt: skip


def test_a_run_is_seen_as_its_report_shows_it(tmp_path: Path) -> None:
    store, storage = Store(tmp_path / "runs.db"), Storage(tmp_path / "kept")
    (tmp_path / "found.json").write_text(json.dumps(FOUND))
    (tmp_path / "junit.xml").write_text(JUNIT)
    (tmp_path / "lcov").write_text("SF:a.py\nDA:1,1\nDA:2,0\nend_of_record\n")
    (tmp_path / "metrics.json").write_text('{"time": 2.5}')
    steps = [
        {"store_findings": {"paths": ["found.json"]}},
        {"store_test_results": {"paths": ["junit.xml"]}},
        {"store_coverage": {"paths": ["lcov"]}},
        {"store_metrics": {"paths": ["metrics.json"]}},
    ]
    workflow = Workflow("w").job("first", "sleep 0.1", *steps)
    workflow.job("last", "echo fine; echo 'error: <b>no</b>'; false", needs=["first"])
    report = workflow.run(store=store, storage=storage.path, project_dir=tmp_path)
    view = store.view(report.run, storage=storage)
    assert view.critical_path == ("first", "last") and view.critical_duration >= 0.1
    assert [(it.severity, it.rule, it.place) for it in view.findings] == [
        ("critical", "injection", "a.py:3"),
        ("low", "style", "a.py:3"),
    ]
    (value,) = view.metrics
    assert (value.job, value.name, value.value, value.passed) == ("first", "time", 2.5, None)
    assert [(it.job, it.test) for it in view.flaky] == [("first", "c::odd")]
    assert [(it.path, it.covered, it.total) for it in view.least_covered] == [("a.py", 1, 2)]
    (failed,) = view.failed
    assert (failed.name, failed.outcome, failed.reason) == ("last", "failed", "exit code 1")
    assert "error: <b>no</b>" in failed.lines
    assert [(it.executor, it.jobs) for it in view.environment] == [("local", 2)]
    assert view.gates == () and view.fidelity == ()
    assert view.told["logs"] == [] and store.view(report.run, log_bytes=1000).told["logs"]
    page = store.page(report.run, storage=storage)
    assert page.startswith("<!DOCTYPE html>") and "error: &#60;b&#62;no" in page and "<b>no" not in page
    assert "| last |" in store.page(report.run, "markdown")
    assert "error: <b>no</b>" in store.page(report.run, "text")
    with pytest.raises(ValueError, match="`pdf`"):
        store.page(report.run, "pdf")  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        store.view("00000000-0000-7000-8000-000000000000")
