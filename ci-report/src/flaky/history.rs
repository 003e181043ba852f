//! What runs said of tests, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::tests::Outcome;

/// After so many revisions in which a test only failed it is broken and not flaky.
const BROKEN_AFTER: usize = 3;

/// What one run said of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Seen<'a> {
    /// Where it ran: the job. The same test in two jobs is two tests.
    pub origin: &'a str,
    /// Its suite.
    pub suite: &'a str,
    /// Its class, module or group.
    pub class: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The file that it stands in.
    pub file: Option<&'a str>,
    /// The run. Runs without a time of their own are ordered by it.
    pub run: &'a str,
    /// The revision that was tested.
    pub revision: Option<&'a str>,
    /// When the run was, in milliseconds since 1970.
    pub time: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it passed only after it had failed.
    pub flaky: bool,
}

impl<'a> Seen<'a> {
    /// The test `name` of `class` ended with `outcome`.
    #[must_use]
    pub fn new(class: &'a str, name: &'a str, outcome: Outcome) -> Self {
        Self {
            class,
            name,
            outcome,
            ..Self::default()
        }
    }

    /// Says in which run.
    #[must_use]
    pub fn run(mut self, run: &'a str) -> Self {
        self.run = run;
        self
    }

    /// Says in which revision.
    #[must_use]
    pub fn revision(mut self, revision: &'a str) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Says when, in milliseconds since 1970.
    #[must_use]
    pub fn time(mut self, time: u64) -> Self {
        self.time = time;
        self
    }
}

/// What runs said of tests. The order in which it is told does not matter.
#[derive(Debug, Clone, Default)]
pub struct History {
    tests: BTreeMap<Key, Vec<Point>>,
    files: BTreeMap<Key, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    origin: String,
    suite: String,
    class: String,
    name: String,
}

/// One run of a test; skipped ones are none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    time: u64,
    run: String,
    revision: Option<String>,
    bad: bool,
    flaky: bool,
}

/// What a history says of one test.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FlakyTest {
    /// The job.
    pub origin: String,
    /// Its suite.
    pub suite: String,
    /// Its class, module or group.
    pub class: String,
    /// Its name.
    pub name: String,
    /// The file that it stands in, where it was told.
    pub file: Option<String>,
    /// From 0 to 1; see the [module](super).
    pub score: f64,
    /// In how many runs it was.
    pub runs: usize,
    /// How often it passed.
    pub passed: u64,
    /// How often it failed or broke.
    pub failed: u64,
    /// In how many revisions it both passed and failed.
    pub contradictions: usize,
    /// How often it went from good to bad or back between revisions.
    pub changes: usize,
    /// Whether it only failed in its last three revisions.
    pub broken: bool,
    /// When it was first seen, in milliseconds since 1970.
    pub first_seen: u64,
    /// When it was last seen.
    pub last_seen: u64,
    /// When it last failed, if it ever did.
    pub last_failed: Option<u64>,
}

impl FlakyTest {
    /// The name by which lists know it: `class::name`, with the suite where there is no class.
    #[must_use]
    pub fn id(&self) -> String {
        match (self.class.as_str(), self.suite.as_str()) {
            ("", "") => self.name.clone(),
            ("", suite) => format!("{suite}::{}", self.name),
            (class, _) => format!("{class}::{}", self.name),
        }
    }
}

impl History {
    /// Nothing was seen.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what a run said.
    pub fn add(&mut self, seen: &Seen<'_>) {
        if seen.outcome == Outcome::Skipped {
            return;
        }
        let key = Key {
            origin: seen.origin.to_owned(),
            suite: seen.suite.to_owned(),
            class: seen.class.to_owned(),
            name: seen.name.to_owned(),
        };
        if let Some(file) = seen.file {
            let known = self.files.entry(key.clone()).or_default();
            // Of several the first by name, whatever the order in which they came.
            if known.is_empty() || file < known.as_str() {
                file.clone_into(known);
            }
        }
        self.tests.entry(key).or_default().push(Point {
            time: seen.time,
            run: seen.run.to_owned(),
            revision: seen.revision.map(str::to_owned),
            bad: seen.outcome.is_bad(),
            flaky: seen.flaky,
        });
    }

    /// All tests, those with the highest score first, then by name.
    #[must_use]
    pub fn tests(&self) -> Vec<FlakyTest> {
        let tests = self.tests.iter();
        let mut tests: Vec<FlakyTest> = tests
            .map(|(key, points)| judge(key, points, self.files.get(key).cloned()))
            .collect();
        tests.sort_by(|a, b| b.score.total_cmp(&a.score));
        tests
    }

    /// What a list of tests in quarantine should hold, by name: those whose score is at least
    /// `min_score`, but not those that are broken for good, as hiding these would hide a bug.
    #[must_use]
    pub fn quarantine(&self, min_score: f64) -> Vec<String> {
        let tests = self.tests().into_iter();
        let flaky = tests.filter(|test| {
            test.score > 0.0 && test.score >= min_score && !test.broken && test.failed > 0
        });
        let names: BTreeSet<String> = flaky.map(|test| test.id()).collect();
        names.into_iter().collect()
    }
}

/// What a test did in one revision.
#[derive(Debug, Default, Clone, Copy)]
struct Unit {
    passed: bool,
    failed: bool,
    flaky: bool,
}

impl Unit {
    fn contradicts_itself(self) -> bool {
        self.flaky || (self.passed && self.failed)
    }
}

fn judge(key: &Key, points: &[Point], file: Option<String>) -> FlakyTest {
    let mut points: Vec<&Point> = points.iter().collect();
    points.sort();
    let units = units(&points);
    let contradictions = units.iter().filter(|it| it.contradicts_itself()).count();
    let mut plain = units.iter().filter(|it| !it.contradicts_itself());
    let mut changes = 0;
    let mut last = plain.next().map(|unit| unit.failed);
    for unit in plain {
        changes += usize::from(last != Some(unit.failed));
        last = Some(unit.failed);
    }
    let latest = units.iter().rev().take(BROKEN_AFTER);
    let broken = units.len() >= BROKEN_AFTER && latest.into_iter().all(|it| !it.passed);
    let bad = points.iter().filter(|point| point.bad);
    let failed = bad.clone().count() as u64;
    let runs: BTreeSet<&str> = points.iter().map(|point| point.run.as_str()).collect();
    let share = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let evidence = share(contradictions) + share(changes.saturating_sub(2)) / 2.0;
    FlakyTest {
        origin: key.origin.clone(),
        suite: key.suite.clone(),
        class: key.class.clone(),
        name: key.name.clone(),
        file,
        score: (evidence / share(units.len().max(1))).min(1.0),
        runs: runs.len(),
        passed: points.len() as u64 - failed,
        failed,
        contradictions,
        changes,
        broken,
        first_seen: points.first().map_or(0, |point| point.time),
        last_seen: points.last().map_or(0, |point| point.time),
        last_failed: bad.map(|point| point.time).max(),
    }
}

/// What the test did, revision by revision, in the order in which they were first seen.
fn units(points: &[&Point]) -> Vec<Unit> {
    let mut places: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    let mut units: Vec<Unit> = Vec::new();
    for point in points {
        let key = match &point.revision {
            Some(revision) => (true, revision.as_str()),
            None => (false, point.run.as_str()),
        };
        let place = *places.entry(key).or_insert_with(|| {
            units.push(Unit::default());
            units.len() - 1
        });
        let unit = &mut units[place];
        unit.passed |= !point.bad;
        unit.failed |= point.bad;
        unit.flaky |= point.flaky;
    }
    units
}
