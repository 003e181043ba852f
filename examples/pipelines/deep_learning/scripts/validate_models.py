"""Loads every model of a directory and tries it."""

import sys
import time
from pathlib import Path

from samo.models import load_model


def main() -> None:
    """Prints how long each took."""
    for directory in sorted(Path(sys.argv[1]).iterdir()):
        begun = time.perf_counter()
        scores = load_model(directory.name).predict("happy")
        took = (time.perf_counter() - begun) * 1000
        print(f"{directory.name}: {len(scores)} emotions, loaded and tried in {took:.1f} ms")


if __name__ == "__main__":
    main()
