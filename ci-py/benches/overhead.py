"""What Python costs: runs of native and of Python steps, and reading a large JUnit file.

    python ci-py/benches/overhead.py [--quick]

Build the module with `maturin develop --profile dist` first. Peers are measured in the same run where they
are installed: `pip install junitparser lxml test-results-parser`.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ci_core
from ci_core import Workflow, WorkflowSpec, _native, _run
from ci_core.reports import iter_tests, read_tests


def least(rounds: int, *works: Callable[[], object]) -> list[float]:
    """The least time of each, in seconds. In a round each has its turn, so that what else the machine does
    falls on all alike."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, taken in zip(works, times):
            gc.collect()
            began = time.perf_counter()
            work()
            taken.append(time.perf_counter() - began)
    return [min(taken) for taken in times]


def native_steps(count: int, rounds: int) -> None:
    """Jobs without steps: from Python, beside the part of it that is Rust, which plans and runs them."""
    spec = WorkflowSpec.from_dict(
        {"version": 1, "name": "w", "jobs": {f"j{i}": {} for i in range(count)}}
    )
    options, _ = _run._prepare({}, {}, False, None)
    rust, python = least(
        rounds, lambda: _native.start(spec._native, options, True), lambda: spec.run()
    )
    print(
        f"{count} native jobs: {python * 1e3:.2f} ms,"
        f" {python / rust:.3f} times the {rust * 1e3:.2f} ms in Rust"
    )


def python_steps(count: int, rounds: int) -> None:
    """Steps in Python, beside jobs without steps, and beside calling the function."""

    def nothing(ctx: object) -> None:
        pass

    one = Workflow("w").job("j", *[nothing] * count)
    none = Workflow("w").job("j")
    spec, empty = one.build(), none.build()

    def call() -> None:
        for _ in range(count):
            nothing(None)

    with_steps, without, called = least(
        rounds, lambda: spec.run(steps=one.steps), lambda: empty.run(), call
    )
    each = (with_steps - without - called) / count
    print(f"a step in Python: {each * 1e6:.1f} µs over calling it")


def junit(path: Path, megabytes: int) -> None:
    """Writes a JUnit file of about so many megabytes."""
    case = (
        '<testcase classname="package.module.TestClass{0}" name="test_something_{0}" time="0.0{1}"'
        ' file="tests/test_module_{1}.py" line="{0}"/>\n'
    )
    failed = (
        '<testcase classname="package.module.TestClass{0}" name="test_failing_{0}" time="1.5">'
        '<failure message="assert {0} == 1" type="AssertionError">Traceback &lt;{0}&gt;\n'
        "  line 1\n  line 2</failure></testcase>\n"
    )
    with path.open("w") as out:
        out.write('<testsuites><testsuite name="all">\n')
        index = 0
        while out.tell() < megabytes << 20:
            for _ in range(1000):
                out.write((failed if index % 20 == 0 else case).format(index, index % 10))
                index += 1
        out.write("</testsuite></testsuites>\n")


def reports(megabytes: int, rounds: int) -> None:
    """Reads a JUnit file, and lets peers do the same: every test's name, time and outcome."""
    with tempfile.TemporaryDirectory() as dir:
        path = Path(dir) / "junit.xml"
        junit(path, megabytes)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        def iterate() -> int:
            return sum(1 for case in iter_tests(path) if case.name and case.outcome)

        iterate()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        rows = [
            ("ci_core.iter_tests", iterate),
            ("ci_core.read_tests", lambda: read_tests(path)),
            *peers(path),
        ]
        times = least(rounds, *(read for _, read in rows))
        print(f"\nJUnit, {megabytes} MB, the least of {rounds}; iterating took {grown / 1024:.1f} MiB:")
        for (name, _), seconds in zip(rows, times):
            print(f"  {name:28} {seconds:7.3f} s  {seconds / times[0]:5.2f} times")


def peers(path: Path) -> list[tuple[str, Callable[[], object]]]:
    """The parsers that are installed."""
    found: list[tuple[str, Callable[[], object]]] = []

    def has(name: str) -> bool:
        return importlib.util.find_spec(name) is not None

    if has("lxml"):
        from lxml import etree

        def with_lxml() -> int:
            count = 0
            for _, case in etree.iterparse(str(path), tag="testcase"):
                count += case.get("name") is not None and case.find("failure") is None
                case.clear()
            return count

        found.append(("lxml.etree.iterparse", with_lxml))
    if has("junitparser"):
        from junitparser import JUnitXml

        def with_junitparser() -> int:
            suites = JUnitXml.fromfile(str(path))
            return sum(1 for suite in suites for case in suite if case.name and case.is_passed)

        found.append(("junitparser", with_junitparser))
    if has("test_results_parser"):
        import test_results_parser

        def with_codecov() -> object:
            return test_results_parser.parse_junit_xml(path.read_bytes())

        if hasattr(test_results_parser, "parse_junit_xml"):
            found.append(("test_results_parser", with_codecov))
    return found


def main() -> None:
    """Measures everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, to see that it works")
    quick = parser.parse_args().quick
    if ci_core._native.DEBUG_BUILD:
        print("a debug build: the numbers mean little")
    native_steps(1000 if quick else 10_000, 1 if quick else 30)
    python_steps(1000 if quick else 10_000, 1 if quick else 10)
    reports(2 if quick else 50, 1 if quick else 5)


if __name__ == "__main__":
    main()
