//! The gates on values and findings: what a job kept of them, read again and judged.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::services::JobServices;
use crate::event::{FindingRecord, MetricGate, MetricValue, ReportFile, RunEvent};
use crate::job::{BetterValues, FindingRules, MetricRule, MetricRules, Warnings};
use crate::measure::findings::{Baseline, Policy, Severity};
use crate::measure::values::{Better, Gate, Judged, Measured};
use crate::outcome::{Outcome, OutcomeKind};
use crate::step::StepServices;
use crate::steps::measured::{count, findings_in, record_of, values_in};
use crate::storage::{Artifact, ArtifactKind, Storage};
use crate::store::RunQuery;
use crate::wildcard;

/// The branch that is compared with where the rules name none.
const BASE: &str = "main";
/// How many runs are compared with where the rules do not say.
const RUNS: u32 = 20;
/// How many gates or findings the outcome of a job names.
const MOST_NAMED: usize = 3;
/// How many of them an event lists.
const MOST_LISTED: usize = 100;

/// Judges the values of a job whose steps succeeded.
pub(super) async fn metrics(services: &Arc<JobServices>) -> Outcome {
    let host = services.host();
    let rules = services.job().options.reports.metrics.clone();
    let base = rules.base.clone().unwrap_or_else(|| BASE.into());
    let earlier = if rules.values.iter().any(|rule| rule.regression.is_some()) {
        match earlier(services, &rules, &base).await {
            Ok(earlier) => earlier,
            Err(error) => {
                let words = crate::error::chain(&error);
                return Outcome::InfrastructureFailure(words.into());
            }
        }
    } else {
        Vec::new()
    };
    let read = blocking(services, ArtifactKind::Metrics, |storage, kept| {
        values_in(storage, kept).values
    });
    let values = match read.await {
        Ok(values) => values,
        Err(words) => return Outcome::InfrastructureFailure(words.into()),
    };
    let mut gates = judged(&rules, &values, &earlier);
    if !host.secrets.is_empty() {
        for gate in &mut gates {
            gate.name = host.secrets.mask(&gate.name);
        }
    }
    let failed: Vec<String> = gates
        .iter()
        .filter(|gate| !gate.passed)
        .map(|gate| format!("`{}`: {}", gate.name, gate.message))
        .collect();
    let passed = failed.is_empty();
    let (good, bad): (Vec<_>, Vec<_>) = gates.into_iter().partition(|gate| gate.passed);
    let listed = good.into_iter().take(MOST_LISTED);
    host.recorder.note(RunEvent::MetricsJudged {
        job: Arc::clone(&services.job().name),
        attempt: services.ticket().attempt,
        base,
        passed,
        gates: listed.chain(bad.into_iter().take(MOST_LISTED)).collect(),
    });
    if passed {
        Outcome::Success
    } else {
        Outcome::failed(first_of(&failed, failed.len()))
    }
}

/// What each of the values that a rule is for comes to, and what was asked for and not measured.
fn judged(
    rules: &MetricRules,
    values: &[Measured],
    earlier: &[Arc<crate::event::JobReports>],
) -> Vec<MetricGate> {
    let mut gates: Vec<MetricGate> = Vec::new();
    for value in values {
        let Some(rule) = rules.of(&value.name) else {
            continue;
        };
        let is_same = |it: &&MetricValue| it.name == value.name;
        let before: Vec<f64> = earlier
            .iter()
            .filter_map(|reports| Some(reports.metrics.iter().find(is_same)?.value))
            .collect();
        gates.push(gate_of(gate(&rule).judge(value, &before)));
    }
    let missing = rules.values.iter().filter(|rule| {
        wildcard::is_name(&rule.name) && values.iter().all(|value| value.name != rule.name)
    });
    let missing = missing.map(|rule| not_measured(&rule.name, "it was not measured"));
    gates.extend(missing);
    if values.is_empty() && gates.is_empty() {
        let words = "gates ask for values, and no file with values could be read";
        gates.push(not_measured("*", words));
    }
    gates
}

fn not_measured(name: &str, message: &str) -> MetricGate {
    MetricGate {
        name: name.to_owned(),
        message: message.to_owned(),
        ..MetricGate::default()
    }
}

fn gate(rule: &MetricRule) -> Gate {
    let mut gate = Gate::new(match rule.better.unwrap_or_default() {
        BetterValues::Lower => Better::Lower,
        BetterValues::Higher => Better::Higher,
    });
    gate.limit = rule.limit;
    gate.regression = rule.regression;
    gate
}

fn gate_of(judged: Judged) -> MetricGate {
    MetricGate {
        name: judged.name,
        value: Some(judged.value),
        median: judged.earlier.map(|it| it.median),
        deviation: judged.earlier.map(|it| it.deviation),
        earlier: judged.earlier.map_or(0, |it| it.count as u64),
        change: judged.change,
        passed: judged.passed,
        message: judged.message,
    }
}

/// What the same job came to in the newest successful runs of the base branch.
async fn earlier(
    services: &JobServices,
    rules: &MetricRules,
    base: &str,
) -> Result<Vec<Arc<crate::event::JobReports>>, crate::store::StoreError> {
    let host = services.host();
    let Some(store) = &host.store else {
        return Ok(Vec::new());
    };
    let query = RunQuery {
        workflow: Some(host.plan.workflow.to_string()),
        branch: Some(base.to_owned()),
        outcome: Some(OutcomeKind::Success),
        limit: Some(rules.runs.map_or(RUNS, std::num::NonZero::get).into()),
        ..RunQuery::default()
    };
    let name = &services.job().name;
    let runs = store.runs(&query).await?.runs;
    let jobs = runs.iter().filter(|run| run.id != host.run);
    let jobs = jobs.flat_map(|run| run.jobs.iter().filter(|job| job.name == *name));
    Ok(jobs.filter_map(|job| job.reports.clone()).collect())
}

/// Judges the findings of a job whose steps succeeded.
pub(super) async fn findings(services: &Arc<JobServices>) -> Outcome {
    let host = services.host();
    let rules = services.job().options.reports.findings.clone();
    let name = Arc::clone(&services.job().name);
    let known = match baseline(host.project_dir.as_deref(), &rules) {
        Ok((known, note)) => {
            if let Some(note) = note {
                host.warn(Some(Arc::clone(&name)), note);
            }
            known
        }
        Err(words) => return Outcome::InfrastructureFailure(words.into()),
    };
    let may_fail = rules.may_fail();
    let read = blocking(services, ArtifactKind::Findings, move |storage, kept| {
        let read = findings_in(storage, kept);
        let verdict = policy(&rules).judge(&read.findings, &known);
        let denied = rules.warnings == Some(Warnings::Denied);
        let warnings = verdict.warnings.iter().filter(|_| denied);
        let blocking = verdict.blocking.iter().chain(warnings).copied();
        let new = verdict.blocking.iter().chain(&verdict.warnings).copied();
        JudgedFindings {
            new: count(new),
            known: verdict.known.len() as u64,
            passed: verdict.passed(),
            message: verdict.to_string(),
            count: blocking.clone().count(),
            blocking: blocking.take(MOST_LISTED).map(record_of).collect(),
            unread: unread(&read.files),
        }
    });
    let mut judged = match read.await {
        Ok(judged) => judged,
        Err(words) => return Outcome::InfrastructureFailure(words.into()),
    };
    if !may_fail {
        judged.passed = true;
    } else if let Some(words) = judged.unread.take() {
        // A report that is not there must not pass for one without findings.
        judged.passed = false;
        judged.message = words;
    }
    services.mask_findings(&mut judged.blocking);
    let named: Vec<String> = judged.blocking.iter().map(|it| format!("`{it}`")).collect();
    let outcome = if judged.passed {
        Outcome::Success
    } else if named.is_empty() {
        Outcome::failed(host.secrets.mask(&judged.message))
    } else {
        let named = first_of(&named, judged.count);
        Outcome::failed(format!("{}: {named}", judged.message))
    };
    host.recorder.note(RunEvent::FindingsJudged {
        job: name,
        attempt: services.ticket().attempt,
        new: judged.new,
        known: judged.known,
        passed: judged.passed,
        message: host.secrets.mask(&judged.message),
        blocking: judged.blocking,
    });
    outcome
}

/// The judgement.
struct JudgedFindings {
    new: crate::event::FindingCounts,
    known: u64,
    passed: bool,
    message: String,
    /// How many block.
    count: usize,
    blocking: Vec<FindingRecord>,
    /// What could not be read.
    unread: Option<String>,
}

fn policy(rules: &FindingRules) -> Policy {
    let policy = Policy::new(rules.fail_at.unwrap_or(Severity::Critical));
    if rules.warnings == Some(Warnings::Denied) {
        policy.deny_warnings()
    } else {
        policy
    }
}

/// The findings that are known. A file that is named and not there has none: the first run has none.
fn baseline(
    project: Option<&Path>,
    rules: &FindingRules,
) -> Result<(Baseline, Option<String>), String> {
    let Some(name) = &rules.baseline else {
        return Ok((Baseline::default(), None));
    };
    let path = project.map_or_else(|| PathBuf::from(name), |project| project.join(name));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((Baseline::parse(&text), None)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let note = format!("there is no baseline `{name}` yet");
            Ok((Baseline::default(), Some(note)))
        }
        Err(error) => Err(format!("the baseline `{name}` cannot be read: {error}")),
    }
}

/// What keeps the reports of a job from saying what it found; `None` where all could be read.
fn unread(files: &[ReportFile]) -> Option<String> {
    if files.is_empty() {
        return Some("gates ask for findings, and no report of them was kept".to_owned());
    }
    let file = files.iter().find(|file| file.format.is_none())?;
    let why = file.diagnostics.first().map_or("", |it| &it.message);
    Some(format!(
        "gates ask for findings, and `{}` cannot be read: {why}",
        file.path
    ))
}

/// The first of a list, in words.
fn first_of(words: &[String], count: usize) -> String {
    let named: Vec<&str> = words.iter().take(MOST_NAMED).map(String::as_str).collect();
    let named = named.join("; ");
    match count.saturating_sub(MOST_NAMED) {
        0 => named,
        rest => format!("{named}; and {rest} more"),
    }
}

/// Works with the files of one kind that the job kept in this attempt.
async fn blocking<T: Send + 'static>(
    services: &JobServices,
    kind: ArtifactKind,
    work: impl FnOnce(&Storage, Vec<&Artifact>) -> T + Send + 'static,
) -> Result<T, String> {
    let host = services.host();
    let (run, attempt) = (host.run, services.ticket().attempt);
    let Some(storage) = host.storage.clone() else {
        return Err("gates on what a job kept need a storage, and the run has none".to_owned());
    };
    let name = Arc::clone(&services.job().name);
    let work = move || {
        let all = storage.artifacts(run, Some(&name));
        let all = all.map_err(|error| crate::error::chain(&error))?;
        let fits = |file: &&Artifact| file.kind == kind && file.attempt == attempt;
        Ok(work(&storage, all.iter().filter(fits).collect()))
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => Err(format!("the reports could not be judged: {panic}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::JobReports;

    fn measured(name: &str, value: f64) -> Measured {
        let text = format!("[{{\"name\": \"{name}\", \"value\": {value}}}]");
        let read = crate::measure::values::read(text.as_bytes()).unwrap();
        read.values.into_iter().next().unwrap()
    }

    fn earlier(values: &[f64]) -> Vec<Arc<JobReports>> {
        let reports = |value: &f64| {
            Arc::new(JobReports {
                metrics: vec![MetricValue {
                    name: "time".into(),
                    value: *value,
                    unit: None,
                }],
                ..JobReports::default()
            })
        };
        values.iter().map(reports).collect()
    }

    #[test]
    fn values_are_judged_by_limits_and_by_earlier_ones() {
        let rules: MetricRules = serde_json::from_str(
            r#"{"values": [{"name": "ti*", "regression": 10}, {"name": "rate", "better": "higher",
                "limit": 50}, {"name": "gone", "limit": 1}]}"#,
        )
        .unwrap();
        let before = earlier(&[100.0, 101.0, 99.0, 100.0]);
        let verdicts = |time: f64, rate: f64| {
            let values = [
                measured("time", time),
                measured("rate", rate),
                measured("x", 1.0),
            ];
            let gates = judged(&rules, &values, &before);
            gates
                .into_iter()
                .map(|gate| (gate.name, gate.passed))
                .collect::<Vec<_>>()
        };
        let named = |time, rate| {
            [("time", time), ("rate", rate), ("gone", false)]
                .map(|(name, passed)| (name.to_owned(), passed))
        };
        assert_eq!(verdicts(109.0, 50.0), named(true, true));
        assert_eq!(verdicts(111.0, 49.0), named(false, false));
        let none = judged(&rules, &[], &[]);
        assert_eq!(none.len(), 2, "those with names: {none:?}");
        let only_patterns = MetricRules {
            values: rules.values[..1].to_vec(),
            ..MetricRules::default()
        };
        assert!(!judged(&only_patterns, &[], &[])[0].passed);
    }

    #[test]
    fn a_report_that_cannot_be_read_is_named() {
        assert!(unread(&[]).unwrap().contains("no report of them was kept"));
        let read = ReportFile {
            path: "a.json".into(),
            format: Some("sarif".into()),
            ..ReportFile::default()
        };
        let mut bad = read.clone();
        bad.format = None;
        assert_eq!(unread(std::slice::from_ref(&read)), None);
        assert!(unread(&[read, bad]).unwrap().contains("`a.json`"));
    }

    #[test]
    fn a_baseline_that_is_not_there_has_nothing_in_it() {
        let rules = FindingRules {
            baseline: Some("none.txt".into()),
            ..FindingRules::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let (known, note) = baseline(Some(dir.path()), &rules).unwrap();
        assert_eq!(known, Baseline::default());
        assert!(note.unwrap().contains("`none.txt`"));
    }
}
