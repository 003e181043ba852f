"""What a server knew and did when it died is known and done by the next."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import CALM, Repository, Server, StepRunner, free_port, until

Serve = Callable[..., Server]
SLOW = """
version: 1
name: slow
jobs:
  before: {steps: [{run: 'echo once >> "%(dir)s/before"'}]}
  during:
    needs: [before]
    steps: [{run: 'echo begun >> "%(dir)s/during"; while [ ! -e "%(dir)s/go" ]; do sleep 0.05; done'}]
  after: {needs: [during], steps: [{run: "echo at last"}]}
"""


def test_a_run_goes_on_after_the_server_was_killed(
    repository: Repository, serve: Serve, tmp_path: Path
) -> None:
    commit = repository.commit(_dot_ci__workflow_dot_yml=SLOW % {"dir": tmp_path})
    server = serve(repository)
    until("the job runs", (tmp_path / "during").exists)
    assert server.get(f"/run/{commit}")["status"] == "running"
    id = server.run_of(commit)
    server.kill()
    later = repository.commit("while nobody looks", note="later")
    server.start()
    begun = 3  # Once more for the first commit, and for the later one.
    until("the jobs run", lambda: (tmp_path / "during").read_text().count("begun") == begun)
    (tmp_path / "go").touch()
    assert server.ended(commit) == {"id": commit, "status": "success"}
    assert server.run_of(commit) == id, "the same run went on"
    assert (tmp_path / "before").read_text().count("once") >= 1
    assert server.ended(later) == {"id": later, "status": "success"}
    assert server.get("/api/v1/runs")["total"] == 2, "no commit ran twice"
    jobs = {job["name"]: job for job in server.get(f"/api/v1/runs/{id}")["jobs"]}
    assert jobs["before"]["attempts"] == 1


def test_a_server_that_is_told_to_stop_does_so_soon_and_loses_nothing(
    repository: Repository, serve: Serve, tmp_path: Path
) -> None:
    commit = repository.commit(_dot_ci__workflow_dot_yml=SLOW % {"dir": tmp_path})
    server = serve(repository)
    until("the job runs", (tmp_path / "during").exists)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 15
    server.start()
    (tmp_path / "go").touch()
    assert server.ended(commit) == {"id": commit, "status": "success"}


def test_the_truth_comes_out_whatever_breaks(
    repository: Repository,
    serve: Serve,
    step_runner: Callable[..., StepRunner],
    pytestconfig: pytest.Config,
) -> None:
    commits: int = pytestconfig.getoption("--commits")
    kills = max(2, commits // 20)
    runner = step_runner(
        "--crash-rate=0.2", "--hang-rate=0.05", "--drop-rate=0.1", "--error-rate=0.1", "--max-ms=30", "--verdicts=7"
    )
    repository.commit("the first is not one of them")
    words = (runner.address, "--first", "nothing", "--reply-timeout", "0.4", "--runs", "6")
    server = serve(repository, *words)
    made = []
    for number in range(commits):
        made.append(repository.commit(f"change {number}", a=str(number)))
        if number % (commits // kills) == 1:
            time.sleep(number * 37 % 300 / 1000)
            server.kill()
            server.start()

    def all_ended() -> bool:
        told = server.get("/runs")
        going = [it for it in told["data"] if it["status"] in ("running", "pending")]
        return told["total"] == commits and not going

    until("every commit has a run that ended", all_ended, 60 + 3 * commits)
    assert server.get("/api/v1/runs")["total"] == commits, "no commit ran twice"
    calm = step_runner(*CALM)
    when: dict[str, list[tuple[datetime, datetime]]] = {"build": [], "test": []}
    for commit in made:
        failed = [step for step in ("lint", "build", "test") if calm.ask(step, commit) == "failure"]
        jobs = server.get(f"/api/v1/runs/{server.run_of(commit)}")["jobs"]
        said = {job["name"]: job["status"] for job in jobs}
        truth = {step: "failure" if step in failed else "success" for step in ("lint", "build", "test")}
        assert said == truth, commit
        for job in jobs:
            for step in job["steps"] if job["name"] in when else []:
                began = datetime.fromisoformat(step["started"])
                when[job["name"]].append((began, began + timedelta(seconds=step["duration"])))
    for name, times in when.items():
        times.sort()
        assert len(times) == commits
        beside = [(one, next) for one, next in itertools.pairwise(times) if next[0] < one[1]]
        assert not beside, f"a {name} beside another"
    assert runner.starts > 1, "a step runner that never crashed shows nothing"
    served = Counter(re.findall(r"^(\w+) [0-9a-f]{40}: begins$", runner.log.read_text(), re.MULTILINE))
    assert all(served[step] >= commits for step in ("lint", "build", "test"))


class Recorder(BaseHTTPRequestHandler):
    """A step runner that refuses nothing, and notes what ran beside what."""

    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lock = threading.Lock()
    two_lints = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        found = re.search(r'"step_name":\s*"(\w+)"', body)
        assert found
        step = found[1]
        with self.lock:
            self.running[step] += 1
            self.most[step] = max(self.most[step], self.running[step])
            if self.most["lint"] > 1:
                self.two_lints.set()
        if step == "lint":
            # On a busy machine the next run may begin late.
            self.two_lints.wait(30)
        time.sleep(0.15)
        with self.lock:
            self.running[step] -= 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "success", "something": "new"}')

    def log_message(self, *_: object) -> None:
        pass


def test_builds_and_tests_run_one_at_a_time_and_lints_beside_each_other(
    repository: Repository, serve: Serve
) -> None:
    port = free_port()
    runner = ThreadingHTTPServer(("127.0.0.1", port), Recorder)
    thread = threading.Thread(target=runner.serve_forever)
    thread.start()
    try:
        commits = [repository.commit(f"change {number}") for number in range(8)]
        server = serve(repository, f":{port}", "--first", "everything", "--runs", "8")
        for commit in commits:
            assert server.ended(commit)["status"] == "success"
    finally:
        runner.shutdown()
        thread.join()
        runner.server_close()
    assert (Recorder.most["build"], Recorder.most["test"]) == (1, 1)
    assert Recorder.most["lint"] > 1
