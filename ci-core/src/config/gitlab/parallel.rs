//! `parallel`: a number of equal jobs, or one for each combination of values.

use std::sync::Arc;

use super::jobs::Job;
use crate::yaml::problem::{Problem, Problems};
use crate::yaml::{Map, Node};

/// The most jobs that one may become.
const MOST: usize = 200;

/// A job of those that one becomes.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) name: Arc<str>,
    /// The values that tell it from the others, in the order in which they are written.
    pub(super) values: Vec<(Arc<str>, String)>,
    /// Which of how many it is, from 1.
    pub(super) place: Option<(usize, usize)>,
}

/// The jobs that a job becomes: itself, if it is not repeated.
pub(super) fn instances(job: &Job, problems: &mut Problems) -> Vec<Instance> {
    let path = || format!("jobs:{}:parallel", job.name);
    let single = Instance {
        name: Arc::clone(&job.name),
        values: Vec::new(),
        place: None,
    };
    let Some(parallel) = job.map.get("parallel").filter(|node| !node.is_null()) else {
        return vec![single];
    };
    if let Some(matrix) = parallel.get("matrix") {
        let combinations = match combinations(matrix) {
            Ok(combinations) => combinations,
            Err(problem) => {
                problems.push(problem.at(format!("{}:matrix", path())));
                return vec![single];
            }
        };
        let total = combinations.len();
        let named = combinations
            .into_iter()
            .enumerate()
            .map(|(index, values)| Instance {
                name: matrix_name(&job.name, &values),
                values,
                place: Some((index + 1, total)),
            });
        return named.collect();
    }
    let total = parallel
        .scalar()
        .and_then(|text| text.parse::<usize>().ok());
    let Some(total @ 1..=MOST) = total else {
        let message = format!("config should be a number from 1 to {MOST}");
        problems.push(Problem::error(&parallel.mark, message).at(path()));
        return vec![single];
    };
    let shard = |index| Instance {
        name: format!("{} {index}/{total}", job.name).into(),
        values: Vec::new(),
        place: Some((index, total)),
    };
    (1..=total).map(shard).collect()
}

fn matrix_name(job: &str, values: &[(Arc<str>, String)]) -> Arc<str> {
    let values: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
    format!("{job}: [{}]", values.join(", ")).into()
}

type Combination = Vec<(Arc<str>, String)>;

/// Every combination of a matrix, those of its first entry first.
pub(super) fn combinations(matrix: &Node) -> Result<Vec<Combination>, Problem> {
    let one = std::slice::from_ref(matrix);
    let mut all = Vec::new();
    for entry in matrix.as_seq().unwrap_or(one) {
        let Some(map) = entry.as_map() else {
            return Err(Problem::error(
                &entry.mark,
                "config should be an array of hashes",
            ));
        };
        all.extend(product(map, matrix)?);
        check_size(all.len(), matrix)?;
    }
    if all.is_empty() {
        return Err(Problem::error(&matrix.mark, "config generates no jobs"));
    }
    Ok(all)
}

fn check_size(size: usize, matrix: &Node) -> Result<(), Problem> {
    if size <= MOST {
        return Ok(());
    }
    let message = format!("config generates too many jobs (maximum is {MOST})");
    Err(Problem::error(&matrix.mark, message))
}

fn product(map: &Map, matrix: &Node) -> Result<Vec<Combination>, Problem> {
    let mut rows: Vec<Combination> = vec![Vec::new()];
    for (name, node) in map.iter() {
        let one = std::slice::from_ref(node);
        let mut values = Vec::new();
        for value in node.as_seq().unwrap_or(one) {
            let Some(text) = value.scalar() else {
                let message = format!(
                    "the values of `{name}` have to be strings, not {}",
                    value.kind()
                );
                return Err(Problem::error(&value.mark, message));
            };
            values.push(text.into_owned());
        }
        check_size(rows.len().saturating_mul(values.len()), matrix)?;
        let longer = |row: &Combination, value: &String| {
            let mut row = row.clone();
            row.push((Arc::clone(name), value.clone()));
            row
        };
        rows = rows
            .iter()
            .flat_map(|row| values.iter().map(move |value| longer(row, value)))
            .collect();
    }
    Ok(rows)
}
