"""Runs: watched, steered, kept, gone on with."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest

import ci_core
from ci_core import ApprovalRequest, Event, Outcome, StepContext, Store, Workflow


def test_a_workflow_of_commands_runs_in_order() -> None:
    report = (
        Workflow("ci")
        .job("lint", "true")
        .job("test", ["sh", "-c", "exit 3"], needs="lint")
        .job("ship", "true", needs=["test"])
        .run()
    )
    assert [(job.name, job.outcome.kind) for job in report.jobs] == [
        ("lint", "success"),
        ("test", "failed"),
        ("ship", "not_run"),
    ]
    assert report.job("test").outcome.exit_code == 3
    assert [job.name for job in report.failed] == ["test"]


def test_events_come_to_functions_and_loops() -> None:
    seen: list[Event] = []
    workflow = Workflow("ci").job("a", "echo hello")
    run = workflow.start(events=True, on_event=seen.append)
    types = [event.type for event in run.events]
    report = run.wait()
    assert types[0] == "run_started"
    assert types[-1] == "run_finished"
    assert "output" in types
    assert [event.type for event in seen] == [name for name in types if name != "output"]
    assert seen[1].job == "a"
    assert seen[0].run == report.run
    assert seen[0].time <= seen[-1].time


def test_events_come_to_async_loops() -> None:
    async def main() -> list[str]:
        workflow = Workflow("ci").job("a", "echo hello")
        run = await ci_core.start_async(workflow, events=True)
        texts = [event["text"] async for event in run.events if event.type == "output"]
        assert (await run.wait_async()).is_success
        return texts

    assert "".join(asyncio.run(main())) == "hello\n"


def test_a_sink_that_raises_is_dropped_with_a_warning() -> None:
    def broken(event: Event) -> None:
        raise ValueError("full")

    report = Workflow("w").job("a", "true").run(on_event=broken)
    assert report.is_success
    assert report.warnings == ("the sink `on_event` was dropped: ValueError: full",)


def test_a_run_is_canceled_from_another_thread() -> None:
    started = threading.Event()

    def slow(ctx: StepContext) -> Outcome:
        started.set()
        return ctx.sh("sleep 600")

    run = Workflow("w").job("a", slow).start()
    assert started.wait(30)
    with pytest.raises(TimeoutError):
        run.wait(timedelta(milliseconds=1))
    assert run.cancel("nobody") is False
    assert run.cancel("a") is True
    assert run.wait(60).job("a").outcome.kind == "canceled"


def test_a_with_block_leaves_no_run_behind() -> None:
    with Workflow("w").job("a", "sleep 600").start() as run:
        assert not run.done
    assert run.done
    assert run.wait().outcome == "canceled"


def test_approvers_decide_plain_and_async() -> None:
    asked = []

    def no(request: ApprovalRequest) -> bool:
        asked.append((request.job, request.prompt))
        return False

    async def yes(request: ApprovalRequest) -> bool:
        await asyncio.sleep(0)
        return True

    workflow = Workflow("w").job("ship", "true", manual={"prompt": "really?"})
    assert workflow.run(approver=yes).is_success
    assert workflow.run(approver=no).job("ship").outcome.cancel == "rejected"
    assert asked == [("ship", "really?")]


def test_an_approver_may_look_at_the_run_without_deadlock() -> None:
    runs: list[ci_core.Run] = []

    def later(request: ApprovalRequest) -> None:
        runs[0].approve(request.job, by="later")

    ready = threading.Event()

    def gate() -> None:
        assert ready.wait(30)

    workflow = Workflow("w").job("gate", gate).job("ship", "true", needs="gate", manual={"prompt": "ok?"})
    run = workflow.start(approver=later, events=True)
    runs.append(run)
    ready.set()
    assert run.wait(60).is_success
    decided = [event for event in run.events if event.type == "job_approved"]
    assert [event["by"] for event in decided] == ["later"]


def test_a_held_run_ends_and_is_resumed_after_the_approval(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.db")
    counted = []
    workflow = Workflow("w").job("first", lambda: counted.append(1))
    workflow.job("ship", "true", needs="first", manual={"prompt": "ok?"})
    held = workflow.run(store=store, hold="finish")
    assert held.outcome == "on_hold"
    store.approve(held.run, "ship", by="ada")
    report = ci_core.resume(held.run, store, steps=workflow.steps).wait()
    assert report.is_success
    assert report.run == held.run
    assert counted == [1]


def test_what_failed_is_run_again_and_the_rest_is_not(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    counted: dict[str, int] = {"good": 0, "bad": 0}

    def good() -> None:
        counted["good"] += 1

    def bad() -> None:
        counted["bad"] += 1
        if counted["bad"] == 1:
            raise RuntimeError("first")

    workflow = Workflow("w").job("good", good).job("bad", bad)
    first = workflow.run(store=path, facts={"branch": "main"})
    assert first.outcome == "failed"
    second = ci_core.rerun(first.run, path, steps=workflow.steps).wait()
    assert second.is_success
    assert counted == {"good": 1, "bad": 2}

    page = Store(path).runs(branch="main")
    assert page.total == 2
    assert Store(path).runs(revision="0" * 40).total == 0
    assert [run.rerun_of for run in page] == [first.run, None]
    stored = Store(path).load(first.run)
    assert stored.summary.outcome == "failed"
    assert {job.name: job.outcome for job in stored.summary.jobs} == {
        "good": "success",
        "bad": "failed",
    }
    assert stored.workflow.jobs == ("good", "bad")
    assert stored.facts["branch"] == "main"
    assert stored.events[-1].type == "run_finished"
    assert Store(path).prune(max_runs=1) == [first.run]
    with pytest.raises(ci_core.NotFound):
        Store(path).load(first.run)


def test_only_some_jobs_and_few_at_once() -> None:
    running: list[str] = []
    most = [0]
    lock = threading.Lock()

    def work(ctx: StepContext) -> None:
        with lock:
            running.append(ctx.job)
            most[0] = max(most[0], len(running))
        ctx.exec("true")
        with lock:
            running.remove(ctx.job)

    workflow = Workflow("w")
    for name in "abcd":
        workflow.job(name, work)
    workflow.job("last", work, needs="a")
    report = workflow.run(only=["last"], slots=1)
    assert [job.name for job in report.jobs] == ["a", "last"]
    assert most == [1]


def test_wrong_options_are_told_at_once() -> None:
    workflow = Workflow("w").job("a", "true")
    with pytest.raises(TypeError, match="no option `slot`"):
        workflow.run(slot=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="no way to hold"):
        workflow.run(hold="never")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is no executor"):
        workflow.run(executors=[object()])  # type: ignore[list-item]
    with pytest.raises(ci_core.NotFound):
        ci_core.resume("0195e4a0-0000-7000-8000-000000000000", Store.memory())
