"""The server, the step runner and the repositories of the tests: real processes on real repositories."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
SERVER = HERE.parent / "ci_server.py"
TOKEN = "the token of the tests"
CALM = ("--crash-rate=0", "--hang-rate=0", "--drop-rate=0", "--error-rate=0", "--max-ms=0", "--verdicts=7")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--commits", type=int, default=40, help="how many commits the unstable step runner does")


def until(what: str, found: Callable[[], Any], limit: float = 60) -> Any:
    """Waits until `found` gives something, and fails when that takes too long."""
    end = time.monotonic() + limit
    while True:
        try:
            value = found()
        except httpx.TransportError:
            value = None
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {limit:g} s: {what}")
        time.sleep(0.03)


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        port: int = it.getsockname()[1]
        return port


class Repository:
    """A git repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        named = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *named, *words], cwd=self.path, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str = "a change", **files: str) -> str:
        """Commits files, `__` in whose names stands for `/` and `_dot_` for `.`; gives the commit."""
        for name, text in files.items():
            file = self.path / name.replace("__", "/").replace("_dot_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


class Server:
    """The server as a process."""

    def __init__(self, repository: Path, state: Path, *words: str) -> None:
        self.command = [sys.executable, str(SERVER), str(repository), *words, "--state", str(state)]
        self.state = state
        self.log = state.with_suffix(".log")
        self.start()

    def start(self) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        # Nothing is taken from the network when it runs: proxies would be an error.
        env = {**os.environ, "CI_SERVER_TOKEN": TOKEN, "PYTHONDONTWRITEBYTECODE": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*self.command, "--port", str(port)], stderr=log, env=env)
        self.client = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        try:
            until("the server answers", self.answers)
        except pytest.fail.Exception as error:
            pytest.fail(f"{error}\n{self.log.read_text()}")

    def answers(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"the server ended\n{self.log.read_text()}")
        return self.client.get("/healthz").status_code == 200

    def kill(self) -> None:
        """As the power goes."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.client.close()

    def stop(self) -> int:
        """As an administrator does; gives the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            self.client.close()

    def get(self, path: str, code: int = 200, **options: Any) -> Any:
        """The JSON of an answer that has this code."""
        answer = self.client.get(path, **options)
        assert answer.status_code == code, answer.text
        return answer.json()

    def post(self, path: str, code: int = 202, json: Any = None, token: str | None = TOKEN) -> Any:
        """The JSON of an answer to a request that changes something."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = self.client.post(path, json=json, headers=headers)
        assert answer.status_code == code, answer.text
        return answer.json()

    def ended(self, commit: str) -> dict[str, Any]:
        """What `GET /run/{commit}` says once the run has ended."""

        def look() -> dict[str, Any] | None:
            answer = self.client.get(f"/run/{commit}")
            told: dict[str, Any] = answer.json()
            return told if answer.status_code == 200 and told["status"] not in ("running", "pending") else None

        found: dict[str, Any] = until(f"the run of {commit} has ended", look)
        return found

    def run_of(self, commit: str) -> str:
        """The id of the latest run of a commit."""
        found = until(f"{commit} has a run", lambda: self.get("/api/v1/runs", params={"commit": commit})["data"])
        id: str = found[0]["id"]
        return id


class StepRunner:
    """The step runner as a process, started again whenever it crashes."""

    def __init__(self, log: Path, *words: str) -> None:
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        program = Path(os.environ.get("CI_STEP_RUNNER", target / "debug/step_runner"))
        if not program.is_file():
            pytest.fail(f"there is no `{program}`: cargo build -p ci-examples --bin step_runner")
        self.port, self.log, self.starts = free_port(), log, 0
        self._command, self._stopped = [str(program), *words], False
        self._guard = threading.Thread(target=self._keep_up)
        self._guard.start()
        until("the step runner answers", lambda: self.ask("lint", "x") is not None)

    @property
    def address(self) -> str:
        return f":{self.port}"

    def _keep_up(self) -> None:
        env = {**os.environ, "STEP_RUNNER_SERVER_ADDR": f"127.0.0.1:{self.port}"}
        while not self._stopped:
            self.starts += 1
            with self.log.open("ab") as log:
                process = subprocess.Popen(self._command, env=env, stderr=log)
            while process.poll() is None:
                if self._stopped:
                    process.kill()
                time.sleep(0.01)

    def ask(self, step: str, commit: str) -> Any:
        """How a step ends on a commit; None if it does not say."""
        asked = {"step_name": step, "repo_path": "/repo", "commit_hash": commit}
        try:
            url = f"http://127.0.0.1:{self.port}/step/trigger"
            answer = httpx.post(url, json=asked, timeout=5, trust_env=False)
        except httpx.TransportError:
            return None
        return answer.json()["status"] if answer.status_code == 200 else None

    def stop(self) -> None:
        self._stopped = True
        self._guard.join()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "project")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, which end with the test."""
    servers: list[Server] = []

    def start(repository: Repository, *words: str, state: str = "state") -> Server:
        servers.append(Server(repository.path, tmp_path / state, *words))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture
def step_runner(tmp_path: Path) -> Iterator[Callable[..., StepRunner]]:
    """Starts step runners, which end with the test."""
    runners: list[StepRunner] = []

    def start(*words: str) -> StepRunner:
        runners.append(StepRunner(tmp_path / f"runner-{len(runners)}.log", *words))
        return runners[-1]

    yield start
    for runner in runners:
        runner.stop()
