"""The listing: it says what the store says, and is made again only when that is something new."""

from __future__ import annotations

from pathlib import Path

import ci_core
from ci_core import Store, Workflow

from server.index import PART, Index


def fresh(index: Index) -> object:
    index.forget()
    return index.refresh()


def test_a_run_that_waits_is_followed_behind_many_newer_ones(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.db")
    waits = Workflow("w").job("ship", lambda: None, manual={"prompt": "ok?"})
    held = waits.run(store=store, hold="finish", facts={"revision": "a" * 40})
    for number in range(PART + 5):
        Workflow("w").job("a").run(store=store, facts={"revision": f"{number:040}"})

    index = Index(store)
    before = index.refresh()
    assert len(before.runs) == PART + 6
    assert before.runs[held.run].outcome == "on_hold"
    assert fresh(index) is before

    store.approve(held.run, "ship")
    assert ci_core.resume(held.run, store, steps=waits.steps).wait().is_success
    after = fresh(index)
    assert after is not before and index.listing.runs[held.run].outcome == "success"
    assert fresh(index) is after
