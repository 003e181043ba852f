"""The engine below the package `ci_core`, written in Rust. What programs use is in the package."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Protocol, Union, final
import os

from ._outcome import Kind


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes | str: ...

_Source = Union[str, os.PathLike[str], bytes, _Readable]
_StreamName = Literal["stdout", "stderr", "engine"]
_Pair = tuple[int, int]
_Line = tuple[str, int, int, _StreamName, int, bytes]

__all__ = [
    "AWS",
    "DEBUG_BUILD",
    "DOCKER",
    "__version__",
    "ArtifactFile",
    "CommitWatcher",
    "Context",
    "Coverage",
    "History",
    "Io",
    "LogReader",
    "NativeExecutor",
    "Run",
    "Spec",
    "StepRunner",
    "Storage",
    "Store",
    "TestCase",
    "TestCases",
    "TestReport",
    "Tree",
    "Triggers",
    "Watch",
    "cli",
    "close_executors",
    "compare_versions",
    "docker_executor",
    "executor_of",
    "failed_in_store",
    "flaky_in_store",
    "highest_version",
    "is_version",
    "iter_tests",
    "load",
    "local_executor",
    "moves_latest",
    "one_test",
    "page_of",
    "quiesce",
    "read_coverage",
    "read_tests",
    "rerun",
    "rerun_arguments",
    "resume",
    "set_program",
    "sort_versions",
    "split",
    "start",
    "test_times",
    "view_of",
    "watch",
]

__version__: str
DEBUG_BUILD: bool
AWS: bool
DOCKER: bool

@final
class Spec:
    """A workflow as data."""

    @staticmethod
    def from_json(text: str) -> Spec: ...
    @staticmethod
    def from_yaml(text: str) -> Spec: ...
    @staticmethod
    def from_file(path: str | os.PathLike[str]) -> Spec: ...
    def to_json(self) -> str: ...
    def to_yaml(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def jobs(self) -> list[str]: ...
    def validate(self) -> None: ...
    def plan(self, facts: str) -> list[tuple[str, list[str]]]: ...
    def draw(self, language: str, facts: str) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Run:
    """A run that goes on."""

    @property
    def id(self) -> str: ...
    @property
    def jobs(self) -> list[str]: ...
    @property
    def done(self) -> bool: ...
    def cancel(self, job: str | None, teardown: bool) -> bool: ...
    def decide(self, job: str, approved: bool, by: str) -> bool: ...
    def when_done(self, callback: Callable[[], object]) -> None: ...
    def wait(self, timeout: float | None) -> bool: ...
    def report(self) -> dict[str, Any]: ...
    def job_reports(self) -> list[tuple[Any, ...]]: ...

def start(spec: Spec, options: SimpleNamespace, to_end: bool) -> Run: ...
def resume(run: str, options: SimpleNamespace) -> Run: ...
def rerun(run: str, options: SimpleNamespace) -> Run: ...
@final
class Context:
    """What a step may see and do while it runs."""

    @property
    def run_id(self) -> str: ...
    @property
    def job(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def index(self) -> int: ...
    @property
    def given(self) -> Any: ...
    @property
    def facts(self) -> dict[str, Any]: ...
    @property
    def env(self) -> dict[str, str]: ...
    @property
    def canceled(self) -> bool: ...
    def set_env(self, name: str, value: str) -> None: ...
    def warn(self, message: str) -> None: ...
    def write(self, stream: _StreamName, data: bytes) -> None: ...
    def exec(
        self, words: str | list[str], env: dict[str, str], dir: str | None
    ) -> tuple[Literal["code", "signal", "out_of_memory", "stopped"], int | None]: ...
    def dirs(self) -> tuple[str, str, Path | None]: ...
    def approval(self, prompt: str | None, deadline: float | None) -> bool | None: ...

@final
class NativeExecutor:
    """An executor of the engine."""

    @property
    def name(self) -> str: ...
    @property
    def limit(self) -> int | None: ...

def local_executor(name: str, options: str) -> NativeExecutor: ...
def docker_executor(options: dict[str, Any]) -> NativeExecutor: ...
def executor_of(name: str, kind: str, options: str) -> NativeExecutor: ...
def close_executors() -> None: ...
@final
class Io:
    """Where the output of a command goes, and what stops it."""

    def write(self, stream: _StreamName, data: bytes) -> None: ...
    @property
    def canceled(self) -> bool: ...
    def wait_canceled(self, timeout: float) -> bool: ...

@final
class Tree:
    """A tar archive as an open file."""

    def read(self, size: int = -1) -> bytes: ...

@final
class Store:
    """Keeps runs."""

    @staticmethod
    def open(path: str | None) -> Store: ...
    @staticmethod
    def memory() -> Store: ...
    @property
    def path(self) -> Path | None: ...
    def runs(
        self,
        workflow: str | None,
        branch: str | None,
        revision: str | None,
        outcome: Kind | None,
        offset: int,
        limit: int | None,
    ) -> tuple[int, list[dict[str, Any]]]: ...
    def load(
        self, run: str
    ) -> tuple[dict[str, Any], Spec, dict[str, Any], list[dict[str, Any]]]: ...
    def log(
        self, run: str, job: str | None, attempt: int | None, step: int | None
    ) -> list[_Line]: ...
    def follow_log(
        self, run: str, job: str | None, attempt: int | None, step: int | None
    ) -> LogReader: ...
    def version(self) -> int | None: ...
    def tests(
        self,
        run: str | None,
        workflow: str | None,
        branch: str | None,
        job: str | None,
        runs: int | None,
    ) -> list[dict[str, Any]]: ...
    def coverage(
        self,
        run: str | None,
        workflow: str | None,
        branch: str | None,
        job: str | None,
        runs: int | None,
    ) -> list[dict[str, Any]]: ...
    def mark(self, key: str) -> str | None: ...
    def set_mark(self, key: str, old: str | None, new: str) -> bool: ...
    def cancel(self, run: str, job: str | None, by: str) -> None: ...
    def decide(self, run: str, job: str, approved: bool, by: str) -> None: ...
    def prune(self, max_age: float | None, max_runs: int | None) -> list[str]: ...

@final
class LogReader:
    """Reads logs piece by piece."""

    def read(self) -> list[_Line]: ...
    def finish(self) -> list[_Line]: ...

@final
class Storage:
    """The directory of caches, workspaces and artifacts."""

    @staticmethod
    def open(dir: str | None) -> Storage: ...
    @property
    def path(self) -> Path: ...
    def artifacts(self, run: str, job: str | None) -> list[dict[str, Any]]: ...
    def open_artifact(self, digest: str) -> ArtifactFile: ...
    def export(self, run: str, job: str, dest: str) -> list[Path]: ...

@final
class ArtifactFile:
    """An artifact as an open file."""

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; all of them by default. Nothing at the end."""

@final
class StepRunner:
    """A step runner, and how patient to be with it."""

    def __new__(
        cls,
        address: str,
        reply_timeout: float | None,
        budget: float | None,
        attempts: int | None,
    ) -> StepRunner: ...
    @property
    def address(self) -> str: ...
    def workflow(self) -> Spec: ...

@final
class Watch:
    """Repositories that are watched, and runs for what is new in them."""

    @property
    def done(self) -> bool: ...
    def start(
        self,
        repository: str | None,
        branch: str | None,
        revision: str | None,
        arguments: dict[str, str],
    ) -> str: ...
    def rerun(self, run: str) -> str: ...
    def resume(self, run: str) -> None: ...
    def stop(self) -> None: ...
    def wait(self, timeout: float | None) -> bool: ...

def view_of(
    store: Store, run: str, storage: Storage | None, log_bytes: int
) -> dict[str, Any]: ...
def page_of(
    store: Store, run: str, language: str, storage: Storage | None, log_bytes: int
) -> str: ...
def watch(words: list[str]) -> Watch: ...
@final
class CommitWatcher:
    """Finds every new commit and tag of repositories, each once and in order."""

    def __new__(
        cls, store: Store, repositories: list[str], first: str, remotes: bool, poll: float | None
    ) -> CommitWatcher: ...
    def next(
        self, timeout: float | None
    ) -> (
        tuple[Path, int, Literal["commit", "tagged_commit", "tag"], str, str, bool] | None
    ): ...
    def done(self, repository: str, number: int) -> None: ...

@final
class Triggers:
    """Which events start a run, and with what."""

    @staticmethod
    def everything() -> Triggers: ...
    @staticmethod
    def from_yaml(text: str) -> Triggers: ...
    def decide(self, event: str) -> tuple[dict[str, Any] | None, str | None]: ...
    def __eq__(self, other: object, /) -> bool: ...

def is_version(tag: str) -> bool: ...
def compare_versions(a: str, b: str, by: str) -> int: ...
def sort_versions(versions: list[str], by: str) -> list[str]: ...
def highest_version(tags: list[str], by: str) -> str | None: ...
def moves_latest(
    tag: str,
    current: str | None,
    strategy: str,
    by: str,
    kind: str | None,
    git_object: str | None,
) -> tuple[bool, list[tuple[str, str]]]: ...
@final
class History:
    """What many runs said of tests."""

    def __new__(cls) -> History: ...
    def add(
        self, report: TestReport, run: str, revision: str | None, time: int, job: str
    ) -> None: ...
    def tests(self) -> list[dict[str, Any]]: ...
    def quarantine(self, min_score: float) -> list[str]: ...

def flaky_in_store(
    store: Store, workflow: str | None, branch: str | None, runs: int
) -> list[dict[str, Any]]: ...
def failed_in_store(store: Store, run: str) -> list[dict[str, Any]]: ...
def rerun_arguments(
    runner: str, tests: list[tuple[str, str, str | None]]
) -> list[str]: ...
def load(words: list[str]) -> dict[str, Any]: ...
def cli(words: list[str]) -> int: ...
def quiesce(limit: float) -> bool: ...
def set_program(program: str | os.PathLike[str]) -> None: ...
@final
class TestCase:
    """One test of a report, immutable."""

    @property
    def suite(self) -> str:
        """The suite around it."""
    @property
    def class_name(self) -> str:
        """Its class, module or group."""
    @property
    def name(self) -> str:
        """Its name."""
    @property
    def file(self) -> str | None:
        """The file that it stands in."""
    @property
    def line(self) -> int | None:
        """The line that it stands at."""
    @property
    def time(self) -> float | None:
        """How many seconds it took."""
    @property
    def outcome(self) -> Literal["passed", "skipped", "failed", "error"]:
        """How it ended: the worst of its results."""
    @property
    def flaky(self) -> bool:
        """Whether it passed after it had failed."""
    @property
    def attempt(self) -> int:
        """Which run of the case it is, from 1."""
    @property
    def message(self) -> str | None:
        """The message of the result that made the outcome."""
    @property
    def kind(self) -> str | None:
        """The type of exception or assertion of that result."""
    @property
    def body(self) -> str | None:
        """The text of that result, usually a stack trace."""
    @property
    def stdout(self) -> str:
        """What it wrote to standard output."""
    @property
    def stderr(self) -> str:
        """What it wrote to standard error."""
    @property
    def properties(self) -> list[tuple[str, str]]:
        """Its properties; a name may stand several times."""
    @property
    def attachments(self) -> list[str]:
        """Paths of files that belong to it."""
    def to_dict(self) -> dict[str, Any]:
        """Everything that the report says of it."""
    def __eq__(self, other: object, /) -> bool: ...

@final
class TestReport:
    """A test report, immutable."""

    @property
    def format(self) -> str | None:
        """The format it was in, unless it was none."""
    @property
    def counts(self) -> dict[str, Any]:
        """All cases counted: `tests`, `passed`, `failed`, `errors`, `skipped`, `flaky`, `time`."""
    @property
    def truncated(self) -> bool:
        """Whether it ends in the middle."""
    @property
    def success(self) -> bool:
        """Whether nothing failed, and the report is one and is complete."""
    @property
    def diagnostics(self) -> list[dict[str, Any]]:
        """What is wrong with it."""
    def cases(self) -> list[TestCase]:
        """All cases."""
    def failed(self) -> list[TestCase]:
        """The cases that failed or broke."""
    def to_junit(self) -> bytes:
        """The report as JUnit XML."""
    def to_dict(self) -> dict[str, Any]:
        """Everything that it says."""
    def __len__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class TestCases(Iterator[TestCase]):
    """The tests of a report, one after the other, as they are read."""

    def __next__(self) -> TestCase: ...
    @property
    def counts(self) -> dict[str, Any]:
        """What was counted so far."""
    @property
    def diagnostics(self) -> list[dict[str, Any]]:
        """What is wrong with the report, as far as it was read."""
    @property
    def format(self) -> str | None:
        """The format, known at the end."""

def read_tests(source: _Source) -> TestReport: ...
def iter_tests(source: _Source) -> TestCases: ...
def one_test(junit: bytes) -> TestCase: ...
def test_times(files: list[str]) -> dict[str, float]: ...
@final
class Coverage:
    """Coverage of any number of files."""

    def __new__(cls) -> Coverage: ...
    def totals(self) -> tuple[_Pair, _Pair, _Pair]: ...
    @property
    def files(self) -> list[str]: ...
    def file(self, path: str) -> dict[str, Any]: ...
    def merge(self, other: Coverage) -> Coverage: ...
    def check(self, limits: dict[str, float | None], diff: str | None) -> tuple[bool, str]: ...
    def write(self, format: str) -> bytes: ...
    def __len__(self) -> int: ...

def read_coverage(source: _Source) -> tuple[Coverage, str, list[dict[str, Any]]]: ...
def split(
    names: list[str], shards: int, by: str, timings: dict[str, float]
) -> tuple[list[list[str]], dict[str, Any]]: ...
