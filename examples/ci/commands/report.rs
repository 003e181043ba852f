//! `ci report tests` and `ci report coverage`: reads report files and says what is in them.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

use ci_core::report::coverage::{
    self, ChangedLines, Coverage, Gates, SummaryOptions, parse_diff, write_cobertura, write_json,
    write_lcov, write_markdown, write_text,
};
use ci_core::report::tests::{self, Case, Counts, TestReport, write_junit};
use serde_json::{Value, json};

use crate::args::{CoverageArgs, Format, Global, TestsArgs};
use crate::failure::{Failure, chain};
use crate::output;

/// Exit code of a gate that is not passed.
const GATE: u8 = 1;

/// Reads test reports.
pub(crate) fn tests(global: &Global, args: &TestsArgs) -> Result<u8, Failure> {
    let (mut read, mut problems) = (Vec::new(), Vec::new());
    for path in &args.files {
        match File::open(path).and_then(|file| tests::read(BufReader::new(file))) {
            Ok(report) if report.format.is_some() => read.push((path, report)),
            Ok(_) => problems.push(format!("`{}` is no test report", path.display())),
            Err(error) => problems.push(format!("`{}`: {error}", path.display())),
        }
    }
    if read.is_empty() {
        return Err(Failure::input(problems.join("\n")).hint("give files such as junit.xml"));
    }
    for problem in &problems {
        output::say(problem);
    }
    match global.format {
        Format::Json => output::json(&document(&read, args.cases))?,
        Format::Text => output::print(&text(&read))?,
        Format::Markdown => output::print(&markdown(&read))?,
        Format::Junit => {
            let mut all = TestReport::default();
            for (_, report) in read {
                all.suites.extend(report.suites);
            }
            output::stream(|out| write_junit(&all, out))?;
        }
        Format::Lcov | Format::Cobertura | Format::Html => {
            return Err(not_for("test results"));
        }
    }
    Ok(0)
}

fn not_for(what: &str) -> Failure {
    Failure::input(format!("{what} cannot be written in that format"))
        .hint("`--help` lists the formats")
}

/// All files counted.
fn total(read: &[(&PathBuf, TestReport)]) -> Counts {
    let mut all = Counts::default();
    for (_, report) in read {
        all.merge(&report.counts);
    }
    all
}

fn counts(counts: &Counts) -> Value {
    json!({
        "tests": counts.tests,
        "passed": counts.passed,
        "failed": counts.failed,
        "errors": counts.errors,
        "skipped": counts.skipped,
    })
}

/// The contract of `--format json`.
fn document(read: &[(&PathBuf, TestReport)], with_cases: bool) -> Value {
    let all = total(read);
    let files: Vec<Value> = read
        .iter()
        .map(|(path, report)| {
            let mut file = counts(&report.counts);
            file["path"] = json!(path.display().to_string());
            file["format"] = json!(report.format.map(tests::Format::name));
            file["truncated"] = json!(report.truncated);
            file["diagnostics"] = json!(report.diagnostics);
            if with_cases {
                file["cases"] = report.cases().map(case).collect();
            }
            file
        })
        .collect();
    let mut document = counts(&all);
    document["flaky"] = json!(all.flaky);
    document["time"] = json!(all.time);
    document["files"] = json!(files);
    document
}

fn case(case: &Case) -> Value {
    json!({
        "suite": case.suite,
        "class": case.class,
        "name": case.name,
        "file": case.file,
        "line": case.line,
        "time": case.time,
        "outcome": case.outcome.as_str(),
        "message": message(case),
    })
}

/// Why a case is not passed, in its own words.
fn message(case: &Case) -> Option<&str> {
    let results = case.results.iter();
    let told = results.filter(|result| result.outcome == case.outcome);
    told.map(|result| result.message.as_str())
        .find(|message| !message.is_empty())
}

/// The cases to worry about.
fn bad<'a>(read: &'a [(&PathBuf, TestReport)]) -> impl Iterator<Item = &'a Case> {
    read.iter()
        .flat_map(|(_, report)| report.cases())
        .filter(|case| case.outcome.is_bad())
}

fn full_name(case: &Case) -> String {
    if case.class.is_empty() {
        case.name.clone()
    } else {
        format!("{} {}", case.class, case.name)
    }
}

fn text(read: &[(&PathBuf, TestReport)]) -> String {
    let mut out = String::new();
    for case in bad(read) {
        let why = message(case)
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        out.push_str(&format_args!("✗ {}{why}\n", full_name(case)).to_string());
    }
    let Counts {
        tests,
        passed,
        failed,
        errors,
        skipped,
        flaky,
        time,
        ..
    } = total(read);
    out.push_str(
        &format_args!(
            "{tests} tests in {time:.2} s: {passed} passed ({flaky} flaky), {failed} failed, \
             {errors} errors, {skipped} skipped\n"
        )
        .to_string(),
    );
    out
}

fn markdown(read: &[(&PathBuf, TestReport)]) -> String {
    let all = total(read);
    let mut out = format!(
        "| Tests | Passed | Failed | Errors | Skipped | Flaky |\n|---:|---:|---:|---:|---:|---:|\n\
         | {} | {} | {} | {} | {} | {} |\n",
        all.tests, all.passed, all.failed, all.errors, all.skipped, all.flaky
    );
    let plain = |text: &str| text.replace('|', "\\|").replace(['\n', '\r'], " ");
    let rows: Vec<String> = bad(read)
        .map(|case| {
            let why = plain(message(case).unwrap_or_default());
            format!(
                "| {} | {} | {why} |\n",
                plain(&full_name(case)),
                case.outcome
            )
        })
        .collect();
    if !rows.is_empty() {
        out.push_str("\n| Test | | |\n|---|---|---|\n");
        out.extend(rows);
    }
    out
}

/// Reads coverage reports, merged into one.
pub(crate) fn coverage(global: &Global, args: &CoverageArgs) -> Result<u8, Failure> {
    let (mut all, mut problems, mut any) = (Coverage::new(), Vec::new(), false);
    for path in &args.files {
        let report = File::open(path)
            .map_err(|error| error.to_string())
            .and_then(|file| coverage::read(file).map_err(|error| chain(&error)));
        match report {
            Ok(report) => {
                any = true;
                for diagnostic in &report.diagnostics {
                    output::say(format!("{}: {diagnostic}", path.display()));
                }
                all.merge(report.coverage);
            }
            Err(error) => problems.push(format!("`{}`: {error}", path.display())),
        }
    }
    if !any {
        return Err(Failure::input(problems.join("\n")).hint("give files such as lcov.info"));
    }
    for problem in &problems {
        output::say(problem);
    }
    if matches!(global.format, Format::Junit | Format::Html) {
        return Err(not_for("coverage"));
    }
    output::stream(|out| match global.format {
        Format::Markdown => write_markdown(&all, SummaryOptions::default(), out),
        Format::Lcov => write_lcov(&all, out),
        Format::Cobertura => write_cobertura(&all, out),
        Format::Json => write_json(&all, out),
        _ => write_text(&all, SummaryOptions::default(), out),
    })?;
    let mut gates = Gates::new();
    if let Some(percent) = args.fail_under {
        gates = gates.lines(percent);
    }
    if let Some(percent) = args.fail_under_branches {
        gates = gates.branches(percent);
    }
    if let Some(percent) = args.fail_under_changed {
        gates = gates.changed_lines(percent);
    }
    if gates.is_empty() {
        return Ok(0);
    }
    let changed = match (&args.fail_under_changed, &args.base) {
        (Some(_), Some(base)) => Some(changed_since(base)?),
        _ => None,
    };
    let verdict = gates.check(&all, changed.as_ref());
    output::say(verdict.to_string().trim_end());
    Ok(if verdict.passed() { 0 } else { GATE })
}

/// The lines that differ from `base` in the working tree.
fn changed_since(base: &str) -> Result<ChangedLines, Failure> {
    let diff = Command::new("git")
        .args([
            "diff",
            "--unified=0",
            "--no-color",
            "--no-ext-diff",
            "--relative",
            base,
            "--",
        ])
        .current_dir(Path::new("."))
        .output()
        .map_err(|error| Failure::engine(format!("`git` could not be run: {error}")))?;
    if !diff.status.success() {
        let why = String::from_utf8_lossy(&diff.stderr).trim().to_owned();
        return Err(Failure::input(format!(
            "`{base}` cannot be compared with: {why}"
        )));
    }
    Ok(parse_diff(&String::from_utf8_lossy(&diff.stdout)))
}
