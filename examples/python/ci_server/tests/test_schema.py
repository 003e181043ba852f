"""What `/openapi.json` promises is what the server does, whatever it is asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import TOKEN, Repository, Server


def test_the_server_keeps_to_its_schema(
    repository: Repository, serve: Callable[..., Server], tmp_path: Path
) -> None:
    workflow = "{version: 1, name: w, jobs: {lint: {steps: [{run: 'true'}]}, test: {steps: [{run: 'false'}]}}}"
    commit = repository.commit(_dot_ci__workflow_dot_yml=workflow)
    server = serve(repository)
    server.ended(commit)
    config = tmp_path / "schemathesis.toml"
    run = server.run_of(commit)
    # Real values, so that more is tried than what is not there. A request that fits the schema may still
    # name a commit or a parameter that the repository does not have.
    config.write_text(
        "[checks.positive_data_acceptance]\nexpected-statuses = ['2xx', 400, 401, 404, 409, 416]\n"
        f'[parameters]\nrun = "{run}"\njob = "lint"\ncommit = "{commit[:6]}"\nbranch = "main"\n'
    )
    schemathesis = Path(sys.executable).with_name("schemathesis")
    words = [str(schemathesis), "--config-file", str(config), "run", f"{server.url}/openapi.json"]
    words += ["--checks=all", "--max-examples=25", "--seed=1", "--no-color", "-H", f"Authorization: Bearer {TOKEN}"]
    # Streams end when a run does: some never.
    words += ["--exclude-path-regex", "/(events|live)$"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}{server.log.read_text()}\nended: {server.process.poll()}"
    server.get("/healthz")
