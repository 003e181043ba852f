//! `strategy.matrix`: its combinations, with `include` and `exclude`.

use super::super::pipeline::Pipeline;
use crate::yaml::{Map, Node};

/// How many combinations a matrix has at most, as at GitHub.
const MOST: usize = 256;

/// The values of one job of a matrix.
pub(super) type Combination = Vec<(String, String)>;

/// The combinations of a matrix in the order that GitHub makes them.
pub(super) fn read(matrix: &Node, pipeline: &mut Pipeline) -> Vec<Combination> {
    let Some(map) = matrix.as_map() else {
        let hint = "a matrix that is computed has to be written out";
        pipeline.note(&matrix.mark, "the matrix", hint);
        return Vec::new();
    };
    let mut all: Vec<Combination> = vec![Vec::new()];
    for (name, entry) in map.entries().filter(|(name, _)| !is_change(name)) {
        let Some(values) = entry.node.as_seq() else {
            let hint = "values that are computed have to be written out";
            pipeline.note(&entry.key, format!("`matrix.{name}`"), hint);
            continue;
        };
        let values: Vec<String> = values
            .iter()
            .filter_map(|it| flat(name, it, pipeline))
            .collect();
        if all.len() * values.len() > MOST {
            let hint = "more combinations than 256 are not made";
            pipeline.note(&entry.key, format!("`matrix.{name}`"), hint);
            continue;
        }
        all = all
            .into_iter()
            .flat_map(|before| {
                values.iter().map(move |value| {
                    let mut next = before.clone();
                    next.push((name.to_string(), value.clone()));
                    next
                })
            })
            .collect();
    }
    let base = all.first().is_some_and(|first| !first.is_empty());
    let exclude = changes(map, "exclude", pipeline);
    all.retain(|it| {
        !exclude
            .iter()
            .any(|out| out.iter().all(|pair| it.contains(pair)))
    });
    if !base {
        all.clear();
    }
    include(&mut all, changes(map, "include", pipeline), map);
    let made = all.len();
    let mut seen = std::collections::HashSet::new();
    all.retain(|combination| seen.insert(combination.clone()));
    if all.len() < made {
        let hint = "a combination that is there twice is one job";
        pipeline.note(&matrix.mark, "the same values twice in the matrix", hint);
    }
    all.truncate(MOST);
    all
}

fn is_change(name: &str) -> bool {
    matches!(name, "include" | "exclude")
}

/// A value as text. Maps have no place in a variable.
fn flat(name: &str, node: &Node, pipeline: &mut Pipeline) -> Option<String> {
    let value = node.scalar().map(std::borrow::Cow::into_owned);
    if value.is_none() {
        let hint = "give its parts names of their own in the matrix";
        pipeline.note(
            &node.mark,
            format!("a value of `matrix.{name}` that is {}", node.kind()),
            hint,
        );
    }
    value
}

fn changes(map: &Map, key: &str, pipeline: &mut Pipeline) -> Vec<Combination> {
    let Some(node) = map.get(key) else {
        return Vec::new();
    };
    let Some(entries) = node.as_seq() else {
        let hint = "a matrix that is computed has to be written out";
        pipeline.note(&node.mark, format!("`matrix.{key}`"), hint);
        return Vec::new();
    };
    let one = |entry: &Node, pipeline: &mut Pipeline| {
        let pairs = entry.as_map().into_iter().flat_map(Map::iter);
        pairs
            .filter_map(|(name, value)| Some((name.to_string(), flat(name, value, pipeline)?)))
            .collect()
    };
    entries
        .iter()
        .take(MOST)
        .map(|entry| one(entry, pipeline))
        .collect()
}

/// An entry of `include` completes the combinations that it contradicts in no original value, or is a
/// combination of its own.
fn include(all: &mut Vec<Combination>, entries: Vec<Combination>, map: &Map) {
    let original = |name: &str| map.contains(name) && !is_change(name);
    let made = all.len();
    for entry in entries {
        let mut completed = false;
        for combination in all.iter_mut().take(made) {
            let fits = |(name, value): &(String, String)| {
                !original(name) || combination.iter().any(|it| it.0 == *name && it.1 == *value)
            };
            if !entry.iter().all(fits) {
                continue;
            }
            completed = true;
            for (name, value) in entry.iter().filter(|(name, _)| !original(name)) {
                combination.retain(|(other, _)| other != name);
                combination.push((name.clone(), value.clone()));
            }
        }
        if !completed {
            all.push(entry);
        }
    }
}
