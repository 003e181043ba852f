//! The schedules of a repository, and what each of them starts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ci_core::clock::Clock;
use ci_core::store::RunStore;
use ci_core::trigger::{Fired, NameFilter, Schedule, Timer};
use ci_core::vcs;
use ci_core::yaml;
use serde_json::Value;

use super::drive::blocking;
use super::plan::{Occasion, triggers};
use crate::failure::{Failure, chain};

/// The files of CircleCI that may have schedules.
const CIRCLECI: [&str; 2] = [".circleci/config.yml", ".circleci/config.yaml"];

/// A schedule with what it starts.
#[derive(Debug, Clone)]
pub(super) struct Timed {
    pub(super) schedule: Schedule,
    /// A workflow of a CircleCI file, and the branches that it runs for.
    pub(super) of_workflow: Option<(String, NameFilter)>,
}

/// The schedules that a repository has on the branch that is checked out. Blocks.
fn schedules(repository: &Path) -> Result<Vec<Timed>, Failure> {
    let failed = |error: vcs::VcsError| Failure::engine(chain(&error));
    let branches = vcs::branches(repository).map_err(failed)?;
    let Some((_, revision)) = branches.first() else {
        return Ok(Vec::new());
    };
    let own = triggers(repository, revision)?.unwrap_or_default();
    let mut found: Vec<Timed> = own
        .on
        .schedule
        .into_iter()
        .map(|schedule| Timed {
            schedule,
            of_workflow: None,
        })
        .collect();
    for file in CIRCLECI {
        if let Some(bytes) = vcs::read_file(repository, revision, file).map_err(failed)? {
            // What is wrong with the file is told by the runs of its commits.
            let text = String::from_utf8_lossy(&bytes);
            let config: Value = yaml::from_str(&text).unwrap_or_default();
            found.extend(of_circleci(&config));
        }
    }
    Ok(found)
}

/// The schedules of the workflows of a CircleCI file
/// (<https://circleci.com/docs/reference/configuration-reference/#schedule>): in UTC, for branches by
/// name or regular expression.
fn of_circleci(config: &Value) -> Vec<Timed> {
    let workflows = config["workflows"].as_object();
    let mut found = Vec::new();
    for (name, workflow) in workflows.into_iter().flatten() {
        let triggers = workflow["triggers"].as_array().into_iter().flatten();
        for (index, trigger) in triggers.enumerate() {
            let schedule = &trigger["schedule"];
            let Some(cron) = schedule["cron"].as_str() else {
                continue;
            };
            let branches = &schedule["filters"]["branches"];
            let only = words(&branches["only"]);
            let ignore = words(&branches["ignore"]).into_iter();
            let ignore = ignore.map(|word| format!("!{word}"));
            found.push(Timed {
                schedule: Schedule::new(format!("workflow {name} {index}"), cron),
                of_workflow: Some((name.clone(), only.into_iter().chain(ignore).collect())),
            });
        }
    }
    found
}

/// A word or a list of words.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(word) => vec![word.clone()],
        Value::Array(list) => list
            .iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// What a moment of a schedule starts: a run for its branch, or for each that its filter takes. Blocks.
fn occasions(repository: &Path, timed: &Timed, fired: &Fired) -> Result<Vec<Occasion>, Failure> {
    let branches = vcs::branches(repository).map_err(|error| Failure::engine(chain(&error)))?;
    let mut wanted = Vec::new();
    for (index, (branch, commit)) in branches.into_iter().enumerate() {
        let takes = match (&timed.of_workflow, &timed.schedule.branch) {
            (Some((_, filter)), _) => filter
                .takes(&branch)
                .map_err(|error| Failure::input(error.to_string()))?,
            (None, Some(wanted)) => *wanted == branch,
            (None, None) => index == 0,
        };
        if takes {
            wanted.push((branch, commit));
        }
    }
    if wanted.is_empty() {
        let (name, repository) = (&timed.schedule.name, repository.display());
        return Err(Failure::input(format!(
            "the schedule `{name}` of `{repository}` has no branch to run for"
        )));
    }
    Ok(wanted
        .into_iter()
        .map(|(branch, commit)| {
            let mut schedule = timed.schedule.clone();
            schedule.branch = Some(branch.clone());
            let (name, moment) = (&schedule.name, fired.moment.as_millis());
            Occasion {
                repository: repository.to_path_buf(),
                id: format!("{}#{name}@{moment}/{branch}", repository.display()),
                event: schedule.event().revision(commit),
                workflow: timed.of_workflow.as_ref().map(|(name, _)| name.clone()),
                is_asked_for: false,
            }
        })
        .collect())
}

/// The occasions of a repository's schedules that have come, and how long until the next may.
pub(super) async fn due(
    repository: &Path,
    store: &Arc<dyn RunStore>,
) -> Result<(Vec<Occasion>, Duration), Failure> {
    let at = repository.to_path_buf();
    let all: Vec<Timed> = blocking(move || schedules(&at)).await?;
    let mut timer = Timer::new(Arc::clone(store), Clock::system());
    for timed in &all {
        timer
            .add(repository.display().to_string(), timed.schedule.clone())
            .map_err(|error| Failure::input(chain(&error)))?;
    }
    let (fired, pause) = timer
        .look()
        .await
        .map_err(|error| Failure::engine(chain(&error)))?;
    let mut found = Vec::new();
    for fired in fired {
        let Some(timed) = all.iter().find(|it| it.schedule == fired.schedule).cloned() else {
            continue;
        };
        let at = repository.to_path_buf();
        found.extend(blocking(move || occasions(&at, &timed, &fired)).await?);
    }
    Ok((found, pause))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schedules_of_circleci_are_found() {
        let config = json!({"workflows": {
            "version": 2,
            "build": {"jobs": ["b"]},
            "nightly": {"jobs": ["b"], "triggers": [
                {"schedule": {"cron": "0 3 * * *", "filters": {"branches": {"only": ["main", "/r-.*/"]}}}},
                {"schedule": {"cron": "0 4 * * *", "filters": {"branches": {"ignore": "old"}}}},
            ]},
        }});
        let found = of_circleci(&config);
        let crons: Vec<&str> = found.iter().map(|it| it.schedule.cron.as_str()).collect();
        assert_eq!(crons, ["0 3 * * *", "0 4 * * *"]);
        let takes = |index: usize, branch: &str| {
            let (name, filter): &(String, NameFilter) =
                found[index].of_workflow.as_ref().expect("a workflow");
            assert_eq!(name, "nightly");
            filter.takes(branch).expect("patterns")
        };
        assert!(takes(0, "main") && takes(0, "r-1") && !takes(0, "other"));
        assert!(takes(1, "other") && !takes(1, "old"));
    }
}
