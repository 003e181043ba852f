"""Repositories that are watched: their commits alone, or with runs for them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from . import _native
from ._run import Seconds, _seconds
from ._store import Store

if TYPE_CHECKING:
    from ._workflow import PathLike, WorkflowSpec

First = Literal["nothing", "tips", "everything"]
"""What is new in a repository that was never watched: nothing, the last commit of each branch, or every
commit and tag."""


class StepRunner:
    """A server that runs the steps `lint`, `build` and `test` on commits, and how patient to be with it.

    Args:
        address: `:8080` for one of this machine, `host:port`, or a URL with the scheme `http`.
        reply_timeout: how long one call may take before it counts as hung; ten minutes by default.
        budget: how long all calls for a step may take together; half an hour by default.
        attempts: how many calls may come to nothing because it broke; twenty by default.
    """

    __slots__ = ("_native",)

    def __init__(
        self,
        address: str,
        *,
        reply_timeout: Seconds | None = None,
        budget: Seconds | None = None,
        attempts: int | None = None,
    ) -> None:
        self._native = _native.StepRunner(
            address, _seconds(reply_timeout), _seconds(budget), attempts
        )

    @property
    def address(self) -> str:
        """Where it is, as a URL."""
        return self._native.address

    def workflow(self) -> WorkflowSpec:
        """The workflow of its three steps; none waits for another, and `build` and `test` run one at a
        time. A run of it needs the facts `repository` and `revision`, and to be gone on with the option
        `step_runner`."""
        from ._workflow import WorkflowSpec

        return WorkflowSpec(self._native.workflow())

    def __repr__(self) -> str:
        return f"<StepRunner {self.address}>"


class Watch:
    """Runs what is new in repositories, as `ci watch` does, on threads of this process.

    Every new commit of every branch, and every tag, runs the workflow that the repository has at that
    commit, or with a step runner its three steps. What is running when the process dies is gone on with
    by the next one that watches with the same store.

    Args:
        repositories: the directories.
        store: the file of the run store; by default the user's own.
        storage: the directory of caches, workspaces and artifacts; by default the user's own.
        step_runner: the address of a step runner that does all commits.
        reply_timeout: how long it may take to answer before the call counts as hung.
        budget: how long it may take to decide about a step, all calls together.
        first: what is new in a repository that was never watched.
        remotes: whether the branches of remotes are watched too.
        poll: how often to look, whatever the system tells.
        runs: how many runs go on at once.
        slots: how many jobs of a run go on at once.
        supersede: whether older runs of the same branch are stopped.
    """

    __slots__ = ("_native",)

    def __init__(
        self,
        *repositories: PathLike,
        store: Store | PathLike | None = None,
        storage: PathLike | None = None,
        step_runner: str | None = None,
        reply_timeout: Seconds | None = None,
        budget: Seconds | None = None,
        first: First = "nothing",
        remotes: bool = False,
        poll: Seconds | None = None,
        runs: int | None = None,
        slots: int | None = None,
        supersede: bool = False,
    ) -> None:
        if isinstance(store, Store):
            if store.path is None:
                raise ValueError("a store in memory does not outlive the process: give a file")
            store = store.path
        words = [os.fspath(repository) for repository in repositories] + [f"--first={first}"]
        for option, value in (
            ("--store", store),
            ("--storage", storage),
            ("--step-runner", step_runner),
            ("--runs", runs),
            ("--slots", slots),
        ):
            if value is not None:
                words.append(f"{option}={os.fspath(value) if not isinstance(value, int) else value}")
        for option, limit in (
            ("--reply-timeout", reply_timeout),
            ("--budget", budget),
            ("--poll", poll),
        ):
            if limit is not None:
                words.append(f"{option}={round((_seconds(limit) or 0) * 1000)}ms")
        words += ["--remotes"] * remotes + ["--supersede"] * supersede
        self._native = _native.watch(words)

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._native.done

    def start(
        self,
        *,
        repository: PathLike | None = None,
        branch: str | None = None,
        revision: str | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> str:
        """Starts a run that no change asks for, and gives its id. Without a revision it is for the last
        commit of the branch, without a branch for what is checked out. Raises `SpecError` when there is
        no such commit, or the arguments do not fit the parameters."""
        path = None if repository is None else os.path.realpath(repository)
        return self._native.start(path, branch, revision, dict(arguments or {}))

    def rerun(self, run_id: str) -> str:
        """Runs again what did not succeed in an ended run, as a new run; gives its id."""
        return self._native.rerun(run_id)

    def resume(self, run_id: str) -> None:
        """Goes on with a run that ended on hold, after somebody has decided."""
        self._native.resume(run_id)

    def stop(self) -> None:
        """Begins no new runs, and ends when those that run have. The second time those are stopped, the
        third time their teardown jobs too."""
        self._native.stop()

    def wait(self, timeout: Seconds | None = None) -> None:
        """Waits for the end. Raises `TimeoutError` after `timeout` seconds; it goes on then."""
        if not self._native.wait(_seconds(timeout)):
            raise TimeoutError("the repositories are still watched")

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        if not self.done:
            self.stop()
            self.stop()
            self.wait()

    def __repr__(self) -> str:
        return f"<Watch: {'ended' if self.done else 'goes on'}>"


@dataclass(frozen=True)
class Change:
    """A new commit or tag."""

    repository: str
    """The repository."""
    number: int
    """Grows with every change of the repository."""
    kind: Literal["commit", "tagged_commit", "tag"]
    """A commit of a branch, one that came with a tag, or a tag."""
    commit: str
    """The commit; of a tag, the one it names."""
    name: str
    """The branch or tag."""
    mark: bool
    """Whether the branch points at the commit; of a tag, whether it is annotated."""


class CommitWatcher:
    """Finds every new commit and tag of repositories, each once and in order, also over restarts: how
    far it is stands in the store. What was given out and not said to be `done` comes again after a
    crash.

    Args:
        store: keeps the positions.
        repositories: the directories.
        first: what is new in a repository that was never watched.
        remotes: whether the branches of remotes are watched too.
        poll: how often to look, whatever the system tells.
    """

    __slots__ = ("_native",)

    def __init__(
        self,
        store: Store,
        repositories: Sequence[PathLike],
        *,
        first: First = "nothing",
        remotes: bool = False,
        poll: Seconds | None = None,
    ) -> None:
        paths = [os.fspath(repository) for repository in repositories]
        self._native = _native.CommitWatcher(
            store._native, paths, first, remotes, _seconds(poll)
        )

    def next(self, timeout: Seconds | None = None) -> Change | None:
        """Waits for the next change; None if there is none within `timeout` seconds."""
        found = self._native.next(_seconds(timeout))
        if found is None:
            return None
        repository, number, kind, commit, name, mark = found
        return Change(os.fspath(repository), number, kind, commit, name, mark)

    def done(self, change: Change) -> None:
        """Says that a change is dealt with: it does not come again."""
        self._native.done(change.repository, change.number)

    def __iter__(self) -> Iterator[Change]:
        while True:
            change = self.next()
            if change is not None:
                yield change

    async def __aiter__(self) -> AsyncIterator[Change]:
        loop = asyncio.get_running_loop()
        while True:
            # In short waits, so that a canceled task leaves no thread behind.
            change = await loop.run_in_executor(None, self.next, 0.2)
            if change is not None:
                yield change


@dataclass(frozen=True)
class Decision:
    """Whether an event starts a run."""

    facts: dict[str, Any] | None
    """What the run is for, as the option `facts` takes it; None if there is none."""
    why: str | None
    """Why there is no run."""

    def __bool__(self) -> bool:
        return self.facts is not None


class Triggers:
    """Which events start a run. `Triggers()` has every event but schedules.

    Args:
        text: the form of `.ci/triggers.yml`, as YAML or JSON.
    """

    __slots__ = ("_native",)

    def __init__(self, text: str | None = None) -> None:
        native = _native.Triggers
        self._native = native.everything() if text is None else native.from_yaml(text)

    def decide(self, kind: str, **event: Any) -> Decision:
        """Whether an event starts a run: `kind` is `push` (with `branch`), `merge_request` (`source`,
        `target`, `number`), `tag` (`name`, `annotated`), `schedule` (`name`), `manual` or `api`; each
        may have `revision`, `message`, `changed_paths` and `arguments`. Raises `SpecError` for arguments
        that do not fit.

        >>> from ci_core import Triggers
        >>> Triggers().decide("push", branch="main", message="typo [skip ci]").why
        'the commit message says `[skip ci]`'
        """
        return Decision(*self._native.decide(json.dumps({"kind": kind, **event})))
