"""Places where jobs run: of the engine, and written in Python."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from typing import IO, Any

import pytest

import ci_core
from ci_core import (
    Command,
    CommandIo,
    CopyRoot,
    DockerExecutor,
    Ec2Executor,
    ExitStatus,
    LocalExecutor,
    PrepareRequest,
    Store,
    SwarmExecutor,
    Workflow,
    _native,
)


class Place:
    """A session in a directory of this machine."""

    def __init__(self, dir: Path, log: list[str]) -> None:
        self.work_dir = self.home = str(dir)
        self.log = log

    def exec(self, command: Command, io: CommandIo, /) -> int | ExitStatus:
        self.log.append(f"exec {command.words[-1]}")
        process = subprocess.Popen(
            command.words,
            cwd=os.path.join(self.work_dir, command.dir or ""),
            env={**os.environ, **command.env},
            stdout=subprocess.PIPE,
        )
        while process.poll() is None:
            if io.wait_canceled(0.02):
                process.kill()
        assert process.stdout is not None
        with process.stdout as stdout:
            io.write(stdout.read())
        code = process.wait()
        return code if code >= 0 else ExitStatus("signal", -code)

    def copy_in(self, tree: IO[bytes], dir: str) -> None:
        with tarfile.open(fileobj=tree, mode="r|") as archive:
            archive.extractall(os.path.join(self.work_dir, dir), filter="data")

    def copy_out(self, roots: list[CopyRoot]) -> IO[bytes]:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for root in roots:
                for name in root.include:
                    path = os.path.join(self.work_dir, root.dir, name)
                    archive.add(path, os.path.join(root.prefix, name))
        packed.seek(0)
        return packed

    def teardown(self) -> None:
        self.log.append("teardown")


class Directory:
    """An executor in Python."""

    name = "directory"
    limit = 1

    def __init__(self, dir: Path) -> None:
        self.dir = dir
        self.log: list[str] = []

    def prepare(self, request: PrepareRequest, /) -> Place:
        self.log.append(f"prepare {request.job} {request.attempt} {request.image}")
        return Place(self.dir, self.log)


class AsyncDirectory(Directory):
    """The same with coroutines."""

    async def prepare(self, request: PrepareRequest, /) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        place = super().prepare(request)

        class AsyncPlace:
            work_dir = home = place.work_dir

            async def exec(self, command: Command, io: CommandIo, /) -> int | ExitStatus:
                return await asyncio.to_thread(place.exec, command, io)

            async def teardown(self) -> None:
                place.teardown()

        return AsyncPlace()


@pytest.mark.parametrize("kind", [Directory, AsyncDirectory])
def test_an_executor_in_python(kind: type[Directory], tmp_path: Path) -> None:
    executor = kind(tmp_path)
    store = Store.memory()
    workflow = Workflow("w", env={"ANIMAL": "owl"})
    workflow.job("a", "echo $ANIMAL > file", "cat file; exit 4", image="some:image")
    report = workflow.run(executors=[executor], store=store)
    assert report.job("a").outcome.exit_code == 4, report
    assert [line.text for line in store.log(report.run) if line.stream == "stdout"] == ["owl"]
    assert (tmp_path / "file").read_text() == "owl\n"
    assert executor.log == [
        "prepare a 1 some:image",
        "exec echo $ANIMAL > file",
        "exec cat file; exit 4",
        "teardown",
    ]


def test_files_go_in_and_out_of_a_session_in_python(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    class Two(Directory):
        def prepare(self, request: PrepareRequest, /) -> Place:
            return Place(self.dir / request.job, self.log)

    workflow = Workflow("w")
    workflow.job("a", "echo hoot > owl", {"persist_workspace": {"root": ".", "paths": ["owl"]}})
    workflow.job("b", {"attach_workspace": {"root": "."}}, "cat owl", needs="a")
    report = workflow.run(executors=[Two(tmp_path)], storage=tmp_path / "storage")
    assert report.is_success, report
    assert (tmp_path / "b/owl").read_text() == "hoot\n"


def test_a_command_of_a_python_executor_is_stopped(tmp_path: Path) -> None:
    executor = Directory(tmp_path)
    begun = threading.Event()

    def watch(event: ci_core.Event) -> None:
        if event.type == "step_started":
            begun.set()

    run = Workflow("w").job("a", "exec sleep 600").start(executors=[executor], on_event=watch)
    assert begun.wait(30)
    began = time.monotonic()
    run.cancel()
    assert run.wait(60).outcome == "canceled"
    assert time.monotonic() - began < 20
    assert executor.log[-1] == "teardown"


def test_an_executor_that_raises_is_an_infrastructure_failure() -> None:
    class Broken:
        name = "broken"

        def prepare(self, request: PrepareRequest, /) -> Any:
            raise RuntimeError("no machines left")

    job = Workflow("w").job("a", "true").run(executors=[Broken()]).job("a")
    assert job.outcome.kind == "infrastructure_failure"
    assert "no machines left" in str(job.outcome)


def test_the_local_executor_has_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_CORE_TEST_ANIMAL", "owl")
    local = LocalExecutor(root=tmp_path, work_in="own", inherit=["CI_CORE_TEST_ANIMAL"], limit=2)
    assert (local.name, local.limit) == ("local", 2)
    assert repr(local) == "<executor \"local\">"
    report = Workflow("w").job("a", 'test "$CI_CORE_TEST_ANIMAL" = owl').run(executors=[local])
    assert report.is_success
    with pytest.raises(ValueError, match="the option `work_in` cannot be `there`"):
        LocalExecutor(work_in="there")  # type: ignore[arg-type]


def test_containers_of_docker(tmp_path: Path) -> None:
    host = os.environ.get("CI_CORE_DOCKER_HOST")
    image = os.environ.get("CI_CORE_TEST_IMAGE")
    if host is None or image is None:
        pytest.fail("tests/run.sh sets CI_CORE_DOCKER_HOST and CI_CORE_TEST_IMAGE")
    docker = DockerExecutor(host=host, image=image, pull="never")
    (tmp_path / "owl").write_text("hoot\n")
    store = Store.memory()
    report = (
        Workflow("w")
        .job("a", "cat owl; test -f /.dockerenv")
        .run(executors=[docker], store=store, project_dir=tmp_path)
    )
    assert report.is_success, report
    assert "hoot" in [line.text for line in store.log(report.run)]


def test_a_swarm_has_the_options_of_the_settings() -> None:
    swarm = SwarmExecutor("fleet", host="tcp://127.0.0.1:1", limit=2, grace=1.5, trust_jobs=True)
    assert (swarm.name, swarm.limit) == ("fleet", 2)
    with pytest.raises(ValueError, match="`fleet`.*limits"):
        SwarmExecutor("fleet", limits=3)
    # Nothing was connected to; now it is, and nobody is there.
    job = Workflow("w").job("a", "true").run(executors=[swarm]).job("a")
    assert job.outcome.kind == "infrastructure_failure"


def test_ec2_is_there_or_says_how_to_get_it() -> None:
    if not _native.AWS:
        with pytest.raises(NotImplementedError, match="maturin build --features aws"):
            Ec2Executor(template="builders")
        return
    ec2 = Ec2Executor("arm", template="builders", spot="0.10", limit=3, keep=60, region="eu-north-1")
    assert (ec2.name, ec2.limit) == ("arm", 3)
    with pytest.raises(ValueError, match="`arm`"):
        Ec2Executor("arm", template="builders", instance="i-1")
