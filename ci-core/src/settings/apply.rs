//! What the settings change in a workflow.

use std::collections::BTreeSet;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use super::Settings;
use super::file::{JobForm, OverForm};
use crate::job::{JobOptions, JobSpec};
use crate::workflow::{Budget, OverBudget, WorkflowSpec};

/// Stands for no container in the image substitutions.
const NO_CONTAINER: &str = "local";

/// A glob over names: `*` matches everything, also `/`.
pub(super) fn matcher(glob: &str) -> Result<GlobMatcher, globset::Error> {
    GlobBuilder::new(glob)
        .build()
        .map(|glob| glob.compile_matcher())
}

/// Whether `glob` is `name` or matches it. Globs were checked when the settings were read.
fn matches(glob: &str, name: &str) -> bool {
    glob == name || matcher(glob).is_ok_and(|matcher| matcher.is_match(name))
}

impl Settings {
    /// The workflow with what the settings say of it, and notes on what in the settings found nothing to
    /// change.
    #[must_use]
    pub fn apply(&self, mut workflow: WorkflowSpec) -> (WorkflowSpec, Vec<String>) {
        if self.is_silent_on_jobs() {
            return (workflow, Vec::new());
        }
        let mut unused: BTreeSet<&str> = self.jobs.keys().map(String::as_str).collect();
        for job in &mut workflow.jobs {
            for (glob, form) in &self.jobs {
                if matches(glob, &job.name) {
                    unused.remove(glob.as_str());
                    *job = std::mem::replace(job, JobSpec::new(""))
                        .with(|options| form.change(options));
                }
            }
            self.change(job);
        }
        for form in &self.budgets {
            let mut budget = Budget::new(Arc::clone(&form.stage), form.limit.0);
            if matches!(form.over, OverForm::Fail) {
                budget.over = OverBudget::Fail;
            }
            workflow.budgets.retain(|other| other.stage != budget.stage);
            workflow.budgets.push(budget);
        }
        let notes = unused.into_iter();
        let notes = notes.map(|glob| format!("the settings for `{glob}` match no job"));
        (workflow, notes.collect())
    }

    fn is_silent_on_jobs(&self) -> bool {
        self.jobs.is_empty()
            && self.stages.is_empty()
            && self.images.is_empty()
            && self.budgets.is_empty()
            && self.local.private_home.is_none()
    }

    /// The stage, the image and the home of a job.
    fn change(&self, job: &mut JobSpec) {
        let stage = self
            .stages
            .iter()
            .find(|(_, globs)| globs.iter().any(|glob| matches(glob, &job.name)))
            .map(|(stage, _)| Arc::clone(stage));
        let image = job
            .options
            .requires
            .image
            .as_ref()
            .and_then(|image| self.instead_of(image));
        let home = self
            .local
            .private_home
            .filter(|_| job.options.private_home.is_none());
        if stage.is_none() && image.is_none() && home.is_none() {
            return;
        }
        *job = std::mem::replace(job, JobSpec::new("")).with(|options| {
            if let Some(stage) = stage {
                options.stage = Some(stage);
            }
            if let Some(image) = image {
                options.requires.image = (image != NO_CONTAINER).then(|| image.to_owned());
            }
            if let Some(home) = home {
                options.private_home = Some(home);
            }
        });
    }

    fn instead_of(&self, image: &str) -> Option<&str> {
        let found = self
            .images
            .iter()
            .find(|form| matches(&form.matches, image))?;
        Some(&found.instead)
    }
}

impl JobForm {
    fn change(&self, options: &mut JobOptions) {
        let timeouts = &mut options.timeouts;
        let limits = [
            (&mut timeouts.job, &self.timeout),
            (&mut timeouts.step, &self.step_timeout),
            (&mut timeouts.no_output, &self.no_output_timeout),
        ];
        for (limit, form) in limits {
            if let Some(form) = form {
                *limit = Some(form.0);
            }
        }
        if let Some(retry) = &self.retry {
            options.retry = retry.clone().into();
        }
        if let Some(allow) = &self.allow_failure {
            options.allow_failure = Some(allow.clone()).into();
        }
        options.env.extend(self.env.clone());
        options
            .groups
            .extend(self.groups.iter().cloned().map(Into::into));
        if let Some(priority) = self.priority {
            options.priority = priority;
        }
        if self.private_home.is_some() {
            options.private_home = self.private_home;
        }
        let requires = &mut options.requires;
        if self.executor.is_some() {
            requires.executor.clone_from(&self.executor);
        }
        if self.resource_class.is_some() {
            requires.resource_class.clone_from(&self.resource_class);
        }
        if let Some(cpu) = self.cpu {
            requires.cpu_milli = Some(cpu.0);
        }
        if let Some(memory) = self.memory {
            requires.memory_mib = Some(memory.0);
        }
    }
}

#[cfg(all(test, feature = "yaml"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn settings_win_over_the_workflow_and_say_what_matched_nothing() {
        let settings = Settings::from_yaml(
            "
version: 1
local: {private_home: false}
jobs: {'test *': {timeout: 1m, retry: 2}, nobody: {priority: 1}}
stages: {fast: [lint]}
budgets: [{stage: fast, limit: 5m, over: fail}]
images: [{match: 'cimg/*', use: local}, {match: 'a', use: b}]
",
        )
        .expect("settings");
        let workflow = WorkflowSpec::builder("w")
            .job(JobSpec::new("lint").image("cimg/base:1"))
            .job(
                JobSpec::new("test 1")
                    .image("a")
                    .timeout(Duration::from_secs(9)),
            )
            .build()
            .expect("a workflow");
        let (workflow, notes) = settings.apply(workflow);
        assert_eq!(notes, ["the settings for `nobody` match no job"]);
        let [lint, test] = &workflow.jobs[..] else {
            panic!("two jobs")
        };
        assert_eq!(lint.options.stage.as_deref(), Some("fast"));
        assert_eq!(lint.options.requires.image, None);
        assert_eq!(lint.options.private_home, Some(false));
        assert_eq!(test.options.requires.image.as_deref(), Some("b"));
        assert_eq!(test.options.timeouts.job, Some(Duration::from_mins(1)));
        assert_eq!(test.options.retry.max, 2);
        assert_eq!(
            workflow.budgets,
            [Budget::new("fast", Duration::from_mins(5)).fail()]
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_place() {
        for (text, part) in [
            ("version: 1\njobz: {}\n", "jobz"),
            ("version: 2\n", "version 2"),
            ("version: 1\nlocal: {slots: 0}\n", "slots"),
            ("version: 1\nstages: {a: ['[']}\n", "`[`"),
            ("version: 1\nbudgets: [{stage: a, limit: soon}]\n", "soon"),
        ] {
            let error = Settings::from_yaml(text).expect_err(text).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
