"""`python -m ci_core` is the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

JUNIT = '<testsuite><testcase name="a" time="1"/><testcase name="b"><failure/></testcase></testsuite>'


def environment(dir: Path) -> dict[str, str]:
    """Stores of the test's own."""
    own = {"CI_STORE": str(dir / "runs.db"), "CI_STORAGE": str(dir / "storage")}
    return {**os.environ, **own}


def ci(*words: str, dir: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the command line."""
    return subprocess.run(
        [sys.executable, "-m", "ci_core", *words],
        cwd=dir,
        env=environment(dir),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


def write_workflow(dir: Path, script: str) -> None:
    (dir / ".ci").mkdir()
    form = {"version": 1, "name": "w", "jobs": {"a": {"steps": [{"run": script}]}}}
    (dir / ".ci/workflow.json").write_text(json.dumps(form))


def test_runs_reports_and_splits(tmp_path: Path) -> None:
    write_workflow(tmp_path, "echo hello; exit 3")
    done = ci("run", "--format", "json", dir=tmp_path)
    assert done.returncode == 1, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["type"], last["outcome"]) == ("run_finished", "failed")
    assert "hello" in ci("logs", "last", "a", dir=tmp_path).stdout

    (tmp_path / "junit.xml").write_text(JUNIT)
    done = ci("report", "tests", "--format", "json", "junit.xml", dir=tmp_path)
    assert json.loads(done.stdout)["failed"] == 1
    done = ci("split", "--by", "name", "--index", "1", "--total", "2", dir=tmp_path, stdin="b\na\n")
    assert done.stdout == "b\n", done.stderr


def test_wrong_words_and_help(tmp_path: Path) -> None:
    done = ci("fly", dir=tmp_path)
    assert done.returncode == 2
    assert "unrecognized subcommand" in done.stderr
    done = ci("--help", dir=tmp_path)
    assert done.returncode == 0
    assert "ci run" in done.stdout


def test_ctrl_c_is_130(tmp_path: Path) -> None:
    write_workflow(tmp_path, "touch begun; sleep 600")
    process = subprocess.Popen(
        [sys.executable, "-m", "ci_core", "run", "--format", "json"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "step_started":
            break
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait(60) == 130
    assert json.loads(rest.splitlines()[-1])["outcome"] == "canceled"
