"""The latest run of each commit, kept at hand so that listing thousands of them costs nothing."""

from __future__ import annotations

import bisect
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ci_core import NotFound, RunSummary, Store

from . import status

PART = 100
"""How many runs are read at once."""
TRUST = 0.02
"""For how many seconds nobody asks the store whether it has changed: asking means waiting for a thread."""
STALE = 1.0
"""After how many seconds runs that go on are looked at again: that a process died changes no store."""


@dataclass
class Listing:
    """What is known at a version of the store. Never changed once it is given out."""

    runs: dict[str, RunSummary] = field(default_factory=dict)
    """All runs by their ids."""
    latest: dict[str, RunSummary] = field(default_factory=dict)
    """The latest run of each commit, newest first."""
    entries: list[bytes] = field(default_factory=list)
    """What `GET /runs` says of each."""
    hashes: list[str] = field(default_factory=list)
    """The commits in order."""
    body: bytes = b'{"total":0,"data":[]}'
    """What `GET /runs` says."""
    etag: str = ""
    """Names the body."""

    def matching(self, prefix: str) -> list[str]:
        """The commits that begin so; of many, the first two."""
        start = bisect.bisect_left(self.hashes, prefix)
        return [it for it in self.hashes[start : start + 2] if it.startswith(prefix)]

    def newest(self) -> Iterator[RunSummary]:
        """All runs, newest first."""
        return (self.runs[id] for id in sorted(self.runs, reverse=True))

    def page(self, offset: int, limit: int | None) -> bytes:
        """A part of what `GET /runs` says."""
        end = None if limit is None else offset + limit
        return _body(len(self.entries), self.entries[offset:end])


class Index:
    """Reads the store only when it has changed, and then only what is new."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._version: int | None = None
        self._looked = 0.0
        self._goes_on = False
        self._asked = float("-inf")
        self.listing = Listing()

    def is_fresh(self) -> bool:
        """Whether the listing still says what the store says, or said a moment ago."""
        now = time.monotonic()
        if now - self._asked < TRUST:
            return True
        version = self._store.version()
        if version is None or version != self._version:
            return False
        if self._goes_on and now - self._looked >= STALE:
            return False
        self._asked = now
        return True

    def forget(self) -> None:
        """Asks the store the next time, however soon: whoever is told of a change has to see it."""
        self._asked = float("-inf")

    def refresh(self) -> Listing:
        """The listing as of now. Blocks."""
        with self._lock:
            if self.is_fresh():
                return self.listing
            # Before reading: what changes meanwhile is found the next time.
            version, looked = self._store.version(), time.monotonic()
            runs = self._read(self.listing.runs)
            if runs is not self.listing.runs:
                self.listing = _listing(runs, self.listing)
            self._goes_on = any(run.outcome is None for run in runs.values())
            self._version, self._looked = version, looked
            return self.listing

    def _read(self, known: dict[str, RunSummary]) -> dict[str, RunSummary]:
        """All runs: what ended does not change, so only newer ones and those that go on are read. The same
        object if nothing is new."""
        open_ones = {id for id, run in known.items() if run.outcome in (None, "on_hold", "interrupted")}
        found: dict[str, RunSummary] = {}
        offset = 0
        while True:
            page = self._store.runs(offset=offset, limit=PART)
            found.update((run.id, run) for run in page)
            offset += len(page)
            if not page.runs or offset >= page.total or all(run.id in known for run in page):
                break
        # One that has been on hold for months is not looked for among all that came after it.
        for id in open_ones - found.keys():
            try:
                found[id] = self._store.load(id).summary
            except NotFound:
                pass  # It was removed, as the number of runs will say.
        changed = {id: run for id, run in found.items() if known.get(id) != run}
        runs = {**known, **changed} if changed else known
        if len(runs) != page.total:
            # Old runs were removed, or some came while this was reading.
            page = self._store.runs()
            runs = {run.id: run for run in page}
        return runs


def _listing(runs: dict[str, RunSummary], before: Listing) -> Listing:
    latest: dict[str, RunSummary] = {}
    entries = []
    known = {run.id: (run, entry) for run, entry in zip(before.latest.values(), before.entries)}
    for id in sorted(runs, reverse=True):
        run = runs[id]
        if run.revision is None or run.revision in latest:
            continue
        latest[run.revision] = run
        had = known.get(id)
        entries.append(had[1] if had is not None and had[0] is run else entry(run.revision, run))
    body = _body(len(entries), entries)
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    return Listing(runs, latest, entries, sorted(latest), body, etag)


def entry(asked: str, run: RunSummary) -> bytes:
    """What `GET /runs` and `GET /run` say of a run; `asked` is how its commit was called."""
    told: dict[str, object] = {"id": asked, "status": status.of_run(run)}
    if told["status"] == "failure":
        told["failed_steps"] = status.failed_steps(run)
    return json.dumps(told, separators=(",", ":")).encode()


def _body(total: int, entries: list[bytes]) -> bytes:
    return b'{"total":%d,"data":[%s]}' % (total, b",".join(entries))
