//! Puts what the settings say about jobs, images, stages and budgets into a workflow.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::value::ImageSubstitute;
use super::{LOCAL, Settings};
use crate::job::{JobOptions, JobSpec, ReportRules};
use crate::similar::{closest, did_you_mean};
use crate::step::{Action, StepSpec};
use crate::wildcard;
use crate::workflow::{Budget, WorkflowSpec};

/// Something about the settings that a person should know; nothing is wrong enough to stop a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsNote {
    /// An entry under `jobs` or `stages` fits no job of this workflow.
    FitsNoJob {
        /// The key it stands under, such as `jobs` or `stages.fast`.
        key: String,
        /// The name or pattern.
        pattern: String,
        /// The job it may mean.
        did_you_mean: Option<String>,
    },
    /// A budget is for a stage that no job of this workflow is in.
    EmptyStage {
        /// The stage.
        stage: String,
    },
    /// A job is in several stages of the settings; it counts into the last.
    SeveralStages {
        /// The job.
        job: String,
        /// The stages, in their order.
        stages: Vec<String>,
    },
    /// A service has an image that stands for no container, which a service cannot do without.
    ServiceKept {
        /// The job.
        job: String,
        /// The image of the service.
        image: String,
    },
    /// A job has a gate on values or findings, and no step that keeps any.
    NothingKept {
        /// The job.
        job: String,
        /// What the gate is on.
        gate: &'static str,
        /// The step that is not there.
        step: &'static str,
    },
    /// A job has a gate on coverage, and nothing in it says what is covered.
    NothingCovered {
        /// The job.
        job: String,
    },
}

impl fmt::Display for SettingsNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FitsNoJob {
                key,
                pattern,
                did_you_mean: meant,
            } => {
                let meant = did_you_mean(meant.as_deref());
                write!(
                    f,
                    "`{pattern}` under `{key}` fits no job of this workflow{meant}"
                )
            }
            Self::EmptyStage { stage } => {
                write!(
                    f,
                    "the budget of `{stage}` is for a stage that no job is in"
                )
            }
            Self::SeveralStages { job, stages } => {
                let last = stages.last().map_or("", String::as_str);
                let all = stages.join("`, `");
                write!(
                    f,
                    "job `{job}` is in the stages `{all}` and counts into `{last}`"
                )
            }
            Self::ServiceKept { job, image } => write!(
                f,
                "the service `{image}` of job `{job}` needs its container; `{LOCAL}` is not for services"
            ),
            Self::NothingKept { job, gate, step } => {
                write!(
                    f,
                    "job `{job}` has a gate on {gate}, and no step with `{step}`"
                )
            }
            Self::NothingCovered { job } => write!(
                f,
                "job `{job}` has a gate on coverage, and no step with `store_coverage`"
            ),
        }
    }
}

impl Settings {
    /// The workflow with what the settings say about its jobs: their options, substitutes for their
    /// images, their stages, and the budgets of these. Jobs are matched by the names they have in the
    /// spec, before matrices and shards are spelled out.
    #[must_use]
    pub fn apply(&self, mut workflow: WorkflowSpec) -> (WorkflowSpec, Vec<SettingsNote>) {
        let mut notes = self.unused(&workflow);
        // Workflows share their jobs while nobody changes them.
        if self.says_something_of_jobs() {
            for job in Arc::make_mut(&mut workflow.jobs) {
                self.apply_to_job(job, &mut notes);
            }
        }
        if self.budgets.is_empty() {
            return (workflow, notes);
        }
        let stages: BTreeSet<&str> = workflow
            .jobs
            .iter()
            .filter_map(|job| job.options.stage.as_deref())
            .collect();
        for (stage, settings) in &self.budgets {
            if !stages.contains(stage.as_str()) {
                let stage = stage.clone();
                notes.push(SettingsNote::EmptyStage { stage });
                continue;
            }
            let mut budget = Budget::new(stage.as_str(), settings.limit);
            budget.over = settings.over;
            workflow.budgets.retain(|other| other.stage != budget.stage);
            workflow.budgets.push(budget);
        }
        (workflow, notes)
    }

    fn says_something_of_jobs(&self) -> bool {
        self.local.private_home.is_some()
            || !self.quarantine.tests.is_empty()
            || !(self.jobs.is_empty() && self.images.is_empty() && self.stages.is_empty())
    }

    pub(super) fn apply_to_job(&self, job: &mut JobSpec, notes: &mut Vec<SettingsNote>) {
        let stages: Vec<&String> = self
            .stages
            .iter()
            .filter(|(_, patterns)| patterns.iter().any(|p| wildcard::fits(p, &job.name)))
            .map(|(stage, _)| stage)
            .collect();
        if stages.len() > 1 {
            notes.push(SettingsNote::SeveralStages {
                job: job.name.to_string(),
                stages: stages.iter().map(|stage| (*stage).clone()).collect(),
            });
        }
        // Jobs share their options while nobody changes them: a changed copy is only kept if it says
        // something new.
        let mut options = (*job.options).clone();
        for (_, settings) in self.jobs.fitting(&job.name) {
            settings.apply(&mut options);
        }
        self.quarantine(job, &mut options);
        if options.private_home.is_none() {
            options.private_home = self.local.private_home;
        }
        if let Some(stage) = stages.last() {
            options.stage = Some(Arc::from(stage.as_str()));
        }
        match options
            .requires
            .image
            .as_ref()
            .and_then(|image| self.images.get(image))
        {
            Some(ImageSubstitute::Image(image)) => options.requires.image = Some(image.clone()),
            Some(ImageSubstitute::Local) => {
                options.requires.image = None;
                options
                    .requires
                    .executor
                    .get_or_insert_with(|| LOCAL.into());
            }
            None => {}
        }
        for service in &mut options.requires.services {
            match self.images.get(&service.image) {
                Some(ImageSubstitute::Image(image)) => service.image.clone_from(image),
                Some(ImageSubstitute::Local) => notes.push(SettingsNote::ServiceKept {
                    job: job.name.to_string(),
                    image: service.image.clone(),
                }),
                None => {}
            }
        }
        // A gate for many jobs is for those of them that say what is covered.
        let mut own = self.jobs.fitting(&job.name);
        let is_meant =
            own.any(|(key, it)| wildcard::is_name(key) && !it.reports.coverage.is_empty());
        if is_meant && !covers(job, &options) {
            let job = job.name.to_string();
            notes.push(SettingsNote::NothingCovered { job });
        }
        self.gates_on_nothing(job, notes);
        if options != *job.options {
            job.options = Arc::new(options);
        }
    }

    /// Notes gates on values and findings of a job that keeps none.
    fn gates_on_nothing(&self, job: &JobSpec, notes: &mut Vec<SettingsNote>) {
        let keeps = |kind: &str| job.steps.iter().any(|step| step.action.kind() == kind);
        let own = || {
            let own = self.jobs.fitting(&job.name);
            own.filter(|(key, _)| wildcard::is_name(key))
        };
        for (gate, step, is_meant) in [
            (
                "values",
                "store_metrics",
                own().any(|(_, it)| !it.reports.metrics.is_empty()),
            ),
            (
                "findings",
                "store_findings",
                own().any(|(_, it)| !it.reports.findings.is_empty()),
            ),
        ] {
            if is_meant && !keeps(step) {
                let job = job.name.to_string();
                notes.push(SettingsNote::NothingKept { job, gate, step });
            }
        }
    }

    /// Puts the tests in quarantine into a job that keeps test results.
    fn quarantine(&self, job: &JobSpec, options: &mut JobOptions) {
        let keeps = |step: &StepSpec| matches!(step.action, Action::StoreTestResults(_));
        if !self.quarantine.tests.is_empty() && job.steps.iter().any(keeps) {
            let mut rules = ReportRules::default();
            rules.quarantine.clone_from(&self.quarantine.tests);
            options.reports.merge(&rules);
        }
    }

    /// The entries that fit no job. A pattern with wildcards may be meant for another workflow of the
    /// project; a plain name may be, too, so neither is an error.
    fn unused(&self, workflow: &WorkflowSpec) -> Vec<SettingsNote> {
        let names = || workflow.jobs.iter().map(|job| &*job.name);
        let jobs = self
            .jobs
            .iter()
            .map(|(pattern, _)| ("jobs".to_owned(), pattern));
        let stages = self.stages.iter().flat_map(|(stage, patterns)| {
            let key = format!("stages.{stage}");
            patterns
                .iter()
                .map(move |pattern| (key.clone(), pattern.as_str()))
        });
        jobs.chain(stages)
            .filter(|(_, pattern)| !names().any(|name| wildcard::fits(pattern, name)))
            .map(|(key, pattern)| SettingsNote::FitsNoJob {
                key,
                pattern: pattern.to_owned(),
                did_you_mean: closest(pattern, names())
                    .filter(|_| wildcard::is_name(pattern))
                    .map(str::to_owned),
            })
            .collect()
    }
}

/// Whether the coverage of a job can be known: from its reports, or from what it prints.
fn covers(job: &JobSpec, options: &JobOptions) -> bool {
    let keeps = |step: &StepSpec| matches!(step.action, Action::StoreCoverage(_));
    options.reports.coverage_pattern.is_some() || job.steps.iter().any(keeps)
}
