"""The tests of the greeting."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "app"))

from greeting import greeting


def test_it_names_somebody():
    assert greeting("Ada") == "Hello, Ada!"


def test_nobody_is_you():
    assert greeting(" ") == "Hello, you!"
