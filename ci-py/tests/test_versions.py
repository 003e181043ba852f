"""Versions, and tests that now pass and now fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_core import Store, Workflow, versions
from ci_core.reports import History, flaky_tests, iter_tests, read_tests, rerun_arguments

GOOD = b'<testsuite><testcase classname="net.Client" name="waits" file="net/test_client.py"/></testsuite>'
BAD = GOOD.replace(b"/></testsuite>", b"><failure/></testcase></testsuite>")


def test_versions_are_compared_sorted_and_chosen() -> None:
    assert versions.compare("v1.2", "1.2.0") == 0
    assert versions.compare("1.8.7alpha", "1.8.7") == -1
    assert versions.compare("1.8.7alpha", "1.8.7", order="sort-v") == 1
    assert versions.sort(["1.10", "v1.9", "1.10rc1"]) == ["v1.9", "1.10rc1", "1.10"]
    assert versions.sort(["b", "a10", "a9"], order="sort-v") == ["a9", "a10", "b"]
    assert versions.highest(["latest", "1.2", "1.2.0", "0.9"]) == "1.2.0"
    assert versions.highest(["latest"]) is None
    assert versions.is_version("2024.10.1") and not versions.is_version("main")
    with pytest.raises(ValueError, match="`main` is not a version"):
        versions.compare("main", "1")
    with pytest.raises(ValueError, match="is not a version"):
        versions.sort(["1", "main"])
    with pytest.raises(ValueError, match="no order"):
        versions.sort(["1"], order="best")  # type: ignore[arg-type]


def test_latest_follows_a_newer_release() -> None:
    newer = versions.moves_latest("v1.10.0", current="1.9.0", kind="annotated")
    assert newer and newer.steps[-1][0] == "versions"
    assert not versions.moves_latest("1.8.0", current="1.9.0", git_object="tag")
    assert not versions.moves_latest("1.10.0", current="1.9.0", git_object="commit")
    assert versions.moves_latest("1.0.0", kind="annotated")
    assert versions.moves_latest("1.8.0", current="1.9.0", strategy="force")
    assert not versions.moves_latest("2.0.0", strategy="skip")


def test_flaky_tests_are_found_in_reports_and_in_stores(tmp_path: Path) -> None:
    history = History()
    for run, report in enumerate([GOOD, BAD, GOOD]):
        history.add(report, run=str(run), revision="c0ffee", time=run)
    (test,) = history.flaky()
    assert (test.id, test.passed, test.failed, test.contradictions) == ("net.Client::waits", 2, 1, 1)
    assert history.quarantine() == ["net.Client::waits"]
    assert history.flaky(min_score=1.0) == [test]
    steady = History()
    steady.add(read_tests(GOOD), run="1")
    assert steady.flaky() == [] and len(steady.tests()) == 1

    store = Store(tmp_path / "runs.db")
    for report in (GOOD, BAD):
        (tmp_path / "junit.xml").write_bytes(report)
        workflow = Workflow("w").job("j", {"store_test_results": {"paths": ["junit.xml"]}})
        workflow.run(
            store=store, storage=tmp_path / "kept", facts={"revision": "c0ffee"}, project_dir=tmp_path
        )
    (kept,) = flaky_tests(store)
    assert (kept.id, kept.origin, kept.runs) == ("net.Client::waits", "j", 2)


def test_failed_tests_are_given_to_runners() -> None:
    (case,) = iter_tests(BAD)
    assert rerun_arguments("lines", [case]) == ["net.Client::waits"]
    assert rerun_arguments("files", [case]) == ["net/test_client.py"]
    assert rerun_arguments("maven", [case]) == ["-Dtest=net.Client#waits"]
    with pytest.raises(ValueError, match="no runner"):
        rerun_arguments("make", [case])  # type: ignore[arg-type]
