//! Knows the format of a report from its first bytes.

use super::keys::keys;

/// The formats of coverage reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// LCOV tracefiles, 1 and 2.
    Lcov,
    /// The coverprofile of `go test`.
    Go,
    /// The annotated source that `gcov` writes.
    GcovText,
    /// The JSON of `gcov --json-format`.
    GcovJson,
    /// The JSON of `gcovr`.
    GcovrJson,
    /// The JSON summary of `gcovr`: sums only.
    GcovrSummary,
    /// The JSON of Coveralls, and of `excoveralls`.
    Coveralls,
    /// The JSON of coverage.py.
    CoveragePy,
    /// Istanbul's `coverage-final.json`.
    Istanbul,
    /// Istanbul's `coverage-summary.json`: sums only.
    IstanbulSummary,
    /// `SimpleCov`'s `.resultset.json` and `coverage.json`.
    SimpleCov,
    /// The JSON of `llvm-cov export`.
    LlvmCov,
    /// Codecov's own JSON.
    Codecov,
    /// Cobertura XML.
    Cobertura,
    /// `JaCoCo` XML.
    Jacoco,
    /// Clover XML.
    Clover,
    /// `OpenCover` XML.
    OpenCover,
    /// The generic coverage XML of Sonar.
    Sonar,
}

impl Format {
    /// Its name in JSON and on command lines, such as `coverage-py`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lcov => "lcov",
            Self::Go => "go",
            Self::GcovText => "gcov-text",
            Self::GcovJson => "gcov-json",
            Self::GcovrJson => "gcovr-json",
            Self::GcovrSummary => "gcovr-summary",
            Self::Coveralls => "coveralls",
            Self::CoveragePy => "coverage-py",
            Self::Istanbul => "istanbul",
            Self::IstanbulSummary => "istanbul-summary",
            Self::SimpleCov => "simple-cov",
            Self::LlvmCov => "llvm-cov",
            Self::Codecov => "codecov",
            Self::Cobertura => "cobertura",
            Self::Jacoco => "jacoco",
            Self::Clover => "clover",
            Self::OpenCover => "open-cover",
            Self::Sonar => "sonar",
        }
    }
}

/// The format of the text that begins with `head`.
pub(in super::super) fn detect(head: &str) -> Option<Format> {
    let text = head.trim_start_matches('\u{feff}').trim_start();
    match text.as_bytes().first()? {
        b'<' => detect_xml(text),
        b'{' | b'[' => detect_json(text),
        _ => detect_lines(head),
    }
}

fn detect_lines(head: &str) -> Option<Format> {
    let mut lines = head.lines().filter(|line| !line.trim().is_empty());
    lines.by_ref().take(50).find_map(|line| {
        let line = line.trim_start();
        let lcov = ["TN:", "SF:", "DA:", "FN:", "end_of_record"];
        if line.starts_with("mode:") || is_go_block(line) {
            Some(Format::Go)
        } else if lcov.iter().any(|record| line.starts_with(record)) {
            Some(Format::Lcov)
        } else if line.split_once(':').is_some_and(|(count, rest)| {
            let (number, _) = rest.split_once(':').unwrap_or_default();
            count == "-" && number.trim() == "0"
        }) {
            Some(Format::GcovText)
        } else {
            None
        }
    })
}

/// Whether it is `file:line.col,line.col statements count`, as of a profile without its first line.
fn is_go_block(line: &str) -> bool {
    let numbers = line.rsplit_once(':').map_or("", |(_, numbers)| numbers);
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | ' ');
    numbers.matches('.').count() == 2
        && numbers.matches(' ').count() == 2
        && numbers.contains(',')
        && numbers.chars().all(digits)
}

fn detect_xml(text: &str) -> Option<Format> {
    let mut tags = start_tags(text);
    let root = tags.next()?;
    match name_of(root) {
        "CoverageSession" => return Some(Format::OpenCover),
        "report" => return Some(Format::Jacoco),
        "coverage" => {}
        _ => return None,
    }
    for mark in ["line-rate", "branch-rate", "lines-valid"] {
        if root.contains(mark) {
            return Some(Format::Cobertura);
        }
    }
    if root.contains("clover") || root.contains("generated=") {
        return Some(Format::Clover);
    }
    tags.find_map(|tag| match name_of(tag) {
        "project" | "testproject" => Some(Format::Clover),
        "file" | "lineToCover" => Some(Format::Sonar),
        "packages" | "sources" | "class" => Some(Format::Cobertura),
        _ => None,
    })
    // An empty report of Sonar has a version and nothing else.
    .or_else(|| root.contains("version=").then_some(Format::Sonar))
}

/// The start tags, without their brackets.
fn start_tags(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = &rest[rest.find('<')?..];
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = &comment[comment.find("-->")?..];
                continue;
            }
            let end = rest.find('>').unwrap_or(rest.len());
            let tag = &rest[1..end.max(1)];
            rest = &rest[end..];
            if !tag.starts_with(['?', '!', '/']) {
                return Some(tag);
            }
        }
    })
}

/// The name of a tag, without its prefix.
fn name_of(tag: &str) -> &str {
    let end = tag.find(|c: char| c.is_whitespace() || c == '/');
    let name = &tag[..end.unwrap_or(tag.len())];
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

fn detect_json(text: &str) -> Option<Format> {
    let keys = keys(text, 5);
    let at = |depth: usize, name: &str| {
        keys.iter()
            .any(|key| key.depth == depth && key.name == name)
    };
    if at(1, "gcovr/summary_format_version") {
        Some(Format::GcovrSummary)
    } else if keys.iter().any(|key| key.name.starts_with("gcovr/")) {
        // The version may stand behind the files, whose lines have keys of `gcovr` too.
        Some(Format::GcovrJson)
    } else if at(1, "gcc_version") || at(3, "line_number") || at(5, "line_number") {
        Some(Format::GcovJson)
    } else if at(1, "source_files") {
        Some(Format::Coveralls)
    } else if at(2, "statementMap") || at(3, "statementMap") {
        Some(Format::Istanbul)
    } else if at(3, "skipped") || at(3, "pct") {
        Some(Format::IstanbulSummary)
    } else if at(1, "data") && (at(1, "type") || at(3, "files") || at(3, "totals")) {
        Some(Format::LlvmCov)
    } else if at(1, "files") && (at(1, "meta") || at(3, "executed_lines")) {
        Some(Format::CoveragePy)
    } else if at(2, "simplecov_version")
        || at(2, "coverage")
        || (at(1, "coverage") && at(3, "lines"))
    {
        Some(Format::SimpleCov)
    } else if at(1, "coverage") {
        Some(Format::Codecov)
    } else {
        None
    }
}
