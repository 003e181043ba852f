"""The command line: `python -m ci_core run` is what `ci run` is."""

from __future__ import annotations

import signal
import sys
import sysconfig
from pathlib import Path

from . import _native


def main() -> int:
    """Does what was typed, and gives the exit code."""
    # The command line has its own handler while it runs a workflow; otherwise Ctrl-C ends it at once.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Jobs that call the vendor's program come back to this one, which has to be a program then.
    program = Path(sysconfig.get_path("scripts")) / "ci-core"
    if program.is_file():
        _native.set_program(program)
    return _native.cli(["ci", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
