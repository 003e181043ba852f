"""How steps, jobs and runs end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "success",
    "failed",
    "timed_out",
    "canceled",
    "skipped",
    "not_run",
    "on_hold",
    "interrupted",
    "infrastructure_failure",
]


@dataclass(frozen=True)
class Outcome:
    """How a step or a job ended.

    `Outcome.success()`, `Outcome.failed("why")` and `Outcome.skipped("why")` make those that steps
    return.
    """

    kind: Kind
    """The name; the names are a contract of the JSON output."""
    exit_code: int | None = None
    """The exit code, where a process ended by itself; zero for success."""
    signal: int | None = None
    """The number of the signal that ended the process, where one did."""
    reason: str | None = None
    """The details in words, where the name does not say it all."""
    limit: str | None = None
    """Which clock ran out, if one did."""
    cancel: str | None = None
    """Why it was canceled, if it was."""

    @classmethod
    def success(cls) -> Outcome:
        """All that was asked for was done."""
        return cls("success", exit_code=0)

    @classmethod
    def failed(cls, reason: str, *, exit_code: int | None = None) -> Outcome:
        """The work ran and said no."""
        return cls("failed", reason=reason, exit_code=exit_code)

    @classmethod
    def skipped(cls, reason: str) -> Outcome:
        """It was not meant to run here."""
        return cls("skipped", reason=reason)

    @classmethod
    def infrastructure_failure(cls, reason: str) -> Outcome:
        """What the work stands on broke: no verdict about the work."""
        return cls("infrastructure_failure", reason=reason)

    @property
    def is_success(self) -> bool:
        """Whether it is `success`."""
        return self.kind == "success"

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}" if self.reason else self.kind

    def to_json(self) -> str:
        """The JSON form of the engine."""
        fields: dict[str, Any] = {"outcome": self.kind, "exit_code": self.exit_code, "signal": self.signal}
        fields |= {"limit": self.limit, "cancel": self.cancel, "reason": self.reason}
        return json.dumps({name: value for name, value in fields.items() if value is not None})

    @classmethod
    def _of(cls, fields: dict[str, Any], reason: str | None) -> Outcome:
        return cls(
            fields["outcome"],
            fields.get("exit_code"),
            fields.get("signal"),
            reason,
            fields.get("limit"),
            fields.get("cancel"),
        )


@dataclass(frozen=True)
class ExitStatus:
    """How a command ended: with a `code`, by a `signal`, or as `how` says."""

    how: Literal["code", "signal", "out_of_memory", "stopped"]
    """What ended it."""
    number: int | None = None
    """The code or the number of the signal."""

    @property
    def is_success(self) -> bool:
        """Whether the code is zero."""
        return self.how == "code" and self.number == 0

    @property
    def code(self) -> int | None:
        """The exit code, where it ended by itself."""
        return self.number if self.how == "code" else None

    @property
    def outcome(self) -> Outcome:
        """The outcome of a step that consists of the command."""
        if self.is_success:
            return Outcome.success()
        if self.how == "code":
            return Outcome("failed", exit_code=self.number)
        if self.how == "signal":
            return Outcome("failed", signal=self.number)
        if self.how == "out_of_memory":
            return Outcome("failed", reason="ended because memory ran out")
        return Outcome("canceled", cancel="requested")
