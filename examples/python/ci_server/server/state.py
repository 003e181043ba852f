"""What the requests share: the store, the storage, the watching, and the listing of runs."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated

from ci_core import Storage, Store, StoredRun, Watch
from fastapi import Depends, Request

from .config import Config
from .index import Index, Listing

log = logging.getLogger("uvicorn.error")
PATIENCE = 5.0
"""How many seconds what runs has to end when the server does; then the next start goes on with it."""


class State:
    """Opened when the server starts, closed when it ends."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store = Store(config.store)
        self.storage = Storage(config.storage)
        self.index = Index(self.store)
        self.watch: Watch | None = None
        self.closing = asyncio.Event()
        self.requests: dict[tuple[str, int], int] = {}

    async def open(self) -> None:
        """Begins to watch."""
        await asyncio.to_thread(self.index.refresh)
        if self.config.watch:
            self.watch = await asyncio.to_thread(self._watch)

    def _watch(self) -> Watch:
        config = self.config
        return Watch(
            config.repository,
            store=config.store,
            storage=config.storage,
            step_runner=config.step_runner,
            reply_timeout=config.reply_timeout,
            budget=config.budget,
            first=config.first,
            runs=config.runs,
            poll=config.poll,
        )

    async def close(self) -> None:
        """Begins nothing new, and gives what runs a little time."""
        self.closing.set()
        if self.watch is None:
            return
        self.watch.stop()
        try:
            await asyncio.to_thread(self.watch.wait, PATIENCE)
        except TimeoutError:
            log.info("some runs go on; the next start goes on with them")

    async def listing(self) -> Listing:
        """All runs, as of now."""
        if self.index.is_fresh():
            return self.index.listing
        return await asyncio.to_thread(self.index.refresh)

    async def run(self, run_id: str) -> StoredRun:
        """A run with its events."""
        return await asyncio.to_thread(self.store.load, run_id)


async def state(request: Request) -> State:
    """The state of the server that a request came to. Asynchronous, as what is not has a thread to wait for."""
    found: State = request.app.state.server
    return found


Server = Annotated[State, Depends(state)]
