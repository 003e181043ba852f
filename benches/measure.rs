//! Measuring: samples with Criterion, medians, the peak memory of this process.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};

use crate::Error;

/// How many samples Criterion takes of each.
const SAMPLES: usize = 10;

/// Criterion with few samples: what is measured here takes milliseconds to seconds.
#[must_use]
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(SAMPLES)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .without_plots()
        .configure_from_args()
}

/// Whether this is `cargo bench` and not a test run that only asks whether the benchmark works.
#[must_use]
pub fn for_real() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Whether the command line asks for what has this name: it has a part of it as its filter, or none.
#[must_use]
pub fn asked_for(name: &str) -> bool {
    let mut filters = std::env::args()
        .skip(1)
        .filter(|it| !it.starts_with('-'))
        .peekable();
    filters.peek().is_none() || filters.any(|filter| name.contains(&filter))
}

/// Someone whose time is taken beside that of others.
pub struct Contender<'a> {
    name: &'a str,
    once: Box<dyn FnMut() -> Result<Duration, Error> + 'a>,
}

impl std::fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Contender").field(&self.name).finish()
    }
}

impl<'a> Contender<'a> {
    /// `once` does it once and says how long that took.
    pub fn new(name: &'a str, once: impl FnMut() -> Result<Duration, Error> + 'a) -> Self {
        let once = Box::new(once);
        Self { name, once }
    }
}

/// The least time of each of so many rounds. In a round each has its turn, so that what else the
/// machine does falls on all alike. One that has had `patience` stands out once it had three turns.
///
/// # Errors
/// The first error of a contender.
pub fn interleaved(
    mut contenders: Vec<Contender<'_>>,
    rounds: usize,
    patience: Duration,
) -> Result<Vec<(&str, Duration)>, Error> {
    let mut times: Vec<_> = contenders
        .iter()
        .map(|contender| (contender.name, Duration::MAX, Duration::ZERO))
        .collect();
    for round in 0..rounds {
        for (contender, (name, least, spent)) in contenders.iter_mut().zip(&mut times) {
            if round >= 3 && *spent > patience {
                continue;
            }
            let time = (contender.once)().map_err(|error| format!("{name}: {error}"))?;
            *least = time.min(*least);
            *spent += time;
        }
    }
    let least = times.into_iter().map(|(name, least, _)| (name, least));
    Ok(least.collect())
}

/// Measures with Criterion what `once` says it took, and gives the median of the samples, each of them
/// the mean of its iterations; `None` if the command line's filter leaves this one out.
///
/// # Errors
/// The first error of `once`.
pub fn samples(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut once: impl FnMut() -> Result<Duration, Error>,
) -> Result<Option<Duration>, Error> {
    let (mut taken, mut failed) = (Vec::new(), None);
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut total = Duration::ZERO;
            for _ in 0..iterations {
                // After an error the rest is passed over; Criterion wants more than nothing.
                let time = match &failed {
                    None => once().unwrap_or_else(|error| {
                        failed = Some(error);
                        Duration::from_millis(1)
                    }),
                    Some(_) => Duration::from_millis(1),
                };
                total += time;
            }
            taken.push(total / u32::try_from(iterations.max(1)).unwrap_or(u32::MAX));
            total
        });
    });
    // What came before the samples was to warm up.
    let samples = taken.split_off(taken.len().saturating_sub(SAMPLES));
    failed.map_or_else(|| Ok(median(samples)), Err)
}

/// The middle one of some times.
#[must_use]
pub fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}

/// The most memory this process ever had, in bytes (`VmHWM` of `/proc/self/status`, proc(5)).
///
/// # Errors
/// Where the system has no such file.
pub fn peak_memory() -> Result<u64, Error> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("`/proc/self/status` has no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}
