//! How long tests took: by report files, and by earlier runs in the store.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use ci_core::id::RunId;
use ci_core::report::split::Timings;
use ci_core::report::tests;
use ci_core::store::{RunStore, TestEntry, TestQuery};

use crate::args::{Global, SplitArgs, TimingsFrom};
use crate::failure::Failure;
use crate::kept::Kept;
use crate::output;

/// How many of the newest runs with tests are looked at.
const RUNS: u64 = 20;
/// Of how many of its latest times the time of a test is the median.
const LATEST: usize = 5;

/// The times of the files; those of the store where there are no files, or where it is asked for.
pub(crate) async fn known(global: &Global, args: &SplitArgs) -> Result<Timings, Failure> {
    let mut timings = of_files(&args.timings)?;
    if args.timings.is_empty() || args.timings_from == Some(TimingsFrom::Store) {
        of_store(global, args, &mut timings).await?;
    }
    Ok(timings)
}

fn of_files(files: &[PathBuf]) -> Result<Timings, Failure> {
    let mut timings = Timings::new();
    for path in files {
        let report = File::open(path)
            .and_then(|file| tests::read(BufReader::new(file)))
            .map_err(|error| Failure::input(format!("`{}`: {error}", path.display())))?;
        for case in report.cases() {
            let Some(seconds) = case.time else { continue };
            add(
                &mut timings,
                &case.class,
                &case.name,
                case.file.as_deref(),
                seconds,
            );
        }
    }
    Ok(timings)
}

fn add(timings: &mut Timings, class: &str, name: &str, file: Option<&str>, seconds: f64) {
    timings.add(&format!("{class}.{name}"), seconds);
    if let Some(file) = file {
        timings.add(file, seconds);
    }
}

/// Adds the times of earlier runs. Within a run only those count that had ended when it was made: all
/// its shards have to see the same times, or a test would be in two of them or in none.
async fn of_store(global: &Global, args: &SplitArgs, timings: &mut Timings) -> Result<(), Failure> {
    let Some(store) = Kept::here(global)?.store_if_there()? else {
        return Ok(());
    };
    let around: Option<RunId> = std::env::var("CI_RUN_ID")
        .ok()
        .and_then(|id| id.parse().ok());
    let mut query = TestQuery {
        workflow: args.workflow.clone(),
        runs: Some(RUNS),
        ..TestQuery::default()
    };
    // A run of another store says nothing about this one.
    if let Some(run) = around
        && let Ok(stored) = store.load(run).await
    {
        query.before = Some(run);
        let workflow = stored.summary.workflow.to_string();
        query.workflow = query.workflow.or(Some(workflow));
    }
    let entries = store.tests(&query).await?;
    for ((class, name, file), seconds) in medians(&entries) {
        add(timings, class, name, file, seconds);
    }
    if args.explain {
        output::say(format!("times of {} tests of earlier runs", entries.len()));
    }
    Ok(())
}

type Name<'a> = (&'a str, &'a str, Option<&'a str>);

/// The usual time of each test: the median of its latest times. Entries come newest run first.
fn medians(entries: &[TestEntry]) -> impl Iterator<Item = (Name<'_>, f64)> {
    let mut times: HashMap<Name<'_>, Vec<f64>> = HashMap::new();
    for entry in entries {
        let test = &entry.test;
        let name = (&*test.class, &*test.name, test.file.as_deref());
        if let Some(seconds) = test.time {
            let latest = times.entry(name).or_default();
            if latest.len() < LATEST {
                latest.push(seconds);
            }
        }
    }
    times.into_iter().filter_map(|(name, mut latest)| {
        latest.sort_by(f64::total_cmp);
        let middle = latest.len().saturating_sub(1) / 2;
        Some((name, *latest.get(middle)?))
    })
}
