//! The gates on coverage: the reports of all shards of a job merged, then judged.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::book::Page;
use super::services::JobServices;
use crate::event::{CoverageTotals, GateOutcome, RunEvent};
use crate::id::{JobId, RunId};
use crate::job::CoverageRules;
use crate::outcome::Outcome;
use crate::report::coverage::{
    ChangedLines, Coverage, GateResult, Gates, Join, PathMap, parse_diff, read,
};
use crate::step::StepServices;
use crate::steps::reports::totals_of;
use crate::storage::{ArtifactKind, Storage};
use crate::workflow::Plan;

/// How many gates that are not passed the outcome of a job names.
const MOST_NAMED: usize = 3;
/// How many of them an event lists.
const MOST_LISTED: usize = 100;

/// Judges the coverage of a job whose steps succeeded. Of several shards, the one that is done last is
/// judged with the coverage of all: it fails where a gate is not passed. A shard that failed leaves
/// the gates unjudged, as the job has failed anyway.
pub(super) async fn judge(services: &Arc<JobServices>) -> Outcome {
    let (host, job) = (services.host(), services.ticket().job);
    let shards = shards_of(&host.plan, job);
    if !host.book.is_last(job, &shards) {
        return Outcome::Success;
    }
    let names = shards
        .iter()
        .map(|shard| Arc::clone(&host.plan.job(*shard).name));
    let names: Vec<Arc<str>> = names.collect();
    let work = Work {
        storage: host.storage.clone(),
        run: host.run,
        shards: names.clone(),
        pages: shards.iter().map(|shard| host.book.page(*shard)).collect(),
        project: host.project_dir.clone(),
        rules: services.job().options.reports.coverage.clone(),
    };
    let judged = match tokio::task::spawn_blocking(move || work.judge()).await {
        Ok(judged) => judged,
        Err(panic) => {
            let words = format!("the coverage could not be judged: {panic}");
            return Outcome::InfrastructureFailure(words.into());
        }
    };
    for note in judged.notes {
        host.warn(Some(Arc::clone(&services.job().name)), note);
    }
    let failed: Vec<&GateOutcome> = judged.gates.iter().filter(|gate| !gate.passed).collect();
    let outcome = if failed.is_empty() {
        Outcome::Success
    } else {
        host.book.reopen(job);
        Outcome::failed(words_of(&failed, shards.len()))
    };
    let passed = judged.gates.iter().filter(|gate| gate.passed);
    let listed = passed.chain(failed.into_iter().take(MOST_LISTED));
    host.recorder.note(RunEvent::CoverageJudged {
        job: Arc::clone(&services.job().name),
        attempt: services.ticket().attempt,
        shards: names,
        totals: judged.totals,
        passed: outcome.is_success(),
        gates: listed.cloned().collect(),
    });
    outcome
}

fn words_of(failed: &[&GateOutcome], shards: usize) -> String {
    let named: Vec<&str> = failed
        .iter()
        .take(MOST_NAMED)
        .map(|gate| gate.message.as_str())
        .collect();
    let mut words = named.join("; ");
    if shards > 1 {
        words = format!("{shards} shards together: {words}");
    }
    match failed.len().saturating_sub(MOST_NAMED) {
        0 => words,
        rest => format!("{words}; and {rest} more"),
    }
}

/// The shards of the job that `job` is one of; only itself where there are no others. Shards are known
/// by their names and their number in the environment: `test 2/4`, or `test (2/4)` as CircleCI has it.
fn shards_of(plan: &Plan, job: JobId) -> Vec<JobId> {
    let spec = plan.job(job);
    let mut totals = ["CI_NODE_TOTAL", "CIRCLE_NODE_TOTAL"].into_iter();
    let total = totals.find_map(|name| spec.options.env.get(name));
    let total: u32 = total.and_then(|it| it.parse().ok()).unwrap_or(1);
    let Some((name, in_brackets)) = declared(&spec.name, total).filter(|_| total > 1) else {
        return vec![job];
    };
    let name_of = |index: u32| {
        if in_brackets {
            format!("{name} ({index}/{total})")
        } else {
            format!("{name} {index}/{total}")
        }
    };
    let all = (1..=total).filter_map(|index| plan.find(&name_of(index)));
    all.filter(|shard| !plan.skipped.contains_key(shard))
        .collect()
}

/// The name of a shard without its place among `total`, and whether that stands in brackets.
fn declared(name: &str, total: u32) -> Option<(&str, bool)> {
    let (name, place) = name.rsplit_once(' ')?;
    let inner = place.strip_prefix('(').and_then(|it| it.strip_suffix(')'));
    let (index, of) = inner.unwrap_or(place).split_once('/')?;
    let is_place = index.parse::<u32>().is_ok() && of.parse() == Ok(total);
    is_place.then_some((name, inner.is_some()))
}

/// What is judged, off the async threads.
struct Work {
    storage: Option<Arc<Storage>>,
    run: RunId,
    shards: Vec<Arc<str>>,
    pages: Vec<Page>,
    project: Option<PathBuf>,
    rules: CoverageRules,
}

/// The judgement.
struct Judged {
    totals: CoverageTotals,
    gates: Vec<GateOutcome>,
    notes: Vec<String>,
}

impl Work {
    fn judge(self) -> Judged {
        let mut notes = Vec::new();
        let coverage = self.merged(&mut notes);
        let stated = self.stated();
        let mut totals = totals_of(&coverage);
        totals.stated = stated;
        let gates = match (coverage.is_empty(), stated) {
            (true, Some(percent)) => by_statement(&self.rules, percent),
            (true, None) => vec![nothing(&self.rules)],
            (false, _) => {
                let changed = self.changed(&coverage, &mut notes);
                let verdict = gates(&self.rules).check(&coverage, changed.as_ref());
                verdict.results().iter().map(outcome_of).collect()
            }
        };
        Judged {
            totals,
            gates,
            notes,
        }
    }

    /// The reports of all shards, with the paths of the project.
    fn merged(&self, notes: &mut Vec<String>) -> Coverage {
        let mut merged = Coverage::new();
        let Some(storage) = &self.storage else {
            return merged;
        };
        let known = self.project.as_deref().map(known_files).unwrap_or_default();
        for (shard, page) in self.shards.iter().zip(&self.pages) {
            let mut map = PathMap::new().known(known.iter().cloned());
            for root in &page.roots {
                map = map.root(root);
            }
            let files = match storage.artifacts(self.run, Some(shard)) {
                Ok(files) => files,
                Err(error) => {
                    notes.push(crate::error::chain(&error));
                    continue;
                }
            };
            for file in files
                .iter()
                .filter(|file| file.kind == ArtifactKind::Coverage)
            {
                // What is wrong with a report was told when it was kept.
                let content = storage.open_artifact(&file.digest).ok();
                if let Some(report) = content.and_then(|content| read(content).ok()) {
                    merged.merge(map.apply(report.coverage, Join::Sum));
                }
            }
        }
        merged
    }

    /// The mean of what the outputs of the shards state.
    fn stated(&self) -> Option<f64> {
        let stated = self.pages.iter().filter_map(|page| page.coverage?.stated);
        let stated: Vec<f64> = stated.collect();
        let count = u32::try_from(stated.len()).unwrap_or(u32::MAX);
        (count > 0).then(|| stated.iter().sum::<f64>() / f64::from(count))
    }

    /// The lines that changed, where a gate asks for them and they can be known.
    fn changed(&self, coverage: &Coverage, notes: &mut Vec<String>) -> Option<ChangedLines> {
        self.rules.changed_lines?;
        let Some(base) = &self.rules.base else {
            notes.push("no `base` says which lines changed".into());
            return None;
        };
        let project = self.project.as_deref()?;
        let changed = match diff(project, base) {
            Ok(text) => parse_diff(&text),
            Err(words) => {
                notes.push(format!("`{base}` cannot be compared with: {words}"));
                return None;
            }
        };
        if !changed.is_empty() && changed.keys().all(|path| coverage.file(path).is_none()) {
            notes.push(format!(
                "none of the files that differ from `{base}` is in the coverage reports"
            ));
        }
        Some(changed)
    }
}

fn gates(rules: &CoverageRules) -> Gates {
    type Set = fn(Gates, f64) -> Gates;
    let all: [(Option<f64>, Set); 6] = [
        (rules.lines, Gates::lines),
        (rules.branches, Gates::branches),
        (rules.functions, Gates::functions),
        (rules.file_lines, Gates::file_lines),
        (rules.file_branches, Gates::file_branches),
        (rules.changed_lines, Gates::changed_lines),
    ];
    all.into_iter().fold(Gates::new(), |gates, (least, set)| {
        least.map_or(gates, |least| set(gates, least))
    })
}

fn outcome_of(result: &GateResult) -> GateOutcome {
    let gate = serde_json::to_value(result.gate()).unwrap_or_default();
    GateOutcome {
        gate: gate.as_str().unwrap_or_default().to_owned(),
        path: result.path().map(str::to_owned),
        threshold: result.threshold(),
        actual: result.ratio().map(crate::steps::reports::ratio_of),
        passed: result.passed(),
        message: result.to_string(),
    }
}

/// The gate on lines, by the percentage that the output states; the others cannot be judged by it.
fn by_statement(rules: &CoverageRules, percent: f64) -> Vec<GateOutcome> {
    let gate = |name: &str, threshold: f64, passed: bool, message: String| GateOutcome {
        gate: name.to_owned(),
        path: None,
        threshold,
        actual: None,
        passed,
        message,
    };
    let lines = rules.lines.map(|least| {
        let passed = percent >= least;
        let verdict = if passed { "at least" } else { "less than" };
        let words = format!("the output states a coverage of {percent} %, {verdict} {least} %");
        gate("lines", least, passed, words)
    });
    let others = [
        ("branches", rules.branches),
        ("functions", rules.functions),
        ("file-lines", rules.file_lines),
        ("file-branches", rules.file_branches),
        ("changed-lines", rules.changed_lines),
    ];
    let others = others.into_iter().filter_map(|(name, least)| {
        let words = format!("the gate on {name} needs a coverage report, and there is none");
        Some(gate(name, least?, false, words))
    });
    lines.into_iter().chain(others).collect()
}

/// A gate that nothing could be judged by.
fn nothing(rules: &CoverageRules) -> GateOutcome {
    GateOutcome {
        gate: "lines".into(),
        path: None,
        threshold: rules.lines.unwrap_or_default(),
        actual: None,
        passed: false,
        message: "gates ask for coverage, and no report of it could be read".into(),
    }
}

/// The lines of the project that differ from a revision, as git prints them.
fn diff(project: &Path, base: &str) -> Result<String, String> {
    if base.starts_with('-') {
        return Err("it is no revision".into());
    }
    let options = ["--unified=0", "--no-color", "--no-ext-diff", "--relative"];
    git(project, &[&["diff"], &options[..], &[base, "--"]].concat())
}

/// The files of the project that git knows; none where it knows nothing.
fn known_files(project: &Path) -> Vec<String> {
    let listed = git(project, &["ls-files", "-z"]).unwrap_or_default();
    let names = listed.split('\0').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn git(project: &Path, words: &[&str]) -> Result<String, String> {
    let done = Command::new("git")
        .args(words)
        .current_dir(project)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`git` could not be run: {error}"))?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobSpec;
    use crate::workflow::{RunFacts, WorkflowSpec};

    #[test]
    fn shards_are_known_by_name_and_number() {
        let named = |name: &str| JobSpec::new(name).env("CI_NODE_TOTAL", "2");
        let spec = WorkflowSpec::builder("ci")
            .job(JobSpec::new("test").parallelism(2))
            .job(JobSpec::new("lone 1/2"))
            .jobs([named("circle (1/2)"), named("circle (2/2)")])
            .build()
            .unwrap();
        let plan = spec.plan(&RunFacts::default()).unwrap();
        for (name, expected) in [
            ("test 2/2", &["test 1/2", "test 2/2"][..]),
            ("lone 1/2", &["lone 1/2"]),
            ("circle (1/2)", &["circle (1/2)", "circle (2/2)"]),
        ] {
            let shards = shards_of(&plan, plan.find(name).unwrap());
            let names: Vec<_> = shards.iter().map(|job| &*plan.job(*job).name).collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn a_stated_percentage_reaches_the_gate_on_lines_alone() {
        let rules = CoverageRules {
            lines: Some(80.0),
            branches: Some(10.0),
            ..CoverageRules::default()
        };
        let gates = by_statement(&rules, 80.0);
        let passed: Vec<_> = gates.iter().map(|gate| gate.passed).collect();
        assert_eq!(passed, [true, false]);
        assert!(!by_statement(&rules, 79.99)[0].passed);
    }

    #[test]
    fn a_base_is_no_option_of_git() {
        assert!(diff(Path::new("."), "--output=x").is_err());
    }
}
