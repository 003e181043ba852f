"""Places where jobs run."""

from __future__ import annotations

import atexit
import inspect
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Literal, Protocol, Union

from . import _native
from ._outcome import ExitStatus

NativeExecutor = _native.NativeExecutor


def LocalExecutor(
    name: str = "local",
    *,
    limit: int | None = None,
    grace: int | None = None,
    root: str | Path | None = None,
    work_in: Literal["auto", "project", "own"] = "auto",
    inherit: Sequence[str] = (),
) -> NativeExecutor:
    """Jobs as processes of this machine.

    Args:
        name: the name by which jobs pick it.
        limit: how many jobs at once; no limit of its own by default.
        grace: how many seconds processes may take to end after they were asked to.
        root: where private directories go.
        work_in: in the project's directory, in one of its own, or as fits the job.
        inherit: variables that jobs inherit beside the usual ones; `*` is all of them.
    """
    options: dict[str, Any] = {"work_in": work_in, "inherit": list(inherit)}
    options |= {"limit": limit, "grace": grace, "root": None if root is None else str(root)}
    given = {key: value for key, value in options.items() if value is not None}
    return _native.local_executor(name, json.dumps(given))


def DockerExecutor(
    name: str = "docker",
    *,
    host: str | None = None,
    image: str | None = None,
    pull: Literal["if_missing", "always", "never"] = "if_missing",
    user: str | None = None,
    work_dir: str | None = None,
    exclude: Sequence[str] = (),
    limit: int | None = None,
    grace: float | timedelta | None = None,
) -> NativeExecutor:
    """Jobs in containers of a Docker Engine, each in its own. Nothing is connected to yet.

    Args:
        name: the name by which jobs pick it.
        host: the engine, such as `unix:///var/run/docker.sock`; by default that of `DOCKER_HOST`.
        image: the image of jobs that name none.
        pull: when images are pulled.
        user: who runs commands.
        work_dir: the directory in the container that jobs start in.
        exclude: globs of files of the project that are not copied.
        limit: how many jobs at once; no limit of its own by default.
        grace: seconds that processes may take to end after they were asked to.
    """
    if isinstance(grace, timedelta):
        grace = grace.total_seconds()
    make = getattr(_native, "docker_executor", None)
    if make is None:
        raise NotImplementedError("this build of ci_core has no Docker")
    options: dict[str, Any] = {"name": name, "host": host, "image": image, "pull": pull, "user": user}
    options |= {"work_dir": work_dir, "exclude": list(exclude), "limit": limit, "grace": grace}
    executor: NativeExecutor = make(options)
    return executor


def SwarmExecutor(
    name: str = "swarm",
    *,
    host: str | None = None,
    nodes: Mapping[str, str] | None = None,
    node_host: str | None = None,
    image: str | None = None,
    pull: Literal["if_missing", "always", "never"] = "if_missing",
    constraints: Sequence[str] = (),
    secrets: Sequence[str] = (),
    exclude: Sequence[str] = (),
    limit: int | None = None,
    queue_timeout: float | timedelta | None = None,
    grace: float | timedelta | None = None,
    **options: Any,
) -> NativeExecutor:
    """Jobs as services of a Docker Swarm, each on the node that has room. Nothing is connected to yet.

    Args:
        name: the name by which jobs pick it.
        host: a manager, such as `ssh://ci@manager`; by default the engine of `DOCKER_HOST`.
        nodes: the engines of nodes by the nodes' names.
        node_host: the engine of every other node, such as `ssh://ci@{address}`.
        image: the image of jobs that name none.
        pull: when images of services and steps are pulled.
        constraints: which nodes may take jobs, such as `node.labels.disk==ssd`.
        secrets: secrets of the swarm that every job gets.
        exclude: globs of files of the project that are not copied.
        limit: how many jobs at once; no limit of its own by default.
        queue_timeout: seconds that a job may wait for a node.
        grace: seconds that processes may take to end after they were asked to.
        options: the rest of what `executors.NAME.options` of a settings file may say.

    Raises:
        ValueError: for an option that there is not, or whose value cannot be used.
    """
    given: dict[str, Any] = {"host": host, "nodes": nodes and dict(nodes), "node_host": node_host, "image": image}
    given |= {"pull": "missing" if pull == "if_missing" else pull, "constraints": list(constraints)}
    given |= {"secrets": list(secrets), "exclude": list(exclude), "limit": limit}
    given |= {"queue_timeout": _seconds(queue_timeout), "grace": _seconds(grace)}
    return _of_settings(name, "swarm", given | options)


def Ec2Executor(
    name: str = "ec2",
    *,
    instance: str | None = None,
    template: str | None = None,
    version: str | None = None,
    types: Sequence[str] = (),
    zones: Sequence[str] = (),
    subnets: Sequence[str] = (),
    spot: bool | str = False,
    region: str | None = None,
    profile: str | None = None,
    endpoint: str | None = None,
    user: str | None = None,
    identity: str | Path | None = None,
    limit: int | None = None,
    jobs: int | None = None,
    keep: float | timedelta | None = None,
    time_limit: float | timedelta | None = None,
    machine_time: float | timedelta | None = None,
    **options: Any,
) -> NativeExecutor:
    """Jobs on machines of AWS EC2, none of which is left running. Nothing is connected to yet.

    It needs a module that was built with it; `ci_core.Ec2Executor` says how where it was not. Jobs whose spot
    machine is taken away run once more, on demand.

    Args:
        name: the name by which jobs pick it.
        instance: an instance that is there. It is started if it is stopped, and stopped after if it was.
        template: the launch template of new instances, its id or name. They are terminated after.
        version: the version of the template.
        types: instance types in place of the template's, the best first.
        zones: availability zones, the best first.
        subnets: subnets, the best first.
        spot: whether spot instances are tried first; a text is the most to pay for an hour, in US dollars.
        region: the region; by default that of the environment or the profile.
        profile: a profile of the AWS configuration files.
        endpoint: an address of EC2 in place of the region's.
        user: the user on the machine.
        identity: the file of the private key; a new instance gets a key of its own without one.
        limit: how many jobs at once; no limit of its own by default.
        jobs: how many jobs share a machine at the same time.
        keep: how long a launched machine is kept for the next job of the same run, seconds.
        time_limit: after how long a launched machine ends itself, whatever happens, seconds.
        machine_time: how much machine time a run may launch, seconds.
        options: the rest of what `executors.NAME.options` of a settings file may say.

    Raises:
        NotImplementedError: this build has no EC2.
        ValueError: for an option that there is not, or whose value cannot be used.
    """
    if not _native.AWS:
        raise NotImplementedError(
            "this build of ci_core has no EC2, which brings the AWS SDK; build one that has it, in the folder"
            " `ci-py` of the sources: `maturin build --features aws`, then `pip install` the wheel"
        )
    given: dict[str, Any] = {"instance": instance, "template": template, "version": version, "region": region}
    given |= {"types": list(types), "zones": list(zones), "subnets": list(subnets)}
    given |= {"spot": {"max_price": spot} if isinstance(spot, str) else spot}
    given |= {"profile": profile, "endpoint": endpoint, "user": user, "limit": limit, "jobs": jobs}
    given |= {"identity": None if identity is None else str(identity)}
    given |= {"keep": _time(keep), "time_limit": _time(time_limit), "machine_time": _time(machine_time)}
    executor = _of_settings(name, "ec2", given | options)
    _close_at_exit()
    return executor


def _of_settings(name: str, kind: str, options: Mapping[str, Any]) -> NativeExecutor:
    given = {key: value for key, value in options.items() if value is not None}
    return _native.executor_of(name, kind, json.dumps(given))


def _seconds(of: float | timedelta | None) -> int | None:
    """Whole seconds, rounded up: less would be shorter than was asked for."""
    seconds = of.total_seconds() if isinstance(of, timedelta) else of
    return None if seconds is None else math.ceil(seconds)


def _time(of: float | timedelta | None) -> str | None:
    """As a settings file has it."""
    seconds = _seconds(of)
    return None if seconds is None else f"{seconds}s"


def _close_at_exit() -> None:
    """Machines that are kept for more jobs end when there can be no more."""
    atexit.unregister(_native.close_executors)
    atexit.register(_native.close_executors)


@dataclass(frozen=True)
class PrepareRequest:
    """What an executor is asked to prepare a session for."""

    run_id: str
    """The run."""
    job: str
    """The job's name."""
    attempt: int
    """Counts from 1."""
    env: Mapping[str, str]
    """The variables of every command, secrets included."""
    image: str | None
    """The container image that the job names."""
    project_dir: Path | None
    """The directory of the project on this machine, if the run has one."""
    io: CommandIo
    """Takes what there is to say about preparing; tells whether it has to stop."""


@dataclass(frozen=True)
class Command:
    """What to run."""

    words: Sequence[str]
    """The program and its arguments."""
    env: Mapping[str, str]
    """Variables added to the session's."""
    dir: str | None
    """The directory, absolute or relative to the session's; `~` is its home."""


class CommandIo:
    """Where the output of a command goes, and what stops it."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.Io) -> None:
        self._native = native

    def write(self, data: str | bytes, stream: Literal["stdout", "stderr"] = "stdout") -> None:
        """Writes what a stream gave. Waits while the log is slower."""
        self._native.write(stream, data.encode() if isinstance(data, str) else data)

    @property
    def canceled(self) -> bool:
        """Whether the command has to stop."""
        return self._native.canceled

    def wait_canceled(self, timeout: float) -> bool:
        """Waits until it has to stop; false after `timeout` seconds."""
        return self._native.wait_canceled(timeout)


@dataclass(frozen=True)
class CopyRoot:
    """A directory of a session, and the part of an archive that stands for it."""

    prefix: str
    """The first component of every entry's name; empty for none."""
    dir: str
    """The directory."""
    include: Sequence[str]
    """Globs relative to it; empty takes everything."""
    exclude: Sequence[str]
    """Globs of what is left out."""


class Session(Protocol):
    """A prepared place where the steps of one job run. The methods may be `async`.

    `copy_in(tree, dir)` and `copy_out(roots)` may be missing where no step needs them; they take and
    give a tar archive as an open file.
    """

    work_dir: str
    """The working directory, absolute, as commands see it."""
    home: str
    """The home directory, absolute, as commands see it."""

    def exec(
        self, command: Command, io: CommandIo, /
    ) -> Union[int, ExitStatus, Awaitable[Union[int, ExitStatus]]]:
        """Runs a command to its end, and gives its exit code. Stops it when `io.canceled`."""
        ...

    def teardown(self) -> Union[None, Awaitable[None]]:
        """Ends what still runs and gives the place back. Called exactly once."""
        ...


class Executor(Protocol):
    """A place where jobs run, written in Python. `prepare` may be `async`; `limit` may be missing."""

    name: str
    """The name by which jobs pick it."""

    def prepare(self, request: PrepareRequest, /) -> Union[Session, Awaitable[Session]]:
        """Makes the place where one attempt of a job runs."""
        ...


def adapt(executor: Any) -> tuple[str, int | None, Callable[..., Any]]:
    """What the engine needs of an executor in Python; what it lacks is told now."""
    name, prepare = getattr(executor, "name", None), getattr(executor, "prepare", None)
    if not isinstance(name, str) or not callable(prepare):
        raise TypeError(
            f"`{executor!r}` is no executor: one has a `name` and the method `prepare`"
        )

    async def prepare_async(*words: Any) -> dict[str, Any]:
        return _session(await prepare(_request(*words)))

    def prepare_sync(*words: Any) -> dict[str, Any]:
        return _session(prepare(_request(*words)))

    limit = getattr(executor, "limit", None)
    is_async = inspect.iscoroutinefunction(prepare)
    return name, limit, prepare_async if is_async else prepare_sync


def _request(
    run: str,
    job: str,
    attempt: int,
    env: dict[str, str],
    image: str | None,
    project_dir: Path | None,
    io: _native.Io,
) -> PrepareRequest:
    return PrepareRequest(run, job, attempt, env, image, project_dir, CommandIo(io))


def _session(session: Any) -> dict[str, Any]:
    """The parts of a session in Python, as functions that the engine calls."""
    work_dir = str(session.work_dir)

    def command(words: list[str], env: dict[str, str], dir: str | None, io: _native.Io) -> Any:
        return session.exec(Command(words, env, dir), CommandIo(io))

    async def command_async(
        words: list[str], env: dict[str, str], dir: str | None, io: _native.Io
    ) -> tuple[str, int | None]:
        return _status(await command(words, env, dir, io))

    def command_sync(
        words: list[str], env: dict[str, str], dir: str | None, io: _native.Io
    ) -> tuple[str, int | None]:
        return _status(command(words, env, dir, io))

    def roots(of: list[tuple[str, str, list[str], list[str]]]) -> list[CopyRoot]:
        return [CopyRoot(*root) for root in of]

    def missing(what: str) -> Callable[..., Any]:
        def refuse(*_: Any) -> Any:
            raise NotImplementedError(f"the session `{type(session).__name__}` has no `{what}`")

        return refuse

    copy_out = getattr(session, "copy_out", None) or missing("copy_out")

    async def copy_out_async(of: list[tuple[str, str, list[str], list[str]]]) -> IO[bytes]:
        tree: IO[bytes] = await copy_out(roots(of))
        return tree

    def copy_out_sync(of: list[tuple[str, str, list[str], list[str]]]) -> IO[bytes]:
        tree: IO[bytes] = copy_out(roots(of))
        return tree

    is_async = inspect.iscoroutinefunction
    return {
        "work_dir": work_dir,
        "home": str(getattr(session, "home", work_dir)),
        "host_work_dir": getattr(session, "host_work_dir", None),
        "exec": command_async if is_async(session.exec) else command_sync,
        "copy_in": getattr(session, "copy_in", None) or missing("copy_in"),
        "copy_out": copy_out_async if is_async(copy_out) else copy_out_sync,
        "teardown": session.teardown,
    }


def _status(ended: Any) -> tuple[str, int | None]:
    if isinstance(ended, ExitStatus):
        return ended.how, ended.number
    if isinstance(ended, int) and not isinstance(ended, bool):
        return "code", ended
    raise TypeError(f"`exec` gives an exit code or an `ExitStatus`, not `{type(ended).__name__}`")
