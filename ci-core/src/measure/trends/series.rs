//! The runs of each branch as series of numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::measure::values::Spread;

/// A run, or a job of it, as far as trends know it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Point {
    /// The run's id.
    pub run: String,
    /// The branch; empty where there is none.
    pub branch: String,
    /// The job that it is about; empty for the run as a whole.
    pub job: String,
    /// When it was made, in milliseconds since 1970-01-01 UTC.
    pub created: u64,
    /// Whether it succeeded; `None` if it was neither a success nor a failure, such as a canceled run.
    pub passed: Option<bool>,
    /// How long it took, in seconds.
    pub duration: Option<f64>,
    /// How long it, or its jobs together, waited for a slot, in seconds.
    pub queue: Option<f64>,
    /// How many of its lines are covered, in percent.
    pub coverage: Option<f64>,
    /// What else it measured.
    pub values: BTreeMap<String, f64>,
}

/// Numbers of the runs of a branch, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Series {
    /// What they are: `duration`, `queue`, `coverage`, or the name of a value.
    pub name: String,
    /// The unit, where there is one.
    pub unit: &'static str,
    /// The moments in milliseconds since 1970, with the numbers.
    pub points: Vec<(u64, f64)>,
    /// The middle of them.
    pub spread: Spread,
    /// The last of them.
    pub last: f64,
    /// By how many percent the median of the newer half differs from that of the older; `None` with
    /// fewer than four numbers.
    pub change: Option<f64>,
}

/// What the runs of a branch, or one job of them, come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BranchTrend {
    /// The branch; empty for runs without one.
    pub branch: String,
    /// The job; empty for the runs as a whole.
    pub job: String,
    /// How many runs there are.
    pub runs: usize,
    /// How many of those that succeeded or failed succeeded, in percent.
    pub pass_rate: Option<f64>,
    /// Duration, queue time and coverage, then the values by name; none without numbers.
    pub series: Vec<Series>,
}

/// The trends of all branches, that with the newest run first, and in each those of the runs as a whole
/// before those of the jobs by name.
#[must_use]
pub fn trends(points: &[Point]) -> Vec<BranchTrend> {
    let mut branches: BTreeMap<(&str, &str), Vec<&Point>> = BTreeMap::new();
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for point in points {
        let key = (&*point.branch, &*point.job);
        branches.entry(key).or_default().push(point);
        let last = newest.entry(&point.branch).or_default();
        *last = point.created.max(*last);
    }
    let mut all: Vec<_> = branches.into_iter().collect();
    all.sort_by_key(|((branch, _), _)| (std::cmp::Reverse(newest.get(branch)), *branch));
    all.into_iter()
        .map(|(key, mut points)| {
            points.sort_by_key(|point| point.created);
            trend(key, &points)
        })
        .collect()
}

fn trend((branch, job): (&str, &str), points: &[&Point]) -> BranchTrend {
    let judged: Vec<bool> = points.iter().filter_map(|point| point.passed).collect();
    let passed = judged.iter().filter(|passed| **passed).count();
    let mut series: Vec<Series> = [
        (
            "duration",
            "s",
            (|it| it.duration) as fn(&Point) -> Option<f64>,
        ),
        ("queue", "s", |it| it.queue),
        ("coverage", "%", |it| it.coverage),
    ]
    .into_iter()
    .filter_map(|(name, unit, of)| Series::new(name, unit, points, of))
    .collect();
    let mut names: Vec<&String> = points.iter().flat_map(|it| it.values.keys()).collect();
    names.sort();
    names.dedup();
    let values = names.into_iter();
    series.extend(
        values.filter_map(|name| {
            Series::new(name, "", points, |point| point.values.get(name).copied())
        }),
    );
    BranchTrend {
        branch: branch.to_owned(),
        job: job.to_owned(),
        runs: points.len(),
        pass_rate: (!judged.is_empty()).then(|| share(passed, judged.len())),
        series,
    }
}

impl Series {
    fn new(
        name: &str,
        unit: &'static str,
        points: &[&Point],
        of: impl Fn(&Point) -> Option<f64>,
    ) -> Option<Self> {
        let of = |point: &&Point| {
            let number = of(point).filter(|number| number.is_finite())?;
            Some((point.created, number))
        };
        let points: Vec<(u64, f64)> = points.iter().filter_map(of).collect();
        let numbers: Vec<f64> = points.iter().map(|(_, number)| *number).collect();
        let (older, newer) = numbers.split_at(numbers.len() / 2);
        let change = Spread::of(older)
            .zip(Spread::of(newer))
            .and_then(|(old, new)| {
                let change = (new.median - old.median) * 100.0 / old.median.abs();
                (numbers.len() >= 4 && change.is_finite()).then_some(change)
            });
        Some(Self {
            name: name.to_owned(),
            unit,
            spread: Spread::of(&numbers)?,
            last: *numbers.last()?,
            change,
            points,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "no store has 2^52 runs")]
fn share(part: usize, of: usize) -> f64 {
    part as f64 * 100.0 / of as f64
}
