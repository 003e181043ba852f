"""Fails unless the versions of requirements.txt are what pyproject.toml asks for."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Gives 1 and says why if they differ."""
    project = (HERE.parent / "pyproject.toml").read_text()
    lines = (HERE / "requirements.txt").read_text().split()
    pinned = {name.lower(): version for name, version in (line.split("==") for line in lines)}
    wrong = []
    for name, least, most in re.findall(r'"([\w-]+) \(>=([\d.]+)(?:,<([\d.]+))?\)', project):
        version = pinned.get(name.lower())
        if name == "poetry-core":
            continue
        if version is None or not number(least) <= number(version) < number(most or "9999"):
            wrong.append(f"`{name}` is {version} in requirements.txt, and pyproject.toml asks for {least} to {most}")
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    return bool(wrong)


def number(version: str) -> list[int]:
    """A version to compare with."""
    return [int(part) for part in version.split(".")]


sys.exit(main())
