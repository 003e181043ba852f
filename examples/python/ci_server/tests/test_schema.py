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
    # Real values, so that more is tried than what is not there.
    config.write_text(
        f'[parameters]\nrun = "{run}"\njob = ["lint", "none"]\ncommit = ["{commit}", "{commit[:6]}", "zz"]\nbranch = ["main", "none"]\n'
    )
    schemathesis = Path(sys.executable).with_name("schemathesis")
    words = [str(schemathesis), "--config-file", str(config), "run", f"{server.url}/openapi.json"]
    words += ["--checks=all", "--max-examples=25", "--seed=1", "--no-color", "-H", f"Authorization: Bearer {TOKEN}"]
    # Streams end when a run does: some never.
    words += ["--exclude-path-regex", "/(events|live)$"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr + server.log.read_text()
    server.get("/healthz")
