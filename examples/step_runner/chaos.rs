//! Decides what breaks and which commits fail, from seeds alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::args::Args;

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    Nothing,
    Crash,
    Hang,
    Drop,
    Error,
}

/// The source of everything that goes wrong.
#[derive(Debug)]
pub(crate) struct Chaos {
    args: Args,
    seed: u64,
    calls: AtomicU64,
}

impl Chaos {
    pub(crate) fn new(args: &Args) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let of_start = now.unwrap_or_default().as_nanos() ^ u128::from(std::process::id());
        Self {
            seed: args
                .seed
                .unwrap_or_else(|| u64::try_from(of_start & u128::from(u64::MAX)).unwrap_or(0)),
            args: args.clone(),
            calls: AtomicU64::new(0),
        }
    }

    /// What happens to the next call, and how long the step plays.
    pub(crate) fn next(&self, step: &str) -> (Mishap, Duration) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut bits = mix(self.seed ^ mix(call));
        let mut draw = || {
            bits = mix(bits);
            share(bits)
        };
        let millis = draw() * f64::from(u32::try_from(self.args.max_ms).unwrap_or(u32::MAX));
        let play = Duration::from_secs_f64(millis / 1000.0);
        let chances = [
            (
                Mishap::Crash,
                if step == "test" {
                    self.args.crash_rate
                } else {
                    0.0
                },
            ),
            (Mishap::Hang, self.args.hang_rate),
            (Mishap::Drop, self.args.drop_rate),
            (Mishap::Error, self.args.error_rate),
        ];
        let mishap = chances.into_iter().find(|(_, rate)| draw() < *rate);
        (mishap.map_or(Mishap::Nothing, |it| it.0), play)
    }

    /// Whether a step fails on a commit: for good, whoever asks and however often. `lint` never does.
    pub(crate) fn fails(&self, step: &str, commit: &str) -> bool {
        let bits = format!("{step} {commit}")
            .bytes()
            .fold(mix(self.args.verdicts), |bits, byte| {
                mix(bits ^ u64::from(byte))
            });
        step != "lint" && share(bits) < self.args.fail_rate
    }
}

/// The output function of `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>).
fn mix(bits: u64) -> u64 {
    let mut bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number from 0 to 1.
fn share(bits: u64) -> f64 {
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn chaos(words: &[&str]) -> Chaos {
        let words = std::iter::once("step_runner").chain(words.iter().copied());
        Chaos::new(&Args::parse_from(words))
    }

    #[test]
    fn a_seed_repeats_itself_and_rates_hold() {
        let draw = |seed| {
            let chaos = chaos(&["--seed", seed, "--crash-rate", "0.2", "--hang-rate", "0"]);
            (0..4000).map(|_| chaos.next("test").0).collect::<Vec<_>>()
        };
        assert_eq!(draw("1"), draw("1"));
        assert_ne!(draw("1"), draw("2"));
        let crashes = draw("1").iter().filter(|it| **it == Mishap::Crash).count();
        assert!((700..900).contains(&crashes), "{crashes}");
        assert!(!draw("1").contains(&Mishap::Hang));
    }

    #[test]
    fn a_verdict_is_for_good_and_lint_never_fails() {
        let (one, two) = (
            chaos(&["--fail-rate", "0.5"]),
            chaos(&["--fail-rate", "0.5", "--seed", "9"]),
        );
        let mut failed = 0;
        for commit in 0..1000 {
            let commit = commit.to_string();
            assert_eq!(one.fails("test", &commit), two.fails("test", &commit));
            assert!(!one.fails("lint", &commit));
            failed += usize::from(one.fails("test", &commit));
        }
        assert!((400..600).contains(&failed), "{failed}");
    }

    #[test]
    fn only_test_crashes() {
        let chaos = chaos(&["--crash-rate", "1"]);
        assert_eq!(chaos.next("test").0, Mishap::Crash);
        assert!((0..100).all(|_| chaos.next("build").0 != Mishap::Crash));
    }
}
