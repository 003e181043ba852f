//! Finds the places in a file that the problems of its workflow are about.
//!
//! The file is read once more, with the place of every value: only who made a mistake pays for it.

use super::{Place, Problem};
use crate::yaml::problem::{ConfigError, Problem as Located};
use crate::yaml::{Entry, Loader, Mark, Node, SPEC_LIMITS, Value};

/// The problems with their places in `text`, in the order of those.
pub(super) fn problems(file: &str, text: &str, problems: &[Problem]) -> ConfigError {
    let document = document(file, text);
    let mut located: Vec<Located> = problems
        .iter()
        .map(|problem| {
            let place = problem.place();
            // A file that is not read a second time still has a name.
            let mark = place.and_then(|place| match &document {
                Some(document) => mark(document, &place, problem.word()),
                None => Some(Mark::new(file, 1, 1)),
            });
            Located {
                mark,
                hint: problem.hint().map(str::to_owned),
                ..Located::of_file(file, problem.to_string())
            }
        })
        .collect();
    located.sort_by_key(|problem| problem.mark.as_ref().map(Mark::place));
    ConfigError::new(located)
}

/// Line and column of the jobs.
pub(super) fn jobs(text: &str) -> Option<(u32, u32)> {
    let document = document("", text)?;
    let jobs = document.as_map()?.entry("jobs")?;
    Some((jobs.key.line, jobs.key.column))
}

/// The document of a text that was read before. JSON is YAML.
fn document(file: &str, text: &str) -> Option<Node> {
    let loader = Loader::default().limits(SPEC_LIMITS).typed();
    let documents = loader.load(text, file, &mut crate::yaml::problem::Problems::new());
    documents.ok()?.into_iter().next()
}

/// Where `word` stands in a place, or else the place; `None` if the file does not say it.
fn mark(document: &Node, place: &Place, word: Option<(Option<&str>, &str)>) -> Option<Mark> {
    match place {
        Place::Workflow => {
            let own = document.as_map()?.entries();
            let mut own = own.filter(|(key, _)| &***key != "jobs");
            let found =
                word.and_then(|(_, word)| own.find_map(|(_, entry)| find(&entry.node, word)));
            Some(found.unwrap_or(&document.mark).clone())
        }
        Place::Budget { stage } => {
            let mut budgets = document.get("budgets")?.as_seq()?.iter();
            let is_it = |budget: &&Node| budget.get("stage").and_then(Node::as_str) == Some(stage);
            budgets.find(is_it).map(|budget| budget.mark.clone())
        }
        Place::Job { job } => {
            let entry = job_entry(document, job)?;
            let found = word.and_then(|(key, word)| match key {
                Some(key) => find(entry.node.get(key)?, word),
                None => find(&entry.node, word),
            });
            Some(found.unwrap_or(&entry.key).clone())
        }
        Place::Step { job, index, .. } => {
            let entry = job_entry(document, job)?;
            let steps = entry.node.get("steps").and_then(Node::as_seq);
            let Some(step) = steps.and_then(|steps| steps.get(*index)) else {
                return Some(entry.key.clone());
            };
            let found = word.and_then(|(_, word)| find(step, word));
            Some(found.unwrap_or(&step.mark).clone())
        }
    }
}

/// What is declared under the name of a job; one of a matrix or shard has a longer name.
fn job_entry<'a>(document: &'a Node, job: &str) -> Option<&'a Entry> {
    let jobs = document.get("jobs")?.as_map()?;
    let mut ends = job.rmatch_indices(' ').map(|(at, _)| at);
    jobs.entry(job)
        .or_else(|| ends.find_map(|end| jobs.entry(&job[..end])))
}

/// The first key or scalar below `node` that is `word`; of a map, its keys before its values.
fn find<'a>(node: &'a Node, word: &str) -> Option<&'a Mark> {
    // What is still to be looked at, the next last: files may be deep.
    let mut rest = vec![node];
    while let Some(node) = rest.pop() {
        match &node.value {
            Value::Str(text) if **text == *word => return Some(&node.mark),
            Value::Seq(nodes) => rest.extend(nodes.iter().rev()),
            Value::Map(map) => {
                if let Some(entry) = map.entry(word) {
                    return Some(&entry.key);
                }
                rest.extend(map.iter().rev().map(|(_, node)| node));
            }
            _ => {}
        }
    }
    None
}
