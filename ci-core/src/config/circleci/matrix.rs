//! A matrix of a workflow's job: every combination of its parameters.

use std::sync::Arc;

use crate::yaml::problem::Problem;
use crate::yaml::{Map, Node};

/// How many jobs a matrix may make.
const LIMIT: usize = 65_536;

/// The combinations, parameters in the order of their names, the last changing fastest.
pub(super) fn combinations(matrix: &Node) -> Result<Vec<Map>, Problem> {
    let Some(parameters) = matrix.get("parameters").and_then(Node::as_map) else {
        let message = "a matrix needs `parameters`, a map of lists";
        return Err(Problem::error(&matrix.mark, message));
    };
    let mut dimensions: Vec<(&Arc<str>, &Node)> = parameters.iter().collect();
    dimensions.sort_by(|a, b| a.0.cmp(b.0));
    let mut all = vec![Map::new()];
    for (name, values) in dimensions {
        let Some(values) = values.as_seq() else {
            let message = format!("`{name}` takes a list of values, not {}", values.kind());
            return Err(Problem::error(&values.mark, message));
        };
        if all.len().saturating_mul(values.len()) > LIMIT {
            let message = format!("the matrix makes more than {LIMIT} jobs");
            return Err(Problem::error(&matrix.mark, message));
        }
        all = all
            .iter()
            .flat_map(|start| {
                values.iter().map(move |value| {
                    let mut longer = start.clone();
                    longer.insert(Arc::clone(name), value.clone());
                    longer
                })
            })
            .collect();
    }
    let excluded = matrix
        .get("exclude")
        .and_then(Node::as_seq)
        .unwrap_or_default();
    let is_out = |combination: &Map| {
        excluded.iter().filter_map(Node::as_map).any(|out| {
            out.len() == combination.len()
                && out
                    .iter()
                    .all(|(name, value)| combination.get(name).is_some_and(|own| own.same(value)))
        })
    };
    all.retain(|combination| !is_out(combination));
    Ok(all)
}

/// The name of the job of a combination.
pub(super) fn name(job: &str, combination: &Map) -> String {
    let mut name = job.to_owned();
    for (_, value) in combination.iter() {
        name.push('-');
        name.push_str(&value.scalar().unwrap_or_default());
    }
    name
}
