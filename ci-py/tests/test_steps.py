"""Steps in Python: plain and async, failing, with what they may see and do."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

import ci_core
from ci_core import ExitStatus, Outcome, Step, StepContext, Workflow, WorkflowFailed, step


def run_one(given: Any, **options: Any) -> ci_core.RunReport:
    return Workflow("w").job("j", given).run(**options)


def test_a_function_is_a_step_and_still_a_function() -> None:
    seen = []

    @step
    def greet(ctx: StepContext) -> None:
        """Greets."""
        seen.append((ctx.job, ctx.attempt, ctx.index, ctx.given))

    report = run_one(greet)
    assert report.is_success
    assert seen == [("j", 1, 0, None)]
    assert greet.__doc__ == "Greets."
    assert greet.name == "greet"


def test_async_steps_run_at_the_same_time_without_a_loop_of_the_caller() -> None:
    together = threading.Barrier(3, timeout=30)

    def hold() -> None:
        together.wait()

    async def one(ctx: StepContext) -> None:
        await asyncio.to_thread(hold)

    workflow = Workflow("w").job("a", one).job("b", one).job("c", hold)
    assert workflow.run(slots=3).is_success


def test_async_steps_run_on_the_loop_of_who_awaits() -> None:
    loops = []
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    values = []

    async def one() -> None:
        loops.append(asyncio.get_running_loop())
        values.append(variable.get())

    def two() -> None:
        values.append(variable.get())

    async def main() -> None:
        variable.set("set")
        report = await Workflow("w").job("j", one, two).run_async()
        assert report.is_success
        assert loops == [asyncio.get_running_loop()]

    asyncio.run(main())
    assert values == ["set", "set"]


def test_the_exception_of_a_step_is_what_the_caller_sees() -> None:
    error = ValueError("no such animal")

    def broken() -> None:
        raise error

    report = run_one(broken, store=ci_core.Store.memory())
    job = report.job("j")
    assert report.outcome == "failed"
    assert job.outcome == Outcome("failed", reason="ValueError: no such animal")
    assert job.exception is error
    assert job.traceback is not None
    assert "in broken" in job.traceback
    assert "_step.py" not in job.traceback.splitlines()[1]
    with pytest.raises(ValueError) as caught:
        report.raise_for_failure()
    assert caught.value is error


def test_the_traceback_stands_in_the_log() -> None:
    async def broken() -> None:
        raise LookupError("gone")

    store = ci_core.Store.memory()
    report = run_one(broken, store=store)
    log = "\n".join(line.text for line in store.log(report.run, "j"))
    assert log.startswith("Traceback")
    assert log.endswith("LookupError: gone")


def test_several_failures_are_one_exception_with_the_first_as_its_cause() -> None:
    error = KeyError("k")

    def broken() -> None:
        raise error

    report = Workflow("w").job("a", broken).job("b", "exit 3").run()
    with pytest.raises(WorkflowFailed) as caught:
        report.raise_for_failure()
    assert caught.value.__cause__ is error
    assert caught.value.report is report
    assert "`b`: failed: exit code 3" in str(caught.value)


def test_an_exception_of_an_attempt_that_was_repeated_is_forgotten() -> None:
    attempts = []

    def shaky(ctx: StepContext) -> None:
        attempts.append(ctx.attempt)
        if ctx.attempt == 1:
            raise OSError("once")

    report = Workflow("w").job("j", shaky, retry={"max": 1}).run()
    assert report.is_success
    assert attempts == [1, 2]
    assert report.job("j").exception is None


def test_what_steps_return() -> None:
    def outcome(given: Any) -> Outcome:
        return run_one(lambda ctx: given).job("j").outcome

    assert outcome(None).is_success
    assert outcome(Outcome.failed("no", exit_code=4)).exit_code == 4
    assert outcome(Outcome.infrastructure_failure("disk")).kind == "infrastructure_failure"
    assert outcome(ExitStatus("code", 7)).exit_code == 7
    assert outcome(True).reason == "TypeError: a step returns nothing or an `Outcome`, not `bool`"


def test_objects_and_classes_are_steps_and_other_things_are_not() -> None:
    class Count(Step):
        def __init__(self) -> None:
            self.runs = 0

        def run(self, ctx: StepContext, /) -> Outcome:
            self.runs += 1
            return ctx.sh("exit 5") if self.runs > 1 else Outcome.success()

    count = Count()
    report = Workflow("w").job("a", count, count).run()
    assert count.runs == 2
    assert report.job("a").outcome.exit_code == 5
    with pytest.raises(TypeError, match="is no step"):
        Workflow("w").job("a", 3)
    with pytest.raises(TypeError, match="is no step"):
        Workflow("w").job("a", Count)


def test_steps_run_commands_and_set_variables() -> None:
    def first(ctx: StepContext) -> Outcome:
        ctx.set_env("ANIMAL", "owl")
        ctx.write("from python\n")
        ctx.say("from the engine")
        assert ctx.exec(["sh", "-c", "exit 2"]) == ExitStatus("code", 2)
        assert ctx.host_work_dir is not None
        return ctx.sh("echo own $OWN", env={"OWN": "variable"})

    async def second(ctx: StepContext) -> Outcome:
        assert ctx.env["ANIMAL"] == "owl"
        return await ctx.sh_async('test "$ANIMAL" = owl')

    store = ci_core.Store.memory()
    report = Workflow("w").job("j", first, second, "echo $ANIMAL").run(store=store)
    assert report.is_success, report
    lines = [(line.stream, line.text) for line in store.log(report.run)]
    assert ("stdout", "from python") in lines
    assert ("engine", "from the engine") in lines
    assert ("stdout", "own variable") in lines
    assert ("stdout", "owl") in lines


def test_a_form_gives_values_to_steps_by_name() -> None:
    seen = []

    def greet(ctx: StepContext) -> None:
        seen.append(ctx.given)

    spec = ci_core.WorkflowSpec.from_dict(
        {
            "version": 1,
            "name": "w",
            "jobs": {"j": {"steps": [{"use": "greet", "with": {"names": ["a", 1, 1.5, None]}}]}},
        }
    )
    assert spec.run(steps={"greet": greet}).is_success
    assert seen == [{"names": ["a", 1, 1.5, None]}]
    with pytest.raises(ci_core.InvalidWorkflow, match="did you mean `gret`"):
        spec.run(steps={"gret": greet})


def test_secrets_do_not_reach_the_log() -> None:
    def leak(ctx: StepContext) -> None:
        ctx.write(f"the token is {ctx.env['TOKEN']}\n")

    store = ci_core.Store.memory()
    workflow = Workflow("w").job("j", leak, contexts=["deploy"])
    report = workflow.run(store=store, contexts={"deploy": {"TOKEN": "hunter2hunter2"}})
    assert [line.text for line in store.log(report.run)] == ["the token is ***"]
