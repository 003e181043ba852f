"""Test reports, coverage and splits from paths, bytes and open files."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ci_core import ReportError, reports
from ci_core.reports import iter_tests, read_coverage, read_tests, split

JUNIT = b"""<testsuites><testsuite name="s">
<testcase classname="c" name="good" time="0.25" file="a.py" line="3"/>
<testcase classname="c" name="bad"><failure message="no" type="E">trace</failure>
<system-out>out</system-out></testcase>
<testcase classname="c" name="later"><skipped/></testcase>
</testsuite></testsuites>"""
LCOV = b"SF:a.py\nDA:1,3\nDA:2,0\nend_of_record\n"


def sources(data: bytes, tmp_path: Path) -> list[Any]:
    """The same bytes in every shape that is read."""
    path = tmp_path / "report"
    path.write_bytes(data)
    return [
        data,
        path,
        str(path),
        io.BytesIO(data),
        io.StringIO(data.decode()),
        gzip.compress(data),
        path.open("rb"),
    ]


def test_test_reports_are_read_from_everywhere(tmp_path: Path) -> None:
    for source in sources(JUNIT, tmp_path):
        report = read_tests(source)
        assert (report.format, len(report), report.success) == ("junit", 3, False)
        assert report.counts["skipped"] == 1
        if isinstance(source, io.BufferedReader):
            source.close()
    (bad,) = report.failed()
    assert (bad.class_name, bad.name, bad.outcome, bad.suite) == ("c", "bad", "failed", "s")
    assert (bad.message, bad.kind, bad.body, bad.stdout) == ("no", "E", "trace", "out")
    good = report.cases()[0]
    assert (good.time, good.file, good.line, good.message) == (0.25, "a.py", 3, None)
    assert good.to_dict()["class"] == "c"
    assert read_tests(report.to_junit()).counts == report.counts


def test_tests_are_iterated(tmp_path: Path) -> None:
    for source in sources(JUNIT, tmp_path):
        tests = iter_tests(source)
        assert [test.name for test in tests] == ["good", "bad", "later"]
        assert tests.counts["tests"] == 3
        assert tests.format == "junit"
        assert list(tests) == []
        if isinstance(source, io.BufferedReader):
            source.close()


def test_what_a_file_raises_is_what_the_caller_sees(tmp_path: Path) -> None:
    error = OSError("cable cut")

    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise error

    for read in (read_tests, read_coverage, lambda source: next(iter_tests(source))):
        with pytest.raises(OSError) as caught:
            read(Broken())
        assert caught.value is error
        with pytest.raises(FileNotFoundError) as missing:
            read(tmp_path / "missing.xml")
        assert missing.value.filename == str(tmp_path / "missing.xml") or str(
            missing.value.filename
        ) == str(tmp_path / "missing.xml")
    with pytest.raises(TypeError, match="a report is a path"):
        read_tests(3)  # type: ignore[arg-type]


def test_damage_is_told_and_not_raised() -> None:
    report = read_tests(JUNIT[:200])
    assert report.truncated
    assert report.diagnostics[-1]["kind"] == "truncated"
    assert read_tests(b"hello").format is None


def test_iterating_needs_no_more_memory_for_more_tests() -> None:
    code = """
import io, resource, sys
from ci_core.reports import iter_tests

class Many(io.RawIOBase):
    def __init__(self, count): self.count, self.sent = count, 0
    def read(self, size=-1):
        if self.sent == 0: self.sent = 1; return b"<testsuite>"
        if self.sent > self.count: return b""
        last = min(self.sent + 1000, self.count + 1)
        piece = b"".join(b'<testcase classname="c" name="n%d" time="0.1"/>' % i for i in range(self.sent, last))
        self.sent = last
        return piece + (b"</testsuite>" if last > self.count else b"")

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert sum(1 for _ in iter_tests(Many(5_000))) == 5_000
before = peak()
assert sum(1 for _ in iter_tests(Many(200_000))) == 200_000
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 4 << 20


def test_coverage_is_read_merged_judged_and_written(tmp_path: Path) -> None:
    for source in sources(LCOV, tmp_path):
        coverage = read_coverage(source)
        assert coverage.totals.lines == reports.Ratio(1, 2)
        if isinstance(source, io.BufferedReader):
            source.close()
    assert coverage.format == "lcov"
    assert coverage.files == ("a.py",)
    file = coverage.file("a.py")
    assert (file.hits, file.missed, file.totals.lines.percent) == ({1: 3, 2: 0}, (2,), 50.0)
    with pytest.raises(KeyError):
        coverage.file("b.py")
    other = read_coverage(b"SF:a.py\nDA:2,1\nend_of_record\n")
    merged = coverage | other
    assert merged.totals.lines.percent == 100.0
    assert merged == other | coverage == read_coverage(LCOV, other.write())
    verdict = coverage.check(lines=80.0)
    assert not verdict
    assert "50" in str(verdict)
    assert merged.check(lines=80.0)
    assert read_coverage(merged.write("cobertura")).totals.lines == merged.totals.lines
    with pytest.raises(ReportError):
        read_coverage(b"no coverage in here")
    with pytest.raises(ValueError, match="is no format"):
        coverage.write("xml")  # type: ignore[arg-type]


def test_names_are_shared_out(tmp_path: Path) -> None:
    timings = {"a.py": 30.0, "b.py": 20.0, "c.py": 10.0}
    shared = split(["a.py", "b.py", "c.py"], 2, timings=timings)
    assert shared.shards == (("a.py",), ("b.py", "c.py"))
    assert shared.weights == (30.0, 30.0)
    report = tmp_path / "junit.xml"
    report.write_bytes(JUNIT)
    shared = split(["a.py", "z.py"], 3, timings=[report])
    assert len(shared.shards) == 3
    assert shared.unmatched == ("z.py",)
    assert split("ba", 2, by="name").shards == (("a",), ("b",))
    with pytest.raises(ValueError):
        split(["a"], 0)
    with pytest.raises(ValueError, match="no way to split"):
        split(["a"], 1, by="luck")  # type: ignore[arg-type]
