"""What a process may do around runs: signals, cancellation, forks, its end, threads, pickling."""

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ci_core
from ci_core import StepContext, Workflow
from ci_core.reports import read_coverage, read_tests


def python(code: str, *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def interrupted(code: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Runs code that says when it wants Ctrl-C; gives how long it took after that."""
    # What is started in the background of a shell inherits that Ctrl-C is ignored.
    code = f"import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n{code}"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    took = time.monotonic() - began
    return subprocess.CompletedProcess(process.args, process.returncode, out, err), took


def test_ctrl_c_stops_a_command_and_tears_down(tmp_path: Path) -> None:
    done, took = interrupted(
        f"""
from ci_core import Workflow
def begun(event):
    if event.type == "step_started": print("now", flush=True)
workflow = Workflow("w").job("a", "sleep 600")
workflow.job("clean", "touch {tmp_path}/clean", needs=["a"], always=True)
try:
    workflow.run(on_event=begun)
except KeyboardInterrupt:
    print("interrupted")
"""
    )
    assert done.stdout.startswith("interrupted") or "interrupted" in done.stdout, done.stderr
    assert (tmp_path / "clean").exists()
    assert took < 10


def test_ctrl_c_does_not_wait_for_a_python_step_that_does_not_look() -> None:
    done, took = interrupted(
        """
import time
from ci_core import Workflow
def slow():
    print("now", flush=True)
    time.sleep(600)
try:
    Workflow("w").job("a", slow).run()
except KeyboardInterrupt:
    print("interrupted")
"""
    )
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr
    assert took < 10


def test_ctrl_c_cancels_the_task_of_asyncio() -> None:
    done, _ = interrupted(
        """
import asyncio
from ci_core import Workflow
async def slow():
    # When it sleeps already: before 3.11, Ctrl-C is raised in whatever runs.
    asyncio.get_running_loop().call_soon(lambda: print("now", flush=True))
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        print("step canceled")
        raise
try:
    asyncio.run(Workflow("w").job("a", slow).run_async())
except KeyboardInterrupt:
    print("interrupted")
"""
    )
    assert (done.stdout, done.returncode) == ("step canceled\ninterrupted\n", 0), done.stderr


def test_canceling_the_task_cancels_the_run_and_waits_for_its_end() -> None:
    seen = []

    async def main() -> None:
        begun = asyncio.Event()

        async def slow() -> None:
            begun.set()
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                seen.append("step canceled")
                raise

        workflow = Workflow("w").job("a", slow).job("b", lambda: seen.append("b"), needs="a")
        workflow.job("clean", lambda: seen.append("cleaned"), needs="a", always=True)
        task = asyncio.ensure_future(workflow.run_async())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == ["step canceled", "cleaned"]


def test_wait_for_ends_a_run_in_time() -> None:
    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(Workflow("w").job("a", "sleep 600").run_async(), 0.2)

    asyncio.run(main())


def test_the_loop_turns_while_a_run_is_awaited(tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    # The job succeeds only if the loop turns beside it; without that it gives up after a while.
    waits = f"""
touch '{begun}'
n=0
until [ -e '{go}' ]; do n=$((n+1)); [ $n -lt 600 ] || exit 1; sleep 0.05; done
"""

    async def main() -> None:
        turns = 0
        task = asyncio.ensure_future(Workflow("w").job("a", waits).run_async())
        while turns < 6 and not task.done():
            await asyncio.sleep(0.01)
            turns += begun.exists()
        go.touch()
        assert (await task).is_success

    asyncio.run(main())


def test_awaiting_needs_a_loop() -> None:
    coroutine = Workflow("w").job("a", "true").run_async()
    with pytest.raises(RuntimeError, match="no running event loop"):
        coroutine.send(None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_after_a_fork_the_engine_says_so_and_before_one_it_does_not_matter() -> None:
    done = python(
        """
import os, sys
import ci_core
from ci_core import Workflow

def child(what):
    pid = os.fork()
    if pid == 0:
        try:
            print(what, Workflow("w").job("a", lambda: None).run().outcome, flush=True)
        except ci_core.ForkError as error:
            assert isinstance(error, RuntimeError)
            print(what, "refused;", error.hints[0], flush=True)
        os._exit(0)
    os.waitpid(pid, 0)

child("before")
Workflow("w").job("a", lambda: None).run()
child("after")
print("parent", Workflow("w").job("a", lambda: None).run().outcome)
"""
    )
    assert done.stdout.splitlines() == [
        "before success",
        "after refused; use the start method `spawn` or `forkserver` of multiprocessing",
        "parent success",
    ], done.stderr


def test_the_interpreter_ends_while_runs_go_on() -> None:
    began = time.monotonic()
    done = python(
        """
import threading, time
from ci_core import Workflow
started = threading.Event()
def slow():
    started.set()
    time.sleep(600)
run = Workflow("w").job("a", slow).job("b", "sleep 600").start()
started.wait()
print("over")
"""
    )
    assert (done.stdout, done.stderr, done.returncode) == ("over\n", "", 0)
    assert time.monotonic() - began < 30


def test_the_interpreter_ends_while_a_step_is_busy() -> None:
    for _ in range(5):
        done, took = interrupted(
            """
from ci_core import Workflow
def busy():
    print("now", flush=True)
    while True: pass
try:
    Workflow("w").job("a", busy).run()
except KeyboardInterrupt:
    print("interrupted")
"""
        )
        assert (done.stdout, done.stderr, done.returncode) == ("interrupted\n", "", 0)
        assert took < 20


def test_threads_run_workflows_at_the_same_time() -> None:
    together = threading.Barrier(4, timeout=30)

    def meet() -> None:
        together.wait()

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(Workflow("w").job("a", meet).run) for _ in range(4)]
        assert all(run.result().is_success for run in runs)


def test_a_step_may_run_a_workflow() -> None:
    def outer(ctx: StepContext) -> None:
        Workflow("inner").job("b", lambda: None).run().raise_for_failure()

    assert Workflow("outer").job("a", outer).run(slots=1).is_success


def failing_run() -> ci_core.RunReport:
    def broken() -> None:
        raise ValueError("x")

    return Workflow("w").job("a", "true").job("b", broken, needs="a").run()


def test_results_are_pickled_copied_and_compared() -> None:
    report = failing_run()
    again = pickle.loads(pickle.dumps(report))
    assert again == report
    assert again.job("b").exception is None
    assert "ValueError: x" in again.job("b").traceback
    assert copy.deepcopy(report).job("b").exception is report.job("b").exception
    assert report.to_dict()["jobs"][1]["outcome"]["reason"] == "ValueError: x"

    spec = Workflow("w").job("a", "true", timeout="5m").build()
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert hash(pickle.loads(pickle.dumps(spec))) == hash(spec)

    tests = read_tests(b'<testsuite name="s"><testcase classname="c" name="n" time="0.5"/></testsuite>')
    assert pickle.loads(pickle.dumps(tests)) == tests
    case = tests.cases()[0]
    assert pickle.loads(pickle.dumps(case)).name == "n"

    coverage = read_coverage(b"SF:a.py\nDA:1,1\nDA:2,0\nend_of_record\n")
    assert pickle.loads(pickle.dumps(coverage)) == coverage


def test_exceptions_are_pickled_with_their_attributes() -> None:
    with pytest.raises(ci_core.InvalidWorkflow) as caught:
        Workflow("w").job("a", "true", needs="b").build()
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, ci_core.InvalidWorkflow)
    assert isinstance(again, ValueError)
    assert again.problems == caught.value.problems == ("`a` needs `b`, which is no job",)
    assert str(again) == str(caught.value)
    with pytest.raises(ci_core.WorkflowFailed) as failed:
        Workflow("w").job("a", "false").run().raise_for_failure()
    assert pickle.loads(pickle.dumps(failed.value)).report == failed.value.report


def test_reports_come_back_from_processes_that_were_spawned() -> None:
    spec = Workflow("w").job("a", "exit 3").build()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        report = pool.apply_async(ci_core.run, (spec,)).get(timeout=60)
    assert report.job("a").outcome.exit_code == 3
