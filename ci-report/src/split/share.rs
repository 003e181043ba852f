//! The split itself: weights, and shards of about the same weight.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use serde::Serialize;

use super::timings::{Match, Timings};

/// Names shared out over shards. Every name is in exactly one.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    shards: Vec<Vec<String>>,
    explanation: Explanation,
}

/// Why the shards are what they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Predicted seconds of each shard; with file sizes, bytes; with names alone, how many names.
    pub seconds: Vec<f64>,
    /// Names with a known weight, and how it was found.
    pub matched: BTreeMap<String, Match>,
    /// Names of which no weight is known.
    pub unmatched: Vec<String>,
    /// The weight that names without a known one got: the median of those known, or 1.
    pub assumed: f64,
}

impl Split {
    /// The names of the shard `index`, counted from 0, in the order of the names as they came; empty
    /// when there is no such shard.
    pub fn shard(&self, index: usize) -> &[String] {
        self.shards.get(index).map_or(&[], Vec::as_slice)
    }

    /// All shards.
    pub fn shards(&self) -> &[Vec<String>] {
        &self.shards
    }

    /// Why they are what they are.
    pub fn explanation(&self) -> &Explanation {
        &self.explanation
    }
}

/// Shares out by how long each test took: the longest first, each to the shard that has least to do.
/// This is Graham's LPT rule, whose longest shard takes at most 4/3 of the shortest possible time.
///
/// Tests of unknown time count as the median of the others. A name that comes twice is one name; no
/// shard is the same as one shard.
pub fn by_timings<S: AsRef<str>>(
    names: impl IntoIterator<Item = S>,
    timings: &Timings,
    shards: usize,
) -> Split {
    by_weight(names, shards, |name| timings.get(name))
}

/// Shares out by the size of each file in bytes; `size` says it, or that it is unknown.
pub fn by_filesize<S: AsRef<str>>(
    names: impl IntoIterator<Item = S>,
    size: impl Fn(&str) -> Option<u64>,
    shards: usize,
) -> Split {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a file of more than 2^53 bytes weighs enough without its last bits"
    )]
    by_weight(names, shards, |name| {
        Some((size(name)? as f64, Match::Exact))
    })
}

/// Shares out by name alone: in their order, one to each shard in turn.
pub fn by_name<S: AsRef<str>>(names: impl IntoIterator<Item = S>, shards: usize) -> Split {
    let names = unique(names);
    let mut sorted: Vec<usize> = (0..names.len()).collect();
    sorted.sort_by(|a, b| names[*a].cmp(&names[*b]));
    let count = shards.max(1);
    let mut place = vec![0; names.len()];
    for (turn, name) in sorted.into_iter().enumerate() {
        place[name] = turn % count;
    }
    let weights = vec![1.0; names.len()];
    let explanation = Explanation {
        assumed: 1.0,
        ..Explanation::default()
    };
    collect(names, &weights, &place, count, explanation)
}

fn by_weight<S: AsRef<str>>(
    names: impl IntoIterator<Item = S>,
    shards: usize,
    weight: impl Fn(&str) -> Option<(f64, Match)>,
) -> Split {
    let names = unique(names);
    let known: Vec<_> = names.iter().map(|name| weight(name)).collect();
    let assumed = median(known.iter().flatten().map(|(weight, _)| *weight).collect());
    let weights: Vec<f64> = known
        .iter()
        .map(|known| known.map_or(assumed, |it| it.0))
        .collect();
    let count = shards.max(1);
    let place = longest_first(&names, &weights, count);
    let mut explanation = Explanation {
        assumed,
        ..Explanation::default()
    };
    for (name, known) in names.iter().zip(&known) {
        match known {
            Some((_, how)) => {
                explanation.matched.insert(name.clone(), *how);
            }
            None => explanation.unmatched.push(name.clone()),
        }
    }
    collect(names, &weights, &place, count, explanation)
}

/// A shard that waits for work. The greatest is the one with the least to do, then with the fewest
/// names, then the first.
#[derive(Debug, PartialEq)]
struct Waiting {
    load: f64,
    names: usize,
    index: usize,
}

impl Eq for Waiting {}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_load = other.load.total_cmp(&self.load);
        by_load
            .then(other.names.cmp(&self.names))
            .then(other.index.cmp(&self.index))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The shard of each name. Names of the same weight go by name, so that their order does not matter.
fn longest_first(names: &[String], weights: &[f64], shards: usize) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..names.len()).collect();
    sorted.sort_by(|a, b| {
        let by_weight = weights[*b].total_cmp(&weights[*a]);
        by_weight.then_with(|| names[*a].cmp(&names[*b]))
    });
    // Shards beyond the number of names stay empty, however many were asked for.
    let mut waiting: BinaryHeap<Waiting> = (0..shards.min(names.len().max(1)))
        .map(|index| Waiting {
            load: 0.0,
            names: 0,
            index,
        })
        .collect();
    let mut place = vec![0; names.len()];
    for name in sorted {
        if let Some(mut shard) = waiting.peek_mut() {
            place[name] = shard.index;
            shard.load += weights[name];
            shard.names += 1;
        }
    }
    place
}

fn collect(
    names: Vec<String>,
    weights: &[f64],
    place: &[usize],
    count: usize,
    mut explanation: Explanation,
) -> Split {
    // More shards than names are not all made: those that are not there are empty as well.
    let count = count.min(names.len().max(1));
    let mut shards = vec![Vec::new(); count];
    explanation.seconds = vec![0.0; count];
    for ((name, weight), shard) in names.into_iter().zip(weights).zip(place) {
        shards[*shard].push(name);
        explanation.seconds[*shard] += weight;
    }
    Split {
        shards,
        explanation,
    }
}

/// The names in their order, each once.
fn unique<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let mut unique = Vec::new();
    for name in names {
        if seen.insert(name.as_ref().to_owned()) {
            unique.push(name.as_ref().to_owned());
        }
    }
    unique
}

/// The one in the middle, the lower of two; 1 when there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(1.0)
}
