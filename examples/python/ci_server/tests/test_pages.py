"""The pages, as Chromium shows them. With `CI_SERVER_PICTURES=DIR`, pictures of them are kept there."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from conftest import TOKEN, Repository, Server, until
from selenium.common.exceptions import (
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

Serve = Callable[..., Server]
Browse = Callable[..., Chrome]
T = TypeVar("T")

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


@pytest.fixture
def browse() -> Iterator[Browse]:
    """Starts browsers, which end with the test."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.fail("there is no `chromium` with its `chromedriver`")
    browsers: list[Chrome] = []

    def start(*, script: bool = True) -> Chrome:
        options = ChromeOptions()
        options.binary_location = str(programs[0])
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(word)
        # Nothing but the server is asked for anything.
        options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        options.add_argument("--window-size=1180,900")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        if not script:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        browsers.append(Chrome(options, ChromeService(str(programs[1]))))
        return browsers[-1]

    yield start
    for browser in browsers:
        browser.quit()


def find(browser: Chrome, selector: str) -> WebElement:
    """Waits for an element."""

    def look() -> WebElement | None:
        try:
            return browser.find_element(By.CSS_SELECTOR, selector)
        except NoSuchElementException:
            return None

    found: WebElement = until(f"`{selector}` is on the page", look, 30)
    return found


def on(browser: Chrome, selector: str, act: Callable[[WebElement], T]) -> T:
    """Does something with an element. The page may put a newer one in its place meanwhile."""
    end = time.monotonic() + 30
    while True:
        try:
            return act(find(browser, selector))
        except (StaleElementReferenceException, ElementNotInteractableException):
            if time.monotonic() > end:
                raise


def text(browser: Chrome, selector: str) -> str:
    """What stands in an element."""
    return on(browser, selector, lambda it: it.text)


def click(browser: Chrome, selector: str) -> None:
    """Clicks on an element."""
    on(browser, selector, lambda it: it.click())


def stroke(browser: Chrome, selector: str) -> str:
    """The colour of a line."""
    return on(browser, selector, lambda it: it.value_of_css_property("stroke"))


def picture(browser: Chrome, name: str, tmp_path: Path) -> None:
    """Keeps a picture of the whole page."""
    height = browser.execute_script("return document.documentElement.scrollHeight")
    browser.set_window_size(1180, max(400, height + 160))
    file = Path(os.environ.get("CI_SERVER_PICTURES", tmp_path)) / f"{name}.png"
    assert browser.save_screenshot(str(file)) and file.stat().st_size > 5000
    browser.set_window_size(1180, 900)


def silent(browser: Chrome) -> None:
    """Fails for whatever the browser complains about."""
    entries = browser.get_log("browser")  # type: ignore[no-untyped-call]
    severe = [entry["message"] for entry in entries if entry["level"] == "SEVERE"]
    assert severe == []


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
    picture(log, "log", tmp_path)
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

    browser.get(server.url + "/ui/coverage")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".curve circle")) == 4
    heights = [float(it.get_attribute("cy") or "") for it in browser.find_elements(By.CSS_SELECTOR, ".curve circle")]
    assert heights == [20, 20, 20, 70], "lower is less"
    picture(browser, "coverage", tmp_path)
    browser.get(server.url + "/")
    picture(browser, "runs", tmp_path)
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
