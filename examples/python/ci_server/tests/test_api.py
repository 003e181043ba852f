"""Everything below `/api/v1`, on a repository with a CI file of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import TOKEN, Repository, Server, until

Serve = Callable[..., Server]

WORKFLOW = r"""
version: 1
name: checks
jobs:
  lint: {steps: [{run: echo "looks fine $CI_TRIGGER $SUITE"}]}
  test:
    needs: [lint]
    steps:
      - run: |
          mkdir -p out
          printf '%s' '<testsuite name="unit"><testcase classname="net" name="connects" time="0.1"/><testcase classname="net" name="times_out" file="net.py"><failure message="expected 3 &lt;b&gt;">trace</failure></testcase></testsuite>' > out/junit.xml
          printf 'SF:a.py\nDA:1,1\nDA:2,1\nDA:3,0\nend_of_record\n' > out/lcov.info
          printf '<script>alert(1)</script>' > 'out/a page.html'
          echo "first line"; printf '\033[31mred\033[0m <b>x</b>\n' >&2
          [ -e "$ALLOWED" ]
      - {store_test_results: {paths: [out/junit.xml]}, when: always}
      - {store_coverage: {paths: [out/lcov.info]}, when: always}
      - {store_artifacts: {paths: [out]}, when: always}
  "odd / name": {steps: [{run: echo odd}]}
  deploy: {needs: [lint], manual: true, steps: [{run: echo shipped}]}
"""
TRIGGERS = """
parameters:
  SUITE: {type: enum, values: [quick, all], default: quick}
"""


@pytest.fixture
def made(repository: Repository, serve: Serve, tmp_path: Path) -> Iterator[tuple[Server, str, str]]:
    """A server with a run that ended: the server, the commit and the run."""
    workflow = WORKFLOW.replace("$ALLOWED", str(tmp_path / "allowed"))
    commit = repository.commit(_dot_ci__workflow_dot_yml=workflow, _dot_ci__triggers_dot_yml=TRIGGERS)
    server = serve(repository)
    server.ended(commit)
    yield server, commit, server.run_of(commit)


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any, str | None]]:
    """The messages of a stream of server-sent events: type, data, id."""
    kind, id = "message", None
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "id":
            id = value
        elif name == "data":
            yield kind, json.loads(value), id


def test_a_run_is_told_in_full(made: tuple[Server, str, str]) -> None:
    server, commit, run = made
    told = server.get(f"/api/v1/runs/{run}")
    assert (told["commit"], told["branch"], told["workflow"]) == (commit, "main", "checks")
    assert (told["status"], told["failed_steps"]) == ("failure", ["test"])
    jobs = {job["name"]: job for job in server.get(f"/api/v1/runs/{run}/jobs")}
    assert {name: job["status"] for name, job in jobs.items()} == {
        "lint": "success",
        "test": "failure",
        "odd / name": "success",
        "deploy": "held",
    }
    assert jobs["test"]["needs"] == ["lint"] and jobs["test"]["exit_code"] == 1
    assert [step["status"] for step in jobs["test"]["steps"]] == ["failure", "success", "success", "success"]
    timeline = server.get(f"/api/v1/runs/{run}/timeline")
    bars = {bar["name"]: bar for bar in timeline["jobs"]}
    assert 0 <= bars["lint"]["start"] <= bars["lint"]["end"] <= bars["test"]["start"] <= timeline["length"]
    graph = server.client.get(f"/api/v1/runs/{run}/graph.svg")
    assert graph.headers["content-type"] == "image/svg+xml"
    assert re.search(r'class="job is-failure" data-job="test"', graph.text)
    assert server.get("/api/v1/runs", params={"status": "success"})["total"] == 0
    assert server.get("/api/v1/runs", params={"branch": "main", "commit": commit[:6]})["total"] == 1
    server.get("/api/v1/runs/01a1fea5-66b7-749a-a627-0cf92a22665a", code=404)
    server.get("/api/v1/runs/nonsense", code=422)


def test_logs_are_read_whole_and_in_parts(made: tuple[Server, str, str]) -> None:
    server, _, run = made
    url = f"/api/v1/runs/{run}/jobs/test/log"
    whole = server.client.get(url)
    assert whole.text.splitlines()[0] == "first line" and "\x1b[31mred\x1b[0m <b>x</b>" in whole.text
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    size = len(whole.content)
    for wanted, first, end in (("0-4", 0, 5), ("6-", 6, size), ("-7", size - 7, size), (f"3-{size + 9}", 3, size)):
        answer = server.client.get(url, headers={"Range": f"bytes={wanted}"})
        assert answer.status_code == 206
        assert answer.content == whole.content[first:end]
        assert re.fullmatch(rf"bytes {first}-{end - 1}/({size}|\*)", answer.headers["content-range"])
    for wrong in (f"bytes={size}-", "bytes=-0", "bytes=-", "lines=1-2"):
        assert server.client.get(url, headers={"Range": wrong}).status_code == 416
    assert server.client.get(f"/api/v1/runs/{run}/jobs/odd / name/log").text == "odd\n"
    only = server.client.get(url, params={"step": 1}).text
    assert "2 tests" in only and "first line" not in only
    server.get(f"/api/v1/runs/{run}/jobs/none/log", code=404)


def test_reports_and_files_are_kept(made: tuple[Server, str, str]) -> None:
    server, commit, run = made
    tests = server.get(f"/api/v1/runs/{run}/tests")
    assert [(it["id"], it["outcome"]) for it in tests["data"]] == [
        ("net::connects", "passed"),
        ("net::times_out", "failed"),
    ]
    failed = server.get(f"/api/v1/runs/{run}/failed-tests")["data"]
    assert [(it["id"], it["message"], it["job"]) for it in failed] == [("net::times_out", "expected 3 <b>", "test")]
    (point,) = server.get(f"/api/v1/runs/{run}/coverage")["data"]
    assert (point["lines"], point["totals"]["lines"]) == (66.66, {"covered": 2, "total": 3})
    assert server.get("/api/v1/coverage", params={"branch": "main"})["data"][0]["commit"] == commit
    assert server.get("/api/v1/coverage", params={"branch": "other"})["total"] == 0
    files = server.get(f"/api/v1/runs/{run}/artifacts")["data"]
    page = next(it for it in files if it["path"].endswith("a page.html"))
    answer = server.client.get(page["url"])
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "application/octet-stream", "a browser does not show it"
    assert answer.headers["content-disposition"].startswith("attachment")
    server.get(page["url"] + "x", code=404)
    assert server.get("/api/v1/flaky") == []


def test_one_call_tells_what_failed_in_the_last_run_of_a_branch(made: tuple[Server, str, str]) -> None:
    server, commit, _ = made
    told = server.get("/api/v1/branches/main/last-failure", params={"lines": 3})
    assert told["run"]["commit"] == commit
    (step,) = told["steps"]
    assert (step["name"], step["exit_code"], len(step["log"])) == ("test", 1, 3)
    assert [it["id"] for it in told["tests"]] == ["net::times_out"]
    server.get("/api/v1/branches/none/such/last-failure", code=404)


def test_a_log_is_followed_while_it_grows(repository: Repository, serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "go"
    script = f'echo one; while [ ! -e "{gate}" ]; do sleep 0.05; done; echo two'
    workflow = {"version": 1, "name": "w", "jobs": {"slow": {"steps": [{"run": script}]}}}
    commit = repository.commit(_dot_ci__workflow_dot_yml=json.dumps(workflow))
    server = serve(repository)
    run = server.run_of(commit)
    url = f"/api/v1/runs/{run}/jobs/slow/log/live"
    with server.client.stream("GET", url) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        found = events(stream.iter_lines())
        kind, line, id = next(found)
        assert (kind, line["text"], line["stream"], id) == ("line", "one", "stdout", "1")
        # Only now can there be more: what came, came live.
        gate.touch()
        rest = [(kind, data.get("text") or data.get("status")) for kind, data, _ in found]
    assert rest == [("line", "two"), ("end", "success")]
    with server.client.stream("GET", url, headers={"Last-Event-ID": "1"}) as stream:
        again = [data.get("text") for _, data, _ in events(stream.iter_lines())]
    assert again == ["two", None], "who comes back gets what is missing"
    with server.client.stream("GET", f"/api/v1/runs/{run}/events") as stream:
        kinds = [kind for kind, _, _ in events(stream.iter_lines())]
    assert kinds[0] == "run_started" and kinds[-1] == "run_finished", "the stream ends with the run"


def test_a_change_of_any_run_is_told(repository: Repository, serve: Serve) -> None:
    repository.commit(_dot_ci__workflow_dot_yml="{version: 1, name: w, jobs: {a: {steps: [{run: 'true'}]}}}")
    server = serve(repository, "--first", "nothing")
    with server.client.stream("GET", "/api/v1/events") as stream:
        found = events(stream.iter_lines())
        assert next(found)[0] == "hello"
        repository.commit()
        assert next(found)[0] == "changed"


def test_what_changes_something_needs_the_token(made: tuple[Server, str, str]) -> None:
    server, _, run = made
    for path in ("/api/v1/runs", f"/api/v1/runs/{run}/rerun", f"/api/v1/runs/{run}/cancel"):
        for token in (None, "wrong", TOKEN + "x", TOKEN[:-1]):
            answer = server.post(path, code=401, json={}, token=token)
            assert "token" in answer["detail"]
    plain = httpx.post(f"{server.url}/api/v1/runs", json={}, auth=("user", TOKEN), trust_env=False)
    assert (plain.status_code, plain.headers["www-authenticate"]) == (401, "Bearer")
    assert server.get("/api/v1/runs")["total"] == 1, "nothing happened"


def test_a_run_is_started_with_parameters(made: tuple[Server, str, str], repository: Repository) -> None:
    server, commit, _ = made

    def log(run: str) -> str:
        until("it ended", lambda: server.get(f"/api/v1/runs/{run}")["finished"])
        return server.client.get(f"/api/v1/runs/{run}/jobs/lint/log").text

    started = server.post("/api/v1/runs", json={"branch": "main", "parameters": {"SUITE": "all"}})
    assert log(started["id"]) == "looks fine api all\n"
    started = server.post("/api/v1/runs", json={"commit": commit[:8]})
    assert log(started["id"]) == "looks fine api quick\n"
    assert server.run_of(commit) == started["id"], "the latest run of the commit"
    for wrong, why in (
        ({"parameters": {"SUITE": "some"}}, "quick"),
        ({"parameters": {"SUIT": "all"}}, "SUIT"),
        ({"branch": "none"}, "none"),
        ({"commit": "f" * 40}, "f" * 40),
    ):
        assert why in server.post("/api/v1/runs", code=400, json=wrong)["detail"]
    server.post("/api/v1/runs", code=422, json={"surprise": 1})


def test_a_run_is_repeated_stopped_and_approved(
    made: tuple[Server, str, str], tmp_path: Path, repository: Repository
) -> None:
    server, commit, run = made
    server.post(f"/api/v1/runs/{run}/cancel", code=409)
    (tmp_path / "allowed").touch()
    again = server.post(f"/api/v1/runs/{run}/rerun")["id"]
    assert again != run
    until("it is on hold", lambda: server.get(f"/api/v1/runs/{again}")["outcome"] == "on_hold")
    told = server.get(f"/api/v1/runs/{again}")
    jobs = {job["name"]: job for job in told["jobs"]}
    assert told["rerun_of"] == run and told["status"] == "pending"
    assert jobs["lint"]["reused"] and not jobs["test"]["reused"] and jobs["test"]["status"] == "success"
    assert server.get(f"/run/{commit}") == {"id": commit, "status": "pending"}, "it waits for a person"
    server.post(f"/api/v1/runs/{again}/jobs/none/approve", code=404)
    server.post(f"/api/v1/runs/{again}/jobs/deploy/approve", json={"by": "Ada"})
    until("it went on", lambda: server.get(f"/run/{commit}")["status"] == "success")
    assert server.client.get(f"/api/v1/runs/{again}/jobs/deploy/log").text == "shipped\n"
    server.post(f"/api/v1/runs/{again}/jobs/deploy/approve", code=409)
    whole = server.post(f"/api/v1/runs/{again}/rerun", json={"all": True})["id"]
    until("it is on hold", lambda: server.get(f"/api/v1/runs/{whole}")["outcome"] == "on_hold")
    jobs = {job["name"]: job for job in server.get(f"/api/v1/runs/{whole}/jobs")}
    assert not jobs["lint"]["reused"]
    server.post(f"/api/v1/runs/{whole}/jobs/deploy/approve", json={"approved": False})
    until("it was refused", lambda: server.get(f"/api/v1/runs/{whole}")["outcome"] not in (None, "on_hold"))
    sleep = {"version": 1, "name": "w", "jobs": {"sleep": {"steps": [{"run": "sleep 60"}]}}}
    slow = server.run_of(repository.commit(_dot_ci__workflow_dot_yml=json.dumps(sleep)))
    until("it runs", lambda: [it["status"] for it in server.get(f"/api/v1/runs/{slow}")["jobs"]] == ["running"])
    server.post(f"/api/v1/runs/{slow}/rerun", code=409)
    server.post(f"/api/v1/runs/{slow}/cancel", code=404, json={"job": "none"})
    server.post(f"/api/v1/runs/{slow}/cancel")
    until("it stopped", lambda: server.get(f"/api/v1/runs/{slow}")["status"] == "canceled")


def test_the_documentation_takes_nothing_from_the_network(made: tuple[Server, str, str]) -> None:
    server, _, _ = made
    page = server.client.get("/docs").text
    links = re.findall(r'(?:src|href)="([^"]+)"', page) + re.findall(r"url: '([^']+)'", page)
    assert len(links) >= 4 and all(re.match(r"/\w", link) for link in links), links
    for link in links:
        assert server.client.get(link).status_code == 200, link
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_health_and_figures_are_told(made: tuple[Server, str, str], serve: Serve, repository: Repository) -> None:
    server, _, _ = made
    health = server.get("/healthz")
    assert health["status"] == "ok" and health["watching"]
    figures = server.client.get("/metrics").text
    assert 'ci_server_runs{status="failure"} 1' in figures
    assert re.search(r'ci_server_requests_total\{route="/healthz",code="200"\} [1-9]', figures)
    for line in figures.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.]+', line), line
    shown = serve(repository, "--no-watch")
    assert not shown.get("/healthz")["watching"]
    assert shown.get("/runs") == server.get("/runs")
    shown.post("/api/v1/runs", code=503, json={})


def test_it_listens_on_this_machine_alone_unless_it_is_told(made: tuple[Server, str, str]) -> None:
    server, _, _ = made
    port = int(server.url.rsplit(":", 1)[1])
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    bound = {line.split()[1] for line in table if line.split()[3] == "0A"}
    assert f"0100007F:{port:04X}" in bound and f"00000000:{port:04X}" not in bound
