"""The pages, as Chromium shows them. With `CI_SERVER_PICTURES=DIR`, pictures of them are kept there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from browser import Browse, accessible, browse, click, find, on, picture, silent, stroke, text
from conftest import TOKEN, Repository, Server, until
from selenium.webdriver.common.by import By

Serve = Callable[..., Server]
__all__ = ["browse"]  # A fixture.

WORKFLOW = r"""
version: 1
name: checks
jobs:
  lint: {steps: [{run: "sleep 0.4; echo looks fine"}]}
  build: {steps: [{run: "sleep 0.7; echo built"}]}
  "test (linux)":
    needs: [lint, build]
    steps:
      - run: |
          mkdir -p out
          printf '%s' '<testsuite name="unit"><testcase classname="net" name="connects"/><testcase classname="net.Client" name="times_out_after_a_second" file="net/client.py"><failure message="AssertionError: expected &lt;b&gt;1.0&lt;/b&gt;, was 3.2">trace</failure></testcase></testsuite>' > out/junit.xml
          printf 'SF:a.py\nDA:1,1\nDA:2,1\nDA:3,1\nDA:4,%s\nend_of_record\n' "$(cat covered)" > out/lcov.info
          echo "waiting <b>here</b>"
          while [ ! -e "$GATE" ]; do sleep 0.05; done
          printf '\033[31mred\033[0m at the end\n' >&2
          [ "$(cat covered)" = 1 ]
      - {store_test_results: {paths: [out/junit.xml]}, when: on_fail}
      - {store_coverage: {paths: [out/lcov.info]}, when: always}
      - {store_artifacts: {paths: [out]}, when: always}
  package: {needs: [build], steps: [{run: "sleep 0.9; echo packed"}]}
  deploy: {needs: ["test (linux)", package], steps: [{run: "sleep 0.3; echo shipped"}]}
"""


def test_a_run_is_seen_from_its_beginning_to_its_end(
    repository: Repository, serve: Serve, browse: Browse, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    workflow = WORKFLOW.replace("$GATE", str(gate))
    gate.touch()
    server = serve(repository)
    for number in range(3):
        message = f"change {number}"
        commit = repository.commit(message, _dot_ci__workflow_dot_yml=workflow, covered="1", note=message)
        assert server.ended(commit)["status"] == "success"
    browser = browse()
    browser.get(server.url + "/")
    assert len(browser.find_elements(By.CSS_SELECTOR, "table.runs tbody tr")) == 3
    gate.unlink()
    commit = repository.commit("breaks it", covered="0")
    # The list shows the new run without being loaded again.
    find(browser, "table.runs tbody tr[data-status=running]")
    run = server.run_of(commit)
    click(browser, f"tr[data-run='{run}'] a")

    job = "#graph [data-job='test (linux)']"
    find(browser, f"{job}.is-waiting, {job}.is-running")
    find(browser, f"{job}.is-running")
    find(browser, "#graph [data-job='package'].is-success")
    find(browser, "#graph [data-job='deploy'].is-waiting")
    before = stroke(browser, f"{job} rect")
    assert text(browser, "#status") == "running"
    picture(browser, "running", tmp_path)
    assert not browser.find_elements(By.CSS_SELECTOR, "#failed-tests")

    log = browse()
    log.get(f"{server.url}/ui/run/{run}/log/test%20(linux)")
    until("the log is there", lambda: "waiting <b>here</b>" in text(log, "#log"))
    assert "red" not in text(log, "#log")
    gate.touch()
    until("the log grew by itself", lambda: "red at the end" in text(log, "#log"), 20)
    assert text(log, "#log .of-stderr") == "red at the end", "no orders for a terminal"
    until("its end is told", lambda: text(log, "#status") == "failure")
    until("its steps have names", lambda: "failure" in text(log, "#log summary"))
    log.find_element(By.ID, "query").send_keys("RED AT")
    until("the lines are found", lambda: text(log, "#found") == "1 line")
    assert text(log, "#log .hit") == "red at the end"
    picture(log, "log", tmp_path)
    accessible(log)
    silent(log)

    find(browser, f"{job}.is-failure")
    until("the end is told", lambda: text(browser, "#status") == "failure")
    assert stroke(browser, f"{job} rect") != before, "in another colour"
    find(browser, "#graph [data-job='deploy'].is-skipped")
    assert "net.Client::times_out_after_a_second" in text(browser, "#failed-tests summary")
    assert "expected <b>1.0</b>" in text(browser, "#failed-tests pre"), "as text"
    assert len(browser.find_elements(By.CSS_SELECTOR, "#timeline .bar")) == 4
    failed = on(browser, "#timeline .bar.is-failure", lambda it: it.get_attribute("data-job"))
    assert failed == "test (linux)"
    assert "75.0 %" in text(browser, "#coverage")
    assert "lcov.info" in text(browser, "#artifacts")
    picture(browser, "run", tmp_path)
    accessible(browser)

    browser.get(server.url + "/ui/coverage")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".curve circle")) == 4
    heights = [float(it.get_attribute("cy") or "") for it in browser.find_elements(By.CSS_SELECTOR, ".curve circle")]
    assert heights == [20, 20, 20, 70], "lower is less"
    picture(browser, "coverage", tmp_path)
    accessible(browser)
    browser.get(server.url + "/")
    picture(browser, "runs", tmp_path)
    accessible(browser)
    silent(browser)


def test_the_list_needs_no_javascript(repository: Repository, serve: Serve, browse: Browse) -> None:
    workflow = "{version: 1, name: w, jobs: {a: {steps: [{run: '[ -e good ]'}]}}}"
    server = serve(repository)
    bad = repository.commit(_dot_ci__workflow_dot_yml=workflow)
    server.ended(bad)
    good = repository.commit("better", good="")
    server.ended(good)
    browser = browse(script=False)
    browser.get(server.url + "/")
    rows = browser.find_elements(By.CSS_SELECTOR, "table.runs tbody tr")
    shown = [(row.get_attribute("data-status"), row.find_element(By.CSS_SELECTOR, "code").text) for row in rows]
    assert shown == [("success", good[:10]), ("failure", bad[:10])]
    browser.get(server.url + "/?status=failure")
    click(browser, "table.runs a")
    assert text(browser, "#status") == "failure"
    assert on(browser, "#graph .job.is-failure", lambda it: it.is_displayed())
    assert not on(browser, ".actions", lambda it: it.is_displayed()), "what needs JavaScript is not there"
    click(browser, "table.jobs a")
    assert text(browser, "#status") == "failure"


def test_a_button_asks_for_the_token_and_repeats_a_run(
    repository: Repository, serve: Serve, browse: Browse
) -> None:
    server = serve(repository)
    commit = repository.commit(_dot_ci__workflow_dot_yml="{version: 1, name: w, jobs: {a: {steps: [{run: 'false'}]}}}")
    server.ended(commit)
    browser = browse()
    browser.get(f"{server.url}/ui/run/{server.run_of(commit)}")
    first = browser.current_url
    for token, told in (("wrong", "this needs the token of the server"), (TOKEN, None)):
        click(browser, ".actions button")
        prompt = browser.switch_to.alert
        prompt.send_keys(token)
        prompt.accept()
        if told is not None:

            def refused() -> bool:
                try:
                    return browser.switch_to.alert.text == told
                except Exception:
                    return False

            until("it is refused", refused)
            browser.switch_to.alert.accept()
            assert server.get("/api/v1/runs")["total"] == 1
    until("the new run is shown", lambda: browser.current_url != first)
    assert server.get("/api/v1/runs")["total"] == 2


def test_the_documentation_is_shown(repository: Repository, serve: Serve, browse: Browse) -> None:
    server = serve(repository, "--no-watch")
    browser = browse()
    browser.get(server.url + "/docs")
    find(browser, ".opblock-summary-path")
    paths = browser.find_elements(By.CSS_SELECTOR, ".opblock-summary-path")
    assert "/run/{commit}" in {it.get_attribute("data-path") for it in paths}
    silent(browser)
