"""The exceptions, all below `CiError`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._report import RunReport


class CiError(Exception):
    """Something that `ci_core` could not do.

    Attributes:
        kind: the sort of trouble in a word, where there are several.
        hints: what to do next, one sentence each.
    """

    def __init__(
        self, message: str = "", *, kind: str | None = None, hints: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.hints = tuple(hints)

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword arguments do not survive the usual way, in which the class is called with `args`.
        return _remake, (type(self), self.args, self.__dict__)


def _remake(kind: type[CiError], args: tuple[Any, ...], attributes: dict[str, Any]) -> CiError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class InvalidWorkflow(CiError, ValueError):
    """A workflow that cannot run.

    Attributes:
        problems: everything that is wrong with it.
    """

    def __init__(self, message: str = "", *, problems: Sequence[str] = (), **more: Any) -> None:
        super().__init__(message, **more)
        self.problems = tuple(problems)


class SpecError(CiError, ValueError):
    """A file or text that is no workflow.

    Attributes:
        path: the file, where there is one.
        line: the line, from 1.
        column: the column, from 1.
    """

    def __init__(
        self,
        message: str = "",
        *,
        path: Path | None = None,
        line: int | None = None,
        column: int | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message, **more)
        self.path = path
        self.line = line
        self.column = column


class RunError(CiError, RuntimeError):
    """A run could not be done. A run whose jobs failed is no error but a report."""


class NotFound(CiError, LookupError):
    """The run is not in the store."""


class StoreError(CiError):
    """The run store or the storage could not do its work."""


class ExecutorError(CiError):
    """An executor could not do its work."""


class ReportError(CiError, ValueError):
    """Bytes that are no report."""


class ForkError(CiError, RuntimeError):
    """The process is a fork of one in which the engine ran: its threads did not come along."""


class WorkflowFailed(CiError):
    """A run did not succeed; raised by `RunReport.raise_for_failure`.

    Attributes:
        report: how the run ended.
    """

    report: RunReport

    def __init__(self, message: str = "", *, report: RunReport, **more: Any) -> None:
        super().__init__(message, **more)
        self.report = report
