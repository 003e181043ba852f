"""How fast `/runs` answers with many runs stored, beside a handler of FastAPI that does nothing.

    python bench/load.py [--runs 10000] [--rate 500] [--seconds 10] [--state DIR]

Stores the runs, starts both servers, and asks each so many times a second over connections that are
kept. The clients are processes of their own; how late an answer is counts from when its question was
due, so that a server that stands still is not asked less. Ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from ci_core import Store, WorkflowSpec

HERE = Path(__file__).resolve().parent
BARE = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()

@app.get("/runs")
async def runs(limit: int | None = None):
    return {"total": 0, "data": []}

uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, timeout_keep_alive=75)
"""


def fill(path: Path, count: int) -> None:
    """Stores runs until there are so many, each of its own commit; every tenth failed."""
    store = Store(path)
    there = store.runs(limit=0).total
    good = spec(["true", "true", "true"])
    bad = spec(["true", "false", "false"])
    began = time.monotonic()
    for number in range(there, count):
        commit = hashlib.sha1(str(number).encode()).hexdigest()
        facts = {"revision": commit, "branch": "main"}
        (bad if number % 10 == 0 else good).run(store=store, facts=facts, steps=STEPS)
    took = time.monotonic() - began
    print(f"{count - there} runs stored in {took:.0f} s", file=sys.stderr)


def nothing(ctx: object) -> None:
    """A step that succeeds."""


def no(ctx: object) -> None:
    """A step that fails."""
    raise ValueError("no")


STEPS = {"true": nothing, "false": no}


def spec(steps: list[str]) -> WorkflowSpec:
    """A workflow as the step runner's is, without a step runner."""
    jobs = {name: {"steps": [{"use": step}]} for name, step in zip(("lint", "build", "test"), steps)}
    return WorkflowSpec.from_dict({"version": 1, "name": "step-runner", "jobs": jobs})


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        port: int = it.getsockname()[1]
        return port


class Connection(asyncio.BufferedProtocol):
    """A connection that is kept. What comes is counted and thrown away: the client shall cost little."""

    def __init__(self) -> None:
        self.space = bytearray(1 << 18)
        self.head = b""
        self.size = self.left = 0
        self.answered: asyncio.Future[int] | None = None
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.space

    def buffer_updated(self, count: int) -> None:
        if self.left:
            self.left -= count
        else:
            self.head += self.space[:count]
            head, found, body = self.head.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 200"), head
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            self.size = int(length.split(b":")[1])
            self.left, self.head = self.size - len(body), b""
        if not self.left and self.answered is not None:
            self.answered.set_result(self.size)

    def connection_lost(self, error: Exception | None) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_exception(error or ConnectionError("the server closed the connection"))

    async def ask(self, request: bytes) -> int:
        """Sends a request; gives the size of the answer."""
        assert self.transport is not None
        self.answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answered


async def ask(port: int, path: str, rate: float, seconds: float) -> tuple[list[float], int]:
    """Asks at a rate; gives how late each answer was, in seconds, and the bytes of the last one."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    idle: list[Connection] = []
    late: list[float] = []
    size = 0

    async def one(due: float) -> None:
        nonlocal size
        connection = idle.pop() if idle else (await loop.create_connection(Connection, "127.0.0.1", port))[1]
        size = await connection.ask(request)
        late.append(loop.time() - due)
        idle.append(connection)

    start = loop.time() + 0.1
    tasks = []
    for number in range(int(rate * seconds)):
        due = start + number / rate
        await asyncio.sleep(due - loop.time())
        tasks.append(asyncio.ensure_future(one(due)))
    await asyncio.gather(*tasks)
    return late, size


def measured(port: int, path: str, rate: float, seconds: float) -> tuple[list[float], int]:
    """Asks from another process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(client, (port, path, rate, seconds))


def client(port: int, path: str, rate: float, seconds: float) -> tuple[list[float], int]:
    """What the other process does: first a little, to be warm."""
    asyncio.run(ask(port, path, min(rate, 50), 1))
    return asyncio.run(ask(port, path, rate, seconds))


def row(name: str, rate: float, result: tuple[list[float], int]) -> None:
    """A line of the table."""
    late, size = result
    parts = statistics.quantiles(late, n=100)
    figures = " | ".join(f"{1000 * it:.1f} ms" for it in (parts[49], parts[98], max(late)))
    print(f"| {name} | {rate:g}/s | {size:,} B | {figures} |", flush=True)


def wait(port: int) -> None:
    """Waits until a server answers."""
    for _ in range(600):
        try:
            httpx.get(f"http://127.0.0.1:{port}/runs?limit=1", trust_env=False)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit("the server does not answer")


def main() -> None:
    """Measures everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--state", type=Path, help="keeps the runs there, and takes those that are there already")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as dir:
        state: Path = args.state or Path(dir) / "state"
        state.mkdir(exist_ok=True)
        fill(state / "runs.db", args.runs)
        repository = Path(dir) / "repository"
        subprocess.run(["git", "init", "-q", str(repository)], check=True)
        ours, bare = free_port(), free_port()
        env = {**os.environ, "CI_SERVER_TOKEN": "none"}
        server = [sys.executable, str(HERE.parent / "ci_server.py"), str(repository), "--state", str(state)]
        processes = [
            subprocess.Popen([*server, "--port", str(ours), "--first", "nothing"], env=env, stderr=subprocess.DEVNULL),
            subprocess.Popen([sys.executable, "-c", BARE, str(bare)]),
        ]
        try:
            wait(ours)
            wait(bare)
            commit = hashlib.sha1(b"7").hexdigest()
            print("| handler | rate | answer | p50 | p99 | worst |\n|---|---|---|---|---|---|")
            for name, port, path in (
                ("bare FastAPI, `{\"total\":0,\"data\":[]}`", bare, "/runs"),
                ("`/runs?limit=100`", ours, "/runs?limit=100"),
                (f"`/runs`, all {args.runs:,}", ours, "/runs"),
                ("`/run/{commit}`", ours, f"/run/{commit}"),
            ):
                row(name, args.rate, measured(port, path, args.rate, args.seconds))
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


if __name__ == "__main__":
    main()
