"""A real browser for the tests: Chromium without a window, the helpers around it, and what checks pages for
people who cannot see or point."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from conftest import ROOT, until
from selenium.common.exceptions import (
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

Browse = Callable[..., Chrome]
T = TypeVar("T")
AXE = ROOT / "tests/pages/node_modules/axe-core/axe.min.js"


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


def accessible(browser: Chrome) -> None:
    """Fails for what the accessibility checker finds serious, in light and in dark."""
    if not AXE.is_file():
        pytest.fail(f"there is no `{AXE}`: npm ci in `tests/pages`")
    for scheme in ("light", "dark"):
        feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
        browser.execute_script("document.querySelectorAll('details').forEach(it => it.open = true)")
        # By the debugger: the policy of the page forbids other scripts.
        browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text()})
        words = {"expression": "axe.run(document)", "awaitPromise": True, "returnByValue": True}
        found = browser.execute_cdp_cmd("Runtime.evaluate", words)["result"]["value"]
        assert found["passes"], "something was checked"
        bad = [it for it in found["violations"] if it["impact"] in ("serious", "critical")]
        told = [f"{it['id']} ({scheme}): {it['help']}: {it['nodes'][0]['html'][:200]}" for it in bad]
        assert not told, "\n".join(told)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
