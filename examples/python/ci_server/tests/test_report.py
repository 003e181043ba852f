"""What the report of a run shows is on the page of the server, in `/api/v1` and in one file to keep."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from browser import Browse, accessible, browse, find, on, picture, silent, text
from conftest import Repository, Server
from selenium.webdriver.common.by import By

Serve = Callable[..., Server]
__all__ = ["browse"]  # A fixture.

EVIL = "<script>alert(1)</script>"
WORKFLOW = r"""
version: 1
name: measured
jobs:
  build: {steps: [{run: "sleep 0.3; echo built"}]}
  aside: {steps: [{run: "echo quick"}]}
  test:
    needs: [build]
    steps:
      - run: |
          mkdir -p out
          printf '<testsuite name="unit"><testcase classname="net" name="now_and_then"><failure message="not yet"/></testcase><testcase classname="net" name="now_and_then"/></testsuite>' > out/junit.xml
          printf 'SF:src/covered.py\nDA:1,1\nend_of_record\nSF:src/hardly.py\nDA:1,1\nDA:2,0\nDA:3,0\nDA:4,0\nend_of_record\n' > out/lcov.info
      - {store_test_results: {paths: [out/junit.xml]}, when: always}
      - {store_coverage: {paths: [out/lcov.info]}, when: always}
  bench:
    needs: [build]
    steps:
      - {run: cp time.json metrics.json; cp found.json scan.json}
      - {store_metrics: {paths: [metrics.json]}}
      - {store_findings: {paths: [scan.json]}}
  deploy: {needs: [test, bench], steps: [{run: "echo shipped"}]}
"""
SETTINGS = """
version: 1
jobs:
  test: {reports: {coverage: {lines: 30}}}
  bench:
    reports:
      metrics: {base: main, values: [{name: time, regression: 10}]}
      findings: {fail_at: high}
"""


def finding(severity: str, name: str) -> dict[str, object]:
    """A finding in GitLab's form of code quality."""
    place = {"path": "src/a.py", "lines": {"begin": 3}}
    words = f"{name} is bad {EVIL}"
    return {
        "description": words, "check_name": name, "severity": severity, "fingerprint": name, "location": place
    }


def test_the_page_has_what_the_report_has(
    repository: Repository, serve: Serve, browse: Browse, tmp_path: Path
) -> None:
    server = serve(repository)
    for number, time in enumerate((100, 101, 99)):
        good = repository.commit(
            f"measured {number}",
            _dot_ci__workflow_dot_yml=WORKFLOW,
            _dot_ci__settings_dot_yml=SETTINGS,
            **{"time.json": json.dumps({"time": time, "size": 4}), "found.json": "[]"},
        )
        assert server.ended(good)["status"] == "success"
    found = [finding("minor", "style"), finding("blocker", "injection")]
    bad = repository.commit(f"slower {EVIL}", **{"time.json": '{"time": 150, "size": 4}', "found.json": json.dumps(found)})
    assert server.ended(bad) == {"id": bad, "status": "failure", "failed_steps": ["bench"]}
    run = server.run_of(bad)

    told = server.get(f"/api/v1/runs/{run}/report")
    assert told["critical_path"][0] == "build" and told["critical_duration"] >= 0.3
    values = {it["name"]: it for it in told["metrics"]}
    assert (values["time"]["value"], values["time"]["median"], values["time"]["change"]) == (150, 100, 50)
    assert (values["time"]["passed"], values["size"]["passed"]) == (False, None)
    assert [(it["severity"], it["rule"], it["place"]) for it in told["findings"]] == [
        ("critical", "injection", "src/a.py:3"),
        ("low", "style", "src/a.py:3"),
    ]
    gates = {(it["on"], it["passed"]) for it in told["gates"]}
    assert gates == {("coverage", True), ("metrics", False), ("findings", False)}
    assert [it["path"] for it in told["least_covered"]] == ["src/hardly.py"]
    assert [it["test"] for it in told["flaky"]] == ["net::now_and_then"]
    assert [(it["executor"], it["jobs"]) for it in told["environment"]] == [("local", 4)]
    assert [it["name"] for it in told["failed"]] == ["bench"]

    browser = browse()
    browser.get(f"{server.url}/ui/run/{run}")
    assert "150 is worse than 100" in text(browser, "#gates [data-on=metrics][data-passed=false]")
    assert on(browser, "#gates [data-on=findings][data-passed=false]", lambda it: it.is_displayed())
    assert on(browser, "#gates [data-on=coverage][data-passed=true]", lambda it: it.is_displayed())
    cells = [it.text for it in find(browser, "#values [data-value=time]").find_elements(By.TAG_NAME, "td")]
    assert cells[0:3] == ["time", "bench", "150"] and cells[3].startswith("100") and cells[4] == "+50.0 %"
    rows = browser.find_elements(By.CSS_SELECTOR, "#findings tbody tr")
    assert [it.get_attribute("data-severity") for it in rows] == ["critical", "low"]
    assert EVIL in rows[0].text and "injection" in rows[0].text, "as text"
    assert text(browser, "#flaky li") == "net::now_and_then test"
    assert "src/hardly.py 1 4" in text(browser, "#least-covered tbody")
    assert text(browser, "#critical").startswith("The slowest path took") and "build →" in text(browser, "#critical")
    assert on(browser, "#graph .job.is-critical[data-job=build]", lambda it: it.is_displayed())
    assert not browser.find_elements(By.CSS_SELECTOR, "#graph .job.is-critical[data-job=aside]")
    assert on(browser, "#timeline [data-job=test] rect.steps", lambda it: it.is_displayed())
    assert "4 jobs on local" in text(browser, "#environment")
    assert f"slower {EVIL}" in text(browser, "#since"), "what changed since the last success"
    assert "bench" in text(browser, "#failed h3")
    assert "flaky" in text(browser, ".jobs [data-job=test] .tests")
    assert text(browser, ".jobs [data-job=build] .tests") == ""
    picture(browser, "report", tmp_path)
    accessible(browser)
    silent(browser)

    on(browser, "#report", lambda it: it.click())
    assert "measured" in text(browser, "h1")
    for part in ("#failed", "#jobs", "#timeline", "#tests", "#coverage", "#values", "#findings", "#gates", "#logs"):
        find(browser, part)
    assert on(browser, "#search", lambda it: it.is_displayed()), "its own script may run"
    silent(browser)
    for form, media in (("markdown", "text/markdown"), ("text", "text/plain")):
        answer = server.client.get(f"/api/v1/runs/{run}/report.{form}")
        assert answer.headers["content-type"].startswith(media) and "bench" in answer.text
    server.get(f"/api/v1/runs/{run}/report.pdf", code=422)
    server.get("/api/v1/runs/00000000-0000-7000-8000-000000000000/report", code=404)


def test_a_run_that_goes_on_is_shown_as_far_as_it_is(
    repository: Repository, serve: Serve, browse: Browse, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    steps = f"[{{run: 'while [ ! -e {gate} ]; do sleep 0.05; done'}}]"
    workflow = f"{{version: 1, name: w, jobs: {{first: {{steps: [{{run: sleep 0.2}}]}}, last: {{needs: [first], steps: {steps}}}}}}}"
    server = serve(repository)
    commit = repository.commit(_dot_ci__workflow_dot_yml=workflow)
    run = server.run_of(commit)
    browser = browse()
    browser.get(f"{server.url}/ui/run/{run}")
    find(browser, "#timeline [data-job=last].is-running rect.steps")
    assert not browser.find_elements(By.CSS_SELECTOR, "#failed, #gates, #values, #findings, #flaky")
    gate.touch()
    server.ended(commit)
    find(browser, "#timeline [data-job=last].is-success rect.steps")
    find(browser, "#graph .job.is-critical[data-job=last]")
    silent(browser)
