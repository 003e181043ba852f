"""Refuses pinned requirements for which an advisory is known, from the list beside this file."""

import json
import sys
from pathlib import Path


def main() -> int:
    """The number of requirements that are refused."""
    known = json.loads(Path(__file__).with_name("advisories.json").read_text(encoding="utf-8"))
    found = 0
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").split():
        name, _, version = line.partition("==")
        if version in known.get(name, []):
            print(f"{name} {version} has a known vulnerability")
            found += 1
    print(f"{found} vulnerabilities")
    return found


if __name__ == "__main__":
    sys.exit(main())
