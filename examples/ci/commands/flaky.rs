//! `ci flaky` and `ci report failed`: what the runs in the store say of tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ci_core::id::RunId;
use ci_core::report::flaky::{FailedTest, FlakyTest, History, Runner, Seen, arguments};
use ci_core::store::{RunStore, TestEntry, TestQuery};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::args::{Format, Global};
use crate::failure::Failure;
use crate::kept::Kept;
use crate::{open, output};

#[derive(Debug, clap::Args)]
pub(crate) struct FlakyArgs {
    /// Only runs of this workflow
    #[arg(long)]
    pub(crate) workflow: Option<String>,
    /// Only runs for this branch
    #[arg(long)]
    pub(crate) branch: Option<String>,
    /// Only tests of this job
    #[arg(long)]
    pub(crate) job: Option<String>,
    /// The lowest score that is shown, above 0 and at most 1
    #[arg(long, value_name = "X", default_value_t = 0.01)]
    pub(crate) min_score: f64,
    /// How many of the newest runs with tests are looked at
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) runs: u64,
    /// Add the tests shown to this file, which the settings name under `quarantine`; those that are
    /// broken for good are left out
    #[arg(long, value_name = "FILE")]
    pub(crate) quarantine: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FailedArgs {
    /// A run's id, the beginning of one, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    pub(crate) run: String,
    /// Only tests of this job
    #[arg(long)]
    pub(crate) job: Option<String>,
    /// Who is to run them again: prints its arguments, one a line
    #[arg(long = "for", value_enum, default_value_t = For::Lines)]
    pub(crate) runner: For,
}

/// Who is to run tests again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum For {
    /// `class::name`
    Lines,
    /// The files with failed tests
    Files,
    /// Node ids for pytest
    Pytest,
    /// `-run=` and packages for `go test`
    Go,
    /// A pattern and files for jest and vitest
    Jest,
    /// Names for `cargo test --`
    Cargo,
    /// A filter for `cargo nextest run`
    Nextest,
    /// `-Dtest=` for Maven
    Maven,
    /// `--tests` for Gradle
    Gradle,
}

impl For {
    fn runner(self) -> Runner {
        match self {
            Self::Lines => Runner::Lines,
            Self::Files => Runner::Files,
            Self::Pytest => Runner::Pytest,
            Self::Go => Runner::Go,
            Self::Jest => Runner::Jest,
            Self::Cargo => Runner::Cargo,
            Self::Nextest => Runner::Nextest,
            Self::Maven => Runner::Maven,
            Self::Gradle => Runner::Gradle,
        }
    }
}

/// Lists tests that now pass and now fail.
pub(crate) async fn flaky(global: &Global, args: &FlakyArgs) -> Result<u8, Failure> {
    if !(args.min_score > 0.0 && args.min_score <= 1.0) {
        return Err(Failure::input("a score is above 0 and at most 1"));
    }
    let store = Kept::here(global)?.store_if_there()?;
    let query = TestQuery {
        workflow: args.workflow.clone(),
        branch: args.branch.clone(),
        runs: Some(args.runs),
        ..TestQuery::default()
    };
    let mut entries = match store {
        Some(store) => store.tests(&query).await?,
        None => Vec::new(),
    };
    if let Some(job) = &args.job {
        entries.retain(|entry| *entry.key.job == **job || origin(&entry.key.job) == job);
    }
    let runs: BTreeSet<RunId> = entries.iter().map(|entry| entry.key.run).collect();
    let history = history(&entries);
    let mut tests = history.tests();
    tests.retain(|test| test.score >= args.min_score);
    if let Some(file) = &args.quarantine {
        add_to(file, &history.quarantine(args.min_score))?;
    }
    if global.format == Format::Json {
        let documents: Vec<Value> = tests.iter().map(document).collect();
        output::json(&json!({ "runs": runs.len(), "tests": documents }))?;
        return Ok(0);
    }
    if tests.is_empty() {
        output::say(format!("no flaky tests in {} runs with tests", runs.len()));
        return Ok(0);
    }
    let header = ["SCORE", "FAILED", "OF", "LAST FAILED", "JOB", "TEST", ""];
    let mut rows = vec![header.map(String::from).to_vec()];
    rows.extend(tests.iter().map(row));
    output::print(&output::table(&rows))?;
    Ok(0)
}

fn row(test: &FlakyTest) -> Vec<String> {
    vec![
        format!("{:.2}", test.score),
        test.failed.to_string(),
        (test.passed + test.failed).to_string(),
        test.last_failed.map(age).unwrap_or_default(),
        test.origin.clone(),
        output::plain(&test.id()),
        if test.broken { "broken" } else { "" }.to_owned(),
    ]
}

/// How long ago a moment was, given in milliseconds since 1970.
fn age(millis: u64) -> String {
    let moment = UNIX_EPOCH + Duration::from_millis(millis);
    let age = SystemTime::now().duration_since(moment).unwrap_or_default();
    match age.as_secs() / 86_400 {
        0 => format!("{} ago", output::duration(age)),
        days => format!("{days} d ago"),
    }
}

fn document(test: &FlakyTest) -> Value {
    let mut document = serde_json::to_value(test).unwrap_or_default();
    document["id"] = Value::from(test.id());
    document
}

/// What the tests of runs say together.
#[must_use]
pub fn history(entries: &[TestEntry]) -> History {
    let mut history = History::new();
    for entry in entries {
        let test = &entry.test;
        let run = entry.key.run.to_string();
        let mut seen = Seen::new(&test.class, &test.name, test.outcome)
            .run(&run)
            .time(entry.created.as_millis());
        seen.origin = origin(&entry.key.job);
        seen.suite = &test.suite;
        seen.file = test.file.as_deref();
        seen.revision = entry.revision.as_deref();
        seen.flaky = test.flaky;
        history.add(&seen);
    }
    history
}

/// The job without its place among shards (`2/4`, `(2/4)`): tests move between them.
fn origin(job: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let Some((name, place)) = job.rsplit_once(' ') else {
        return job;
    };
    let inner = place.strip_prefix('(').and_then(|it| it.strip_suffix(')'));
    match inner.unwrap_or(place).split_once('/') {
        Some((index, total)) if is_number(index) && is_number(total) => name,
        _ => job,
    }
}

/// Adds tests to a list, keeping what is in it.
fn add_to(file: &Path, tests: &[String]) -> Result<(), Failure> {
    let trouble = |error: std::io::Error| Failure::input(format!("`{}`: {error}", file.display()));
    let mut text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "# Known flaky tests: their failure fails no job.\n".to_owned()
        }
        Err(error) => return Err(trouble(error)),
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let known: BTreeSet<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    let new: Vec<&String> = tests.iter().filter(|test| !known.contains(*test)).collect();
    for test in &new {
        text.push_str(test);
        text.push('\n');
    }
    std::fs::write(file, text).map_err(trouble)?;
    output::say(format!("{} tests added to `{}`", new.len(), file.display()));
    Ok(())
}

/// Lists the tests of a run that failed, as a runner takes them.
pub(crate) async fn failed(global: &Global, args: &FailedArgs) -> Result<u8, Failure> {
    let store = Kept::here(global)?.store_to_read()?;
    let run = open::run_id(&*store, &args.run).await?;
    let query = TestQuery {
        run: Some(run),
        ..TestQuery::default()
    };
    let mut entries = store.tests(&query).await?;
    if entries.is_empty() {
        // An unknown run is an error, one without tests is not.
        store.load(run).await?;
        output::say("the run has no test results; its jobs keep them with `store_test_results`");
    }
    if let Some(job) = &args.job {
        entries.retain(|entry| *entry.key.job == **job || origin(&entry.key.job) == job);
    }
    let bad = bad_in_the_end(&entries);
    if global.format == Format::Json {
        let tests: Vec<Value> = bad.iter().map(|entry| failed_document(entry)).collect();
        output::json(&json!({ "run": run.to_string(), "tests": tests }))?;
        return Ok(0);
    }
    let tests: Vec<FailedTest> = bad
        .iter()
        .map(|entry| {
            let test = &entry.test;
            let class = match args.runner {
                For::Lines if test.class.is_empty() => &test.suite,
                _ => &test.class,
            };
            FailedTest::new(class.clone(), test.name.clone()).file(test.file.clone())
        })
        .collect();
    for argument in arguments(args.runner.runner(), &tests) {
        output::line(argument)?;
    }
    Ok(0)
}

fn failed_document(entry: &TestEntry) -> Value {
    let mut document = serde_json::to_value(&entry.test).unwrap_or_default();
    document["id"] = Value::from(entry.test.id());
    document["job"] = Value::from(&*entry.key.job);
    document["attempt"] = Value::from(entry.key.attempt);
    document
}

/// The tests whose last run, of all attempts, was bad.
#[must_use]
pub fn bad_in_the_end(entries: &[TestEntry]) -> Vec<&TestEntry> {
    let name = |entry: &TestEntry| {
        let test = &entry.test;
        let names = [&test.suite, &test.class, &test.name].map(String::clone);
        (origin(&entry.key.job).to_owned(), names)
    };
    let mut seen = BTreeSet::new();
    let mut bad: Vec<&TestEntry> = entries
        .iter()
        .rev()
        .filter(|entry| seen.insert(name(entry)))
        .filter(|entry| entry.test.outcome.is_bad())
        .collect();
    bad.reverse();
    bad
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn shards_are_one_job() {
        for (job, expected) in [
            ("test 2/4", "test"),
            ("test (mac) 10/12", "test (mac)"),
            ("test (3/4)", "test"),
            ("test", "test"),
            ("a b/c", "a b/c"),
            ("a /2", "a /2"),
        ] {
            assert_eq!(origin(job), expected);
        }
    }
}
