//! Coverage reports as real tools write them: the formats of the same run agree, and all are read.
//!
//! The reports stand beside the project and are not part of it. Where they are not, the tests say so.
#![expect(
    clippy::print_stderr,
    reason = "the tests give their figures, or say why there are none"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ci_report::coverage::{Coverage, FileCoverage, Format, Report, read};

/// Where the reports are, if they are there.
fn corpus() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(2);
    let mut places = above.map(|directory| directory.join("shared/corpus/reports/coverage"));
    let found = places.find(|place| place.is_dir());
    if found.is_none() {
        eprintln!("skipped: there are no reports beside the project");
    }
    found
}

fn files_below(directory: &Path, into: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut entries: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files_below(&entry, into);
        } else {
            into.push(entry);
        }
    }
}

/// Reports that are of no format of coverage by line, by the end of their path, and why.
const NOT_READ: &[(&str, &str)] = &[
    (".summary.txt", "a table for people"),
    (
        "dotcover/example.xml",
        "dotCover lists sums by type, not by line",
    ),
    ("dotCover.xml", "dotCover is none of the formats"),
    (
        "DynamicCodeCoverage.xml",
        "Visual Studio's own format is none of the formats",
    ),
    (
        "DynamicCodeCoverage_dotnet-coverage.xml",
        "Visual Studio's own format is none of the formats",
    ),
    ("NCover1.5.8.xml", "NCover is none of the formats"),
    (
        "scoverage.xml",
        "scoverage's own format is none of the formats, it writes Cobertura too",
    ),
    (
        "JsonSummary/Summary.json",
        "a summary by assembly, without files",
    ),
];

#[test]
fn every_report_is_read_or_listed_with_its_reason() {
    let Some(corpus) = corpus() else { return };
    let mut files = Vec::new();
    files_below(&corpus, &mut files);
    let mut formats: BTreeMap<&str, (usize, usize, u64)> = BTreeMap::new();
    let mut troubles = Vec::new();
    let mut unused: BTreeSet<&str> = NOT_READ.iter().map(|(end, _)| *end).collect();
    for path in &files {
        let name = path.strip_prefix(&corpus).unwrap().to_str().unwrap();
        let listed = NOT_READ.iter().find(|(end, _)| name.ends_with(end));
        match (read(File::open(path).unwrap()), listed) {
            (Ok(report), None) => {
                for it in report.diagnostics.iter().filter(|_| report.is_damaged()) {
                    troubles.push(format!("{name}: {it}"));
                }
                let sum = formats.entry(report.format.name()).or_default();
                sum.0 += 1;
                sum.1 += report.coverage.files().len();
                sum.2 += report.coverage.totals().lines.total;
                if report.coverage.is_empty() {
                    eprintln!("{name}: no files");
                }
            }
            (Ok(report), Some((end, _))) if report.is_damaged() => _ = unused.remove(end),
            (Err(_), Some((end, _))) => _ = unused.remove(end),
            (Ok(_), Some(_)) => troubles.push(format!("{name}: is read, although it is listed")),
            (Err(error), None) => troubles.push(format!("{name}: {error}")),
        }
    }
    eprintln!(
        "{:<17} {:>7} {:>7} {:>9}",
        "format", "reports", "files", "lines"
    );
    for (format, (reports, files, lines)) in &formats {
        eprintln!("{format:<17} {reports:>7} {files:>7} {lines:>9}");
    }
    let read: usize = formats.values().map(|sum| sum.0).sum();
    eprintln!(
        "{read} of {} reports are read, {} are listed",
        files.len(),
        files.len() - read
    );
    troubles.extend(
        unused
            .into_iter()
            .map(|end| format!("{end}: listed, but not there")),
    );
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// What a format says about lines and branches.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    Counts,
    Covered,
    Nothing,
}

fn lines_of(format: Format) -> Says {
    match format {
        Format::Sonar => Says::Covered,
        Format::Jacoco | Format::GcovrSummary | Format::IstanbulSummary => Says::Nothing,
        _ => Says::Counts,
    }
}

fn says_branches(format: Format) -> bool {
    !matches!(
        format,
        Format::Clover | Format::GcovrSummary | Format::IstanbulSummary
    )
}

/// Scenarios in which a format says something else, by a part of the path, and why.
const DIFFERENT: &[(&str, Format, &str)] = &[
    ("dot-folder/", Format::Jacoco, PACKAGE_DOTS),
    (
        "several-functions-on-same-line/reference/gcc-8/",
        Format::Clover,
        STATEMENTS,
    ),
    (
        "virtual-classes/reference/gcc-14-Windows/",
        Format::Clover,
        STATEMENTS,
    ),
    ("local-generated/gcovr-cov/", Format::Clover, STATEMENTS),
    (
        "several-functions-on-same-line/reference/gcc-8/",
        Format::Lcov,
        SAME_BRANCHES,
    ),
    (
        "several-functions-on-same-line/reference/gcc-8/",
        Format::Coveralls,
        SAME_BRANCHES,
    ),
    ("local-generated/gcovr-cov/", Format::Lcov, SAME_BRANCHES),
    ("exclude-line-branch/clang-12/", Format::Lcov, FIRST_LINE),
    (
        "virtual-classes/reference/clang-12/",
        Format::Lcov,
        FIRST_LINE,
    ),
    (
        "virtual-classes/reference/clang-15/",
        Format::Lcov,
        FIRST_LINE,
    ),
    (
        "virtual-classes/reference/clang-15-Darwin/",
        Format::Lcov,
        FIRST_LINE,
    ),
    (
        "virtual-classes/reference/clang-17-Darwin/",
        Format::Lcov,
        FIRST_LINE,
    ),
    ("virtual-classes/reference/gcc-7/", Format::Lcov, FIRST_LINE),
    (
        "exclude-line-branch/gcc-14/",
        Format::GcovrSummary,
        PER_FUNCTION,
    ),
    (
        "virtual-classes/reference/gcc-14/",
        Format::GcovrSummary,
        PER_FUNCTION,
    ),
    (
        "virtual-classes/reference/gcc-14-Windows/",
        Format::GcovrSummary,
        PER_FUNCTION,
    ),
    (
        "local-generated/gcovr-cov/",
        Format::GcovrSummary,
        PER_FUNCTION,
    ),
];

const PACKAGE_DOTS: &str =
    "the package is written with dots, which cannot be told from those of names";
const STATEMENTS: &str = "a line of several functions is several statements, of which the largest \
    count is that of the line, as for several statements in a row";
const SAME_BRANCHES: &str = "the branches of several functions on a line have the same block and \
    number, which are their names in this format, so they join";
const FIRST_LINE: &str = "the first line of functions that are compiled twice has another count \
    than in all other formats of the run";
const PER_FUNCTION: &str = "a line counts once for each function on it, not once";

#[test]
fn formats_of_the_same_run_agree_line_for_line() {
    let Some(corpus) = corpus() else { return };
    let mut files = Vec::new();
    files_below(&corpus.join("gcovr+gcovr"), &mut files);
    files_below(&corpus.join("local-generated/gcovr-cov"), &mut files);
    let mut runs: BTreeMap<&Path, Vec<&PathBuf>> = BTreeMap::new();
    for file in &files {
        runs.entry(file.parent().unwrap()).or_default().push(file);
    }
    let mut troubles = Vec::new();
    let mut unused: Vec<_> = DIFFERENT.iter().collect();
    let (mut bases, mut compared, mut different, mut lines) = (0, 0, 0, 0);
    for (directory, files) in &runs {
        let reports: Vec<Report> = files
            .iter()
            .map(|file| read(File::open(file).unwrap()).unwrap())
            .collect();
        let Some(base) = reports
            .iter()
            .find(|report| report.format == Format::GcovrJson)
        else {
            continue;
        };
        bases += 1;
        for report in reports
            .iter()
            .filter(|report| report.format != Format::GcovrJson)
        {
            let name = format!("{}/{}", directory.display(), report.format.name());
            let differs = compare(&base.coverage, report);
            let listed = DIFFERENT
                .iter()
                .find(|(part, format, _)| name.contains(part) && *format == report.format);
            compared += 1;
            lines += base.coverage.totals().lines.total;
            match listed {
                Some((part, _, _)) if differs.is_empty() => {
                    troubles.push(format!("{name}: agrees, although `{part}` is listed"));
                }
                Some((part, format, reason)) => {
                    unused.retain(|it| (it.0, it.1) != (*part, *format));
                    eprintln!("{part} {}: {reason}", format.name());
                    different += 1;
                }
                None if differs.is_empty() => {}
                None => troubles.push(format!("{name}:\n    {}", differs.join("\n    "))),
            }
        }
    }
    eprintln!("{compared} reports of {bases} runs compared with gcovr's JSON: {lines} lines");
    eprintln!(
        "{} agree, {different} are listed with the reason",
        compared - different
    );
    assert!(compared > 0);
    troubles.extend(
        unused
            .iter()
            .map(|(part, format, _)| format!("{part} {}: listed, but not there", format.name())),
    );
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

fn compare(base: &Coverage, report: &Report) -> Vec<String> {
    let mut differs = Vec::new();
    let other = &report.coverage;
    if base.files().len() != other.files().len() {
        differs.push(format!(
            "{} files, not {}",
            other.files().len(),
            base.files().len()
        ));
    }
    for (path, file) in base.files() {
        // The formats write paths relative to different directories.
        let ends =
            |(known, _): &(&str, &FileCoverage)| known.ends_with(path) || path.ends_with(*known);
        match other.files().find(ends) {
            Some((_, other)) => compare_file(path, file, other, report.format, &mut differs),
            None => differs.push(format!("{path} is missing")),
        }
    }
    differs
}

fn compare_file(
    path: &str,
    base: &FileCoverage,
    other: &FileCoverage,
    format: Format,
    differs: &mut Vec<String>,
) {
    let view = |file: &FileCoverage| -> Vec<(u32, Option<u64>)> {
        let see = |hits: Option<u64>| match lines_of(format) {
            Says::Counts => hits,
            Says::Covered => hits.map(|hits| u64::from(hits > 0)),
            Says::Nothing => None,
        };
        file.lines()
            .map(|line| (line.number(), see(line.hits())))
            .collect()
    };
    let is_summary = matches!(format, Format::GcovrSummary | Format::IstanbulSummary);
    if is_summary {
        if base.totals() != other.totals() {
            differs.push(format!(
                "{path}: sums {:?}, not {:?}",
                other.totals(),
                base.totals()
            ));
        }
        return;
    }
    let (left, right) = (view(base), view(other));
    for line in left.iter().filter(|line| !right.contains(line)) {
        differs.push(format!("{path}: line {line:?} is missing"));
    }
    // JaCoCo of gcovr lists the lines that comments exclude, and nothing in it sets them apart.
    let may_add = format == Format::Jacoco;
    for line in right.iter().filter(|line| !may_add && !left.contains(line)) {
        differs.push(format!("{path}: line {line:?} is new"));
    }
    if says_branches(format) {
        let (left, right): (Vec<_>, Vec<_>) = (
            base.branch_ratios().collect(),
            other.branch_ratios().collect(),
        );
        if left != right {
            let new: Vec<_> = right.iter().filter(|it| !left.contains(it)).collect();
            let gone: Vec<_> = left.iter().filter(|it| !right.contains(it)).collect();
            differs.push(format!("{path}: branches {new:?}, not {gone:?}"));
        }
    }
}

/// Reports of one run of other tools, the first of which the others are compared with.
const TOOLS: &[&[&str]] = &[
    &[
        "nyc-cov/lcov.info",
        "nyc-cov/coverage-final.json",
        "nyc-cov/cobertura-coverage.xml",
        "nyc-cov/clover.xml",
    ],
    &[
        "jest-cov/lcov.info",
        "jest-cov/coverage-final.json",
        "jest-cov/cobertura-coverage.xml",
        "jest-cov/clover.xml",
    ],
    &[
        "c8-cov/lcov.info",
        "c8-cov/cobertura-coverage.xml",
        "c8-cov/clover.xml",
    ],
    &[
        "coveragepy.json",
        "coveragepy.lcov",
        "coveragepy.cobertura.xml",
    ],
    &["gcov.json", "main.cpp.gcov"],
];

#[test]
fn reports_of_other_tools_agree_too() {
    let Some(corpus) = corpus() else { return };
    let open = |name: &str| {
        let path = corpus.join("local-generated").join(name);
        read(File::open(path).unwrap()).unwrap()
    };
    let mut troubles = Vec::new();
    for tool in TOOLS {
        let base = open(tool[0]);
        for name in &tool[1..] {
            let differs = compare(&base.coverage, &open(name));
            troubles.extend(differs.into_iter().map(|it| format!("{name}: {it}")));
        }
    }
    for directory in ["nyc-cov", "jest-cov"] {
        let counted = open(&format!("{directory}/coverage-final.json"))
            .coverage
            .totals();
        let stated = open(&format!("{directory}/coverage-summary.json"))
            .coverage
            .totals();
        if counted != stated {
            troubles.push(format!(
                "{directory}: {counted:?} counted, {stated:?} stated"
            ));
        }
    }
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// What `llvm-cov` states and what the lines of LCOV sum up to.
#[test]
fn stated_sums_are_those_of_the_lines() {
    let Some(corpus) = corpus() else { return };
    let mut files = Vec::new();
    files_below(&corpus.join("taiki-e+cargo-llvm-cov"), &mut files);
    let mut compared = 0;
    let mut troubles = Vec::new();
    for json in files
        .iter()
        .filter(|file| !file.to_string_lossy().ends_with(".codecov.json"))
    {
        let lcov = json.with_extension("lcov.info");
        if json.extension().is_none_or(|it| it != "json") || !lcov.exists() {
            continue;
        }
        let [stated, counted] =
            [json, &lcov].map(|file| read(File::open(file).unwrap()).unwrap().coverage.totals());
        compared += 1;
        if stated.lines != counted.lines {
            troubles.push(format!(
                "{}: {:?} stated, {:?} counted",
                json.display(),
                stated.lines,
                counted.lines
            ));
        }
    }
    eprintln!("{compared} exports of llvm-cov compared with LCOV");
    assert!(compared > 0);
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}
