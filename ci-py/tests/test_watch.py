"""Repositories that are watched, triggers, step runners, and what a server reads from a store."""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import ci_core
from ci_core import (
    CiError,
    CommitWatcher,
    NotFound,
    SpecError,
    StepRunner,
    Storage,
    Store,
    Triggers,
    Watch,
    Workflow,
    WorkflowSpec,
)


class Repository:
    """A git repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
        done = subprocess.run(command, cwd=self.path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, job: str = "true") -> str:
        file = self.path / ".ci/workflow.yml"
        file.parent.mkdir(exist_ok=True)
        form = {"version": 1, "name": "w", "jobs": {"a": {"steps": [{"run": job}]}}}
        file.write_text(WorkflowSpec.from_dict(form).to_json())
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "project")


def until(found: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_every_commit_and_tag_is_found_once_also_after_a_restart(
    repository: Repository, tmp_path: Path
) -> None:
    commits = [repository.commit(), repository.commit()]
    store = Store(tmp_path / "runs.db")
    watcher = CommitWatcher(store, [repository.path], first="everything")
    for commit in commits:
        change = watcher.next(30)
        assert change is not None
        assert (change.commit, change.kind, change.name) == (commit, "commit", "main")
        assert change.mark == (commit == commits[-1])
        watcher.done(change)
        with pytest.raises(ValueError, match="not given out"):
            watcher.done(change)
    assert watcher.next(0) is None
    repository.git("tag", "-a", "v1", "-m", "one")
    again = CommitWatcher(store, [repository.path], first="everything")
    found = again.next(30)
    assert found is not None and (found.kind, found.name, found.mark) == ("tag", "v1", True)

    async def first() -> str:
        repository.commit()
        async for change in again:
            return change.commit
        return ""

    assert asyncio.run(first()) == repository.git("rev-parse", "HEAD")
    with pytest.raises(CiError, match="cannot be watched"):
        CommitWatcher(store, [tmp_path])
    with pytest.raises(ValueError, match="nothing to begin with"):
        CommitWatcher(store, [repository.path], first="all")  # type: ignore[arg-type]


def test_what_is_new_runs_and_a_program_asks_for_more(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit("echo hello from $CI_TRIGGER")
    store = Store(tmp_path / "runs.db")
    with Watch(repository.path, store=store, storage=tmp_path / "kept", first="tips") as watch:
        until(lambda: any(run.finished for run in store.runs()))
        (run,) = store.runs()
        assert (run.revision, run.outcome) == (commit, "success")
        asked = watch.start(branch="main")
        until(lambda: store.load(asked).summary.finished)
        assert [line.text for line in store.log(asked, "a")] == ["hello from api"]
        for wrong in ({"branch": "none"}, {"revision": "f" * 40}, {"repository": tmp_path}):
            with pytest.raises(SpecError):
                watch.start(**wrong)
        with pytest.raises(SpecError, match="NO"):
            watch.start(arguments={"NO": "1"})
        bad = repository.commit("exit 3")
        until(lambda: any(it.outcome == "failed" for it in store.runs(revision=bad)))
        (failed,) = store.runs(revision=bad)
        again = watch.rerun(failed.id)
        until(lambda: store.load(again).summary.finished)
        assert store.load(again).summary.rerun_of == failed.id
        with pytest.raises(SpecError, match="has ended"):
            watch.resume(failed.id)
        assert not watch.done
        with pytest.raises(TimeoutError):
            watch.wait(0.01)
    assert watch.done
    with pytest.raises(CiError, match="watched any more"):
        watch.start()
    with pytest.raises(CiError):
        Watch(tmp_path / "nowhere", store=store)
    with pytest.raises(ValueError, match="memory"):
        Watch(repository.path, store=Store.memory())


class Runner(BaseHTTPRequestHandler):
    """A step runner on which `test` fails."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "%s"}' % (b"failure" if b'"test"' in body else b"success"))

    def log_message(self, *_: object) -> None:
        pass


def test_a_step_runner_does_a_run(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Runner)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        runner = StepRunner(f":{server.server_port}", budget=10)
        assert runner.address == f"http://127.0.0.1:{server.server_port}"
        facts = {"repository": str(repository.path), "revision": commit}
        report = runner.workflow().run(facts=facts, store=tmp_path / "runs.db")
        ends = {job.name: job.outcome.kind for job in report.jobs}
        assert ends == {"lint": "success", "build": "success", "test": "failed"}
        again = ci_core.rerun(report.run, tmp_path / "runs.db", step_runner=runner).wait()
        assert again.outcome == "failed"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    with pytest.raises(SpecError, match="no address"):
        StepRunner("ftp://x")


def test_triggers_decide() -> None:
    form = "on: {push: {branches: [main]}}\nparameters: {N: {type: integer, default: 1}}"
    triggers = Triggers(form)
    decided = triggers.decide("push", branch="main", revision="c0ffee")
    assert decided and decided.facts is not None
    assert (decided.facts["branch"], decided.facts["variables"]["N"]) == ("main", "1")
    refused = triggers.decide("push", branch="other")
    assert not refused and "`other`" in str(refused.why)
    assert "tags" in str(triggers.decide("tag", name="v1").why)
    with pytest.raises(SpecError, match="N"):
        triggers.decide("push", branch="main", arguments={"N": "many"})
    with pytest.raises(ValueError, match="needs `branch`"):
        triggers.decide("push")
    with pytest.raises(ValueError, match="no kind of event"):
        triggers.decide("moon")
    with pytest.raises(SpecError):
        Triggers("on: {moon: true}")


JUNIT = '<testsuite><testcase classname="c" name="good"/><testcase classname="c" name="bad"><failure message="no"/></testcase></testsuite>'


def test_a_store_tells_tests_coverage_artifacts_and_logs_as_they_grow(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.db")
    steps = [
        f"echo one; mkdir out; printf '%s' '{JUNIT}' > out/junit.xml; printf 'SF:a\\nDA:1,1\\nend_of_record\\n' > out/lcov",
        {"store_test_results": {"paths": ["out/junit.xml"]}},
        {"store_coverage": {"paths": ["out/lcov"]}},
        {"store_artifacts": {"paths": ["out/junit.xml"]}},
    ]
    version = store.version()
    facts = {"branch": "main", "revision": "c0ffee"}
    workflow = Workflow("w").job("j", *steps)
    report = workflow.run(store=store, storage=tmp_path / "kept", facts=facts, project_dir=tmp_path)
    assert report.is_success, report
    assert store.version() != version, "another one after a run"
    assert store.version() == store.version()
    tests = store.tests(run=report.run)
    assert [(it.id, it.outcome, it.revision) for it in tests] == [
        ("c::good", "passed", "c0ffee"),
        ("c::bad", "failed", "c0ffee"),
    ]
    assert [it.message for it in store.failed_tests(report.run)] == ["no"]
    (kept,) = store.coverage(branch="main", runs=5)
    assert kept.totals["lines"] == {"covered": 1, "total": 1} and kept.job == "j"
    storage = Storage(tmp_path / "kept")
    file = next(it for it in storage.artifacts(report.run) if it.kind == "artifact")
    assert storage.open(file).read() == JUNIT.encode()
    assert storage.open(file).read(10) == JUNIT.encode()[:10]
    written = storage.export(report.run, "j", tmp_path / "copied")
    assert {Path(path).name for path in written} == {"junit.xml", "lcov"}
    lines = store.follow_log(report.run, "j", step=0)
    assert [line.text for line in lines.read()] == ["one"]
    assert lines.read() == [] and lines.finish() == []
    assert list(store.follow_log(report.run, "j")) == store.log(report.run, "j")
    assert store.mark("mine") is None
    assert store.set_mark("mine", "1") and not store.set_mark("mine", "2") and store.set_mark("mine", "2", old="1")
    assert store.mark("mine") == "2"
    with pytest.raises(NotFound):
        store.load("01a1fea5-66b7-749a-a627-0cf92a22665a")
    assert Store.memory().version() is None
