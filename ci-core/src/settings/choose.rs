//! Which executor jobs run on that nothing in the pipeline decides: a pure function of what the jobs ask
//! for, the settings, what was typed, and whether somebody runs containers.

use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;

use super::{LOCAL, PlacementErrorKind, Settings};
use crate::job::JobSpec;
use crate::step::Action;
use crate::workflow::WorkflowSpec;

/// Where jobs run whose executor neither the pipeline nor the settings name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ExecutorChoice {
    /// In their image where somebody runs containers, and in the shell of this machine where not.
    #[default]
    Auto,
    /// On the executor of this name.
    Named(String),
}

impl FromStr for ExecutorChoice {
    type Err = Infallible;

    /// The word `auto`, or the name of an executor.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            name => Self::Named(name.to_owned()),
        })
    }
}

/// Where a job runs, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chosen {
    /// The job.
    pub job: Arc<str>,
    /// The executor's name.
    pub executor: String,
    /// Why, for people.
    pub why: String,
    /// The image that the job asks for and does not run in, if it runs in the shell of this machine.
    pub dropped_image: Option<String>,
    /// The image that the settings put in the place of its own.
    pub other_image: Option<String>,
    /// The images of the services that it asks for and that do not run.
    pub dropped_services: Vec<String>,
    /// The labels of the job that nothing says anything about.
    pub dropped_labels: Vec<String>,
}

impl Settings {
    /// The executor that jobs with an image are for, where the settings name one: `image_executor`, or
    /// else the first of the type `docker`.
    #[must_use]
    pub fn container_executor(&self) -> Option<&str> {
        let docker = || {
            let mut executors = self.executors.iter();
            let found = executors.find(|(_, executor)| executor.kind == "docker");
            found.map(|(name, _)| name.as_str())
        };
        self.image_executor.as_deref().or_else(docker)
    }

    /// Gives every job that runs somewhere else than it says its place. `containers` is the executor of
    /// containers that answers, if one does.
    ///
    /// What the job, its class, its labels or the settings decide stays as it is. Labels that nothing
    /// says anything about are dropped, since they mean machines of a vendor. A job that goes to the
    /// shell of this machine loses its image and its services, and [`Chosen`] tells which.
    #[must_use]
    pub fn choose(
        &self,
        mut workflow: WorkflowSpec,
        choice: &ExecutorChoice,
        containers: Option<&str>,
    ) -> (WorkflowSpec, Vec<Chosen>) {
        let mut chosen = Vec::new();
        for job in Arc::make_mut(&mut workflow.jobs) {
            chosen.push(self.choose_for(job, choice, containers));
        }
        (workflow, chosen)
    }

    fn choose_for(
        &self,
        job: &mut JobSpec,
        choice: &ExecutorChoice,
        containers: Option<&str>,
    ) -> Chosen {
        let mut chosen = Chosen {
            job: Arc::clone(&job.name),
            executor: self.default_executor.clone(),
            why: "it asks for no image".to_owned(),
            dropped_image: None,
            other_image: None,
            dropped_services: Vec::new(),
            dropped_labels: Vec::new(),
        };
        let mut applied = job.clone();
        self.apply_to_job(&mut applied, &mut Vec::new());
        let image = |job: &JobSpec| job.options.requires.image.clone();
        chosen.other_image = image(&applied).filter(|other| image(job).as_ref() != Some(other));
        let mut decided = self.decided(&applied);
        if let Err(error) = &decided
            && error.kind() == PlacementErrorKind::UnknownLabel
        {
            applied = applied.with(|options| options.requires.labels.clear());
            decided = self.decided(&applied);
            let requires = &mut Arc::make_mut(&mut job.options).requires;
            chosen.dropped_labels = std::mem::take(&mut requires.labels);
        }
        if let Ok(target) = decided
            && let Some(executor) = target.executor
        {
            // The settings may say that an image stands for no container at all.
            if executor == LOCAL && applied.options.requires.image.is_none() {
                chosen.drop_containers(job);
            }
            chosen.executor = executor;
            "the job or the settings say so".clone_into(&mut chosen.why);
            return chosen;
        }
        let image = applied.options.requires.image.clone();
        match (choice, image, self.image_executor.as_deref().or(containers)) {
            (ExecutorChoice::Named(name), ..) => {
                if self.is_shell(name) {
                    chosen.drop_containers(job);
                }
                chosen.executor.clone_from(name);
                "it was asked for".clone_into(&mut chosen.why);
            }
            (ExecutorChoice::Auto, None, _) => {
                if self.is_shell(&self.default_executor) {
                    chosen.drop_containers(job);
                }
                return chosen;
            }
            (ExecutorChoice::Auto, Some(_), Some(name)) => {
                name.clone_into(&mut chosen.executor);
                "it asks for an image, and an engine for containers answers"
                    .clone_into(&mut chosen.why);
            }
            (ExecutorChoice::Auto, Some(_), None) => {
                chosen.drop_containers(job);
                LOCAL.clone_into(&mut chosen.executor);
                "no engine for containers answers".clone_into(&mut chosen.why);
            }
        }
        let requires = &mut Arc::make_mut(&mut job.options).requires;
        requires.executor = Some(chosen.executor.clone());
        chosen
    }

    /// Whether an executor is the shell of this machine.
    fn is_shell(&self, name: &str) -> bool {
        match self.executors.get(name) {
            Some(executor) => executor.kind == LOCAL,
            None => name == LOCAL,
        }
    }
}

impl Chosen {
    /// Takes away what only an executor of containers can do.
    fn drop_containers(&mut self, job: &mut JobSpec) {
        if !job.asks_for_a_place() {
            return;
        }
        let requires = &mut Arc::make_mut(&mut job.options).requires;
        self.other_image = None;
        self.dropped_image = requires.image.take();
        let services = requires.services.drain(..);
        self.dropped_services = services.map(|service| service.image).collect();
        let names_image =
            |action: &Action| matches!(action, Action::Run(command) if command.image.is_some());
        if job.steps.iter().any(|step| names_image(&step.action)) {
            let mut steps = job.steps.to_vec();
            for step in &mut steps {
                if let Action::Run(command) = &mut step.action {
                    command.image = None;
                }
            }
            job.steps = steps.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::ServiceSpec;
    use crate::step::StepSpec;

    fn settings(text: &str) -> Settings {
        serde_json::from_str(text).unwrap()
    }

    fn chosen(
        settings: &Settings,
        job: JobSpec,
        choice: &str,
        containers: Option<&str>,
    ) -> (JobSpec, Chosen) {
        let Ok(choice) = choice.parse();
        let workflow = WorkflowSpec {
            jobs: Arc::new(vec![job]),
            ..WorkflowSpec::default()
        };
        let (workflow, mut chosen) = settings.choose(workflow, &choice, containers);
        (workflow.jobs[0].clone(), chosen.remove(0))
    }

    fn job() -> JobSpec {
        let job = JobSpec::new("j")
            .image("i")
            .service(ServiceSpec::new("db", "db"));
        job.step(StepSpec::run("true").image("other"))
    }

    #[test]
    fn a_job_with_an_image_goes_where_containers_run() {
        let none = Settings::default();
        let (made, place) = chosen(&none, job(), "auto", Some("docker"));
        assert_eq!(place.executor, "docker");
        assert_eq!(made.options.requires.executor.as_deref(), Some("docker"));
        assert_eq!(made.options.requires.services.len(), 1);
        let (made, place) = chosen(&none, JobSpec::new("j"), "auto", Some("docker"));
        assert_eq!(
            (place.executor.as_str(), made),
            ("local", JobSpec::new("j"))
        );
        let named = settings(r#"{"version": 1, "image_executor": "farm"}"#);
        assert_eq!(chosen(&named, job(), "auto", None).1.executor, "farm");
    }

    #[test]
    fn without_an_engine_it_goes_to_the_shell_and_that_is_told() {
        for (choice, containers) in [("auto", None), ("local", Some("docker"))] {
            let (made, place) = chosen(&Settings::default(), job(), choice, containers);
            assert_eq!(place.executor, "local", "{choice}");
            assert_eq!(place.dropped_image.as_deref(), Some("i"));
            assert_eq!(place.dropped_services, ["db"]);
            let requires = &made.options.requires;
            assert!(requires.image.is_none() && requires.services.is_empty());
            let Action::Run(command) = &made.steps[0].action else {
                unreachable!("the step is a command");
            };
            assert_eq!(command.image, None);
        }
    }

    #[test]
    fn what_the_job_or_the_settings_say_is_not_overruled() {
        let own = settings(r#"{"version": 1, "jobs": {"j": {"executor": "mine"}}}"#);
        let (made, place) = chosen(&own, job(), "docker", Some("docker"));
        assert_eq!(place.executor, "mine");
        assert_eq!(made, job());
        let stands_for_none = settings(r#"{"version": 1, "images": {"i": "local"}}"#);
        let (made, place) = chosen(&stands_for_none, job(), "docker", Some("docker"));
        assert_eq!(place.executor, "local");
        assert!(made.options.requires.services.is_empty());
    }

    #[test]
    fn labels_that_nobody_knows_are_dropped_and_told() {
        let tagged = job().with(|options| options.requires.labels.push("saas".into()));
        let (made, place) = chosen(&Settings::default(), tagged.clone(), "auto", Some("d"));
        assert_eq!(
            (place.executor.as_str(), place.dropped_labels.len()),
            ("d", 1)
        );
        assert!(made.options.requires.labels.is_empty());
        let known = settings(r#"{"version": 1, "labels": {"saas": {"executor": "farm"}}}"#);
        assert_eq!(chosen(&known, tagged, "auto", Some("d")).1.executor, "farm");
    }

    #[test]
    fn the_executor_of_containers_is_found_in_the_settings() {
        let text =
            r#"{"version": 1, "executors": {"a": {"type": "local"}, "b": {"type": "docker"}}}"#;
        assert_eq!(settings(text).container_executor(), Some("b"));
        assert_eq!(Settings::default().container_executor(), None);
    }
}
