"""The two endpoints that were promised first, in exactly their shapes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ci_core import Workflow, run
from conftest import CALM, Repository, Server, StepRunner, until

Serve = Callable[..., Server]


def test_all_three_steps_run_on_every_commit_and_the_shapes_are_exact(
    repository: Repository, serve: Serve, step_runner: Callable[..., StepRunner]
) -> None:
    runner = step_runner("--fail-rate=0.3", *CALM)
    server = serve(repository, runner.address, "--first", "everything")
    # What a step says of a commit depends on its hash: as many as it takes for one of either kind.
    failed_steps: dict[str, list[str]] = {}
    while len(failed_steps) < 8 or len({bool(failed) for failed in failed_steps.values()}) < 2:
        assert len(failed_steps) < 200
        commit = repository.commit(f"change {len(failed_steps)}", a=str(len(failed_steps)))
        failed_steps[commit] = [step for step in ("build", "lint", "test") if runner.ask(step, commit) == "failure"]
    expected = []
    for commit, failed in reversed(failed_steps.items()):
        told = server.ended(commit)
        if failed:
            assert list(told) == ["id", "status", "failed_steps"]
            assert told["id"] == commit and told["status"] == "failure"
            assert sorted(told["failed_steps"]) == failed
        else:
            assert told == {"id": commit, "status": "success"}
        expected.append(told)
        jobs = server.get(f"/api/v1/runs/{server.run_of(commit)}")["jobs"]
        assert [job["name"] for job in jobs] == ["lint", "build", "test"]
        assert all(job["finished"] for job in jobs), "every step runs, whatever the others do"
    listed = server.get("/runs")
    total = len(expected)
    assert listed == {"total": total, "data": expected}, "newest first, and no other keys"
    assert server.get("/runs", params={"limit": 3}) == {"total": total, "data": expected[:3]}
    assert server.get("/runs", params={"limit": 3, "offset": 6}) == {"total": total, "data": expected[6:9]}
    assert server.get("/runs", params={"offset": 7}) == {"total": total, "data": expected[7:]}
    assert server.get("/runs", params={"limit": -1}, code=422)
    etag = server.client.get("/runs").headers["etag"]
    again = server.client.get("/runs", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


COMMITS = {"success": "a" * 40, "failure": "abcd" + "1" * 36, "skipped": "abcd" + "2" * 36}


@pytest.fixture
def shown(repository: Repository, serve: Serve, tmp_path: Path) -> Server:
    """A server on a store with a few runs, which watches nothing."""
    store = tmp_path / "state/runs.db"
    store.parent.mkdir()
    ends = {"success": "true", "failure": "false"}
    for status, commit in COMMITS.items():
        facts = {"revision": commit, "branch": "main"}
        workflow = Workflow("w").job("first", ends.get(status, "true")).job("last", "true", needs=["first"])
        if status == "skipped":
            workflow = Workflow("w").job("only", "true", when={"branch": {"is": "other"}})
        run(workflow, store=store, facts=facts)
    return serve(repository, "--no-watch")


def test_a_commit_is_found_by_a_unique_beginning_of_its_hash(shown: Server) -> None:
    commit = COMMITS["failure"]
    for asked in (commit, commit[:5], commit[:20], commit[:7].upper()):
        told = shown.get(f"/run/{asked}")
        assert told == {"id": asked, "status": "failure", "failed_steps": ["first"]}, "as it was asked for"
    assert "several" in shown.get("/run/abcd", code=409)["detail"]
    assert "no run" in shown.get("/run/abcd3", code=404)["detail"]
    assert "no run" in shown.get("/run/" + "f" * 40, code=404)["detail"]
    for wrong in ("abc", "HEAD~1", "%2e%2e", "main", "aaaa%00"):
        shown.get(f"/run/{wrong}", code=404)


def test_the_latest_run_of_a_commit_counts(shown: Server, tmp_path: Path) -> None:
    commit = COMMITS["failure"]
    assert shown.get("/runs")["total"] == 3
    # Another process writes into the same store.
    run(Workflow("w").job("first", "true"), store=tmp_path / "state/runs.db", facts={"revision": commit})
    until("it is seen", lambda: shown.get(f"/run/{commit}") == {"id": commit, "status": "success"})
    listed = shown.get("/runs")
    assert listed["total"] == 3
    assert listed["data"][0] == {"id": commit, "status": "success"}, "the newest run comes first"


def test_an_outage_is_an_error_and_no_failure(repository: Repository, serve: Serve) -> None:
    commit = repository.commit()
    server = serve(repository, "127.0.0.1:1", "--budget", "0.5")
    assert server.ended(commit) == {"id": commit, "status": "error"}
