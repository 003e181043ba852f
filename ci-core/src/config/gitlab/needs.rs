//! What a job waits for: its `needs`, or the jobs of earlier stages.

use std::collections::HashMap;
use std::sync::Arc;

use super::jobs::Job;
use super::notes::Notes;
use super::parallel::combinations;
use super::pipeline::Entry;
use crate::similar::closest;
use crate::yaml::problem::{Problem, Problems};
use crate::yaml::{Mark, Node};

/// The most needs of a job.
const MOST: usize = 50;

/// A job that another waits for, by its place in the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) job: usize,
    /// Whether its artifacts are fetched.
    pub(super) artifacts: bool,
}

/// The jobs of a pipeline and of the file by name.
pub(super) struct Names<'a> {
    pub(super) jobs: &'a [Job],
    pub(super) entries: &'a [Entry<'a>],
    pub(super) stages: &'a [Arc<str>],
    by_name: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(jobs: &'a [Job], entries: &'a [Entry<'a>], stages: &'a [Arc<str>]) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            if entry.name() != &*entry.job.name {
                by_name.entry(&entry.job.name).or_default().push(index);
            }
            // A job that has an instance's own name stands for it.
            by_name.insert(entry.name(), vec![index]);
        }
        Self {
            jobs,
            entries,
            stages,
            by_name,
        }
    }

    /// The jobs of the pipeline that a name means.
    pub(super) fn find(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    fn is_job(&self, name: &str) -> bool {
        let base = name.split_once(": [").map_or(name, |(base, _)| base);
        let shard = name.rsplit_once(' ').map_or(name, |(base, _)| base);
        self.jobs
            .iter()
            .any(|job| [name, base, shard].contains(&&*job.name))
    }
}

/// The needs of a job, or nothing if it goes by stages. Problems that hang on which jobs are in the
/// pipeline go to `missing`.
pub(super) fn resolve(
    entry: &Entry<'_>,
    names: &Names<'_>,
    notes: &mut Notes,
    missing: &mut Problems,
) -> Option<Vec<Needed>> {
    let needs = entry.chosen.needs.as_ref().or(entry.job.map.get("needs"))?;
    if needs.is_null() {
        return None;
    }
    let one = std::slice::from_ref(needs);
    let items = needs.as_seq().unwrap_or(one);
    let path = format!("jobs:{}:needs", entry.job.name);
    if items.len() > MOST {
        let message = format!(
            "config has {} needs; more than {MOST} are too many",
            items.len()
        );
        notes
            .problems
            .push(Problem::warning(&needs.mark, message).at(path.clone()));
    }
    let mut found = Vec::new();
    for item in items {
        let name = item
            .as_str()
            .or_else(|| item.get("job").and_then(Node::as_str));
        if item.get("project").is_some() || item.get("pipeline").is_some() {
            // Reported as a key that does nothing here.
            continue;
        }
        let Some(name) = name else {
            let problem = Problem::error(&item.mark, "a need names no `job`").at(path.clone());
            notes.problems.push(problem);
            continue;
        };
        let wanted = Wanted {
            name,
            mark: &item.mark,
            artifacts: item
                .get("artifacts")
                .and_then(Node::as_bool)
                .unwrap_or(true),
            optional: item
                .get("optional")
                .and_then(Node::as_bool)
                .unwrap_or(false),
        };
        let targets =
            matrix(item, entry, names, &path, notes).unwrap_or_else(|| names.find(name).to_vec());
        if targets.is_empty() {
            absent(entry, &wanted, names, notes, missing);
        }
        for job in targets {
            if names
                .entries
                .get(job)
                .is_some_and(|other| other.name() == entry.name())
            {
                let message = format!("job `{}` cannot need itself", entry.name());
                notes
                    .problems
                    .push(Problem::error(wanted.mark, message).at(path.clone()));
                continue;
            }
            later(entry, &wanted, job, names, notes);
            let artifacts = wanted.artifacts;
            found.push(Needed { job, artifacts });
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|needed| seen.insert(needed.job));
    Some(found)
}

struct Wanted<'a> {
    name: &'a str,
    mark: &'a Mark,
    artifacts: bool,
    optional: bool,
}

/// The instances that `parallel:matrix` of a need picks; nothing if it has none.
fn matrix(
    item: &Node,
    entry: &Entry<'_>,
    names: &Names<'_>,
    path: &str,
    notes: &mut Notes,
) -> Option<Vec<usize>> {
    let matrix = item.get("parallel")?.get("matrix")?;
    let name = item.get("job").and_then(Node::as_str).unwrap_or_default();
    let combinations = match combinations(matrix) {
        Ok(combinations) => combinations,
        Err(problem) => {
            let problem = problem.at(format!("{path}:parallel:matrix"));
            notes.problems.push(problem);
            return Some(Vec::new());
        }
    };
    let mut found = Vec::new();
    for mut values in combinations {
        for (_, value) in &mut values {
            match own_value(value, entry) {
                Ok(Some(own)) => *value = own,
                Ok(None) => {}
                Err(unknown) => {
                    let message = format!("`{unknown}` does not exist in matrix configuration");
                    notes
                        .problems
                        .push(Problem::error(&matrix.mark, message).at(path));
                }
            }
        }
        let same = |index: &&usize| {
            let other = names.entries.get(**index);
            other.is_some_and(|other| other.instance.values == values)
        };
        found.extend(names.find(name).iter().find(same));
    }
    Some(found)
}

/// The value of the job's own matrix that `$[[ matrix.X ]]` stands for; nothing for other text, and
/// the name as an error if there is no such value.
fn own_value(text: &str, entry: &Entry<'_>) -> Result<Option<String>, String> {
    let inner = text
        .trim()
        .strip_prefix("$[[")
        .and_then(|rest| rest.strip_suffix("]]"));
    let Some(name) = inner.and_then(|inner| inner.trim().strip_prefix("matrix.")) else {
        return Ok(None);
    };
    let own = entry
        .instance
        .values
        .iter()
        .find(|(known, _)| **known == *name);
    own.map(|(_, value)| Some(value.clone()))
        .ok_or_else(|| name.to_owned())
}

fn absent(
    entry: &Entry<'_>,
    wanted: &Wanted<'_>,
    names: &Names<'_>,
    notes: &mut Notes,
    missing: &mut Problems,
) {
    if wanted.optional {
        return;
    }
    let (job, name) = (&entry.job.name, wanted.name);
    let path = format!("jobs:{}:needs", entry.job.name);
    if names.is_job(name) {
        let message =
            format!("'{job}' job needs '{name}' job, but it was not added to the pipeline");
        let hint = "to need a job that sometimes is not in the pipeline, use `optional: true`";
        missing.push(Problem::error(wanted.mark, message).at(path).hint(hint));
    } else if notes.stubbed {
        let why = format!("`{name}` is unknown: an include that was left out may have it");
        notes.missing(wanted.mark, "needs", why);
    } else {
        let known = names.jobs.iter().map(|job| &*job.name);
        let problem = Problem::error(wanted.mark, format!("undefined need: `{name}`")).at(path);
        notes
            .problems
            .push(problem.did_you_mean(closest(name, known)));
    }
}

fn later(entry: &Entry<'_>, wanted: &Wanted<'_>, job: usize, names: &Names<'_>, notes: &mut Notes) {
    let Some(other) = names.entries.get(job) else {
        return;
    };
    if other.job.stage > entry.job.stage {
        let stage = names.stages.get(other.job.stage).map_or("", AsRef::as_ref);
        let message = format!(
            "need `{}` is not defined in current or prior stages: it is in `{stage}`",
            wanted.name
        );
        let path = format!("jobs:{}:needs", entry.job.name);
        notes
            .problems
            .push(Problem::error(wanted.mark, message).at(path));
    }
}

/// The jobs whose artifacts `dependencies` asks for; nothing if the job has none.
pub(super) fn dependencies(
    entry: &Entry<'_>,
    names: &Names<'_>,
    notes: &mut Notes,
) -> Option<Vec<usize>> {
    let node = entry.job.map.get("dependencies")?;
    let items = node.as_seq()?;
    let path = format!("jobs:{}:dependencies", entry.job.name);
    let mut found = Vec::new();
    for item in items {
        let name = item.scalar().unwrap_or_default();
        let targets = names.find(&name);
        if targets.is_empty() && !names.is_job(&name) {
            if notes.stubbed {
                let why = format!("`{name}` is unknown: an include that was left out may have it");
                notes.missing(&item.mark, "dependencies", why);
                continue;
            }
            let known = names.jobs.iter().map(|job| &*job.name);
            let problem = Problem::error(&item.mark, format!("undefined dependency: `{name}`"));
            notes
                .problems
                .push(problem.at(path.clone()).did_you_mean(closest(&name, known)));
        }
        found.extend_from_slice(targets);
    }
    Some(found)
}

/// For each stage, the jobs that a job of it waits for when it goes by stages. A job that itself waits
/// for everything before it stands for all of that; `whole` does without, for jobs that ask how each
/// of those before them ended.
pub(super) fn by_stage(
    entries: &[Entry<'_>],
    by_stages: &[bool],
    stages: usize,
    whole: bool,
) -> Vec<Vec<usize>> {
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); stages];
    let mut closes = vec![false; stages];
    for (index, entry) in entries.iter().enumerate() {
        let stage = entry.job.stage;
        if entry.is_optional_manual() {
            continue;
        }
        if let (Some(members), Some(closes)) = (members.get_mut(stage), closes.get_mut(stage)) {
            members.push(index);
            let follows = by_stages.get(index).copied().unwrap_or(false);
            *closes |= follows && entry.waits_for_success() && !whole;
        }
    }
    let mut waits: Vec<Vec<usize>> = Vec::new();
    for stage in 0..stages {
        let below = closes.get(..stage).unwrap_or_default();
        let first = below.iter().rposition(|closes| *closes).unwrap_or(0);
        waits.push(members.get(first..stage).unwrap_or_default().concat());
    }
    waits
}
