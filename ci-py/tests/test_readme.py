"""The examples in Python of the README do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Beside the tests where they were copied to, else at the root of the repository.
README = next(
    path for path in (TESTS.parent / "README.md", TESTS.parents[1] / "README.md")
    if "```python" in path.read_text()
)
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_there_are_examples() -> None:
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("index", range(len(BLOCKS)))
def test_example(index: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[index], f"README.md, block {index}", "exec"), {"__name__": "readme"})
