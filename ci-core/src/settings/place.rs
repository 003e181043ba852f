//! Which executor a job runs on and what it may use there: a pure function of job and settings.

use std::fmt;

use super::{LOCAL, Settings, Target, classes};
use crate::job::{JobSpec, Requirements};
use crate::similar::{closest, did_you_mean};

/// Where a job runs and what is reserved for it there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placement {
    /// The executor's name.
    pub executor: String,
    /// Processor time, in thousandths of a core; `None` where nothing says how much.
    pub cpu_milli: Option<u32>,
    /// Memory, in MiB; `None` where nothing says how much.
    pub memory_mib: Option<u32>,
}

/// A job that the settings have no place for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlacementError {
    kind: PlacementErrorKind,
    message: String,
    hints: Vec<String>,
}

/// Why there is no place for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PlacementErrorKind {
    /// Nothing says what the resource class stands for.
    UnknownClass,
    /// Nothing says what the label stands for.
    UnknownLabel,
    /// The labels of the job lead to different executors.
    LabelsDisagree,
    /// The job asks for an image, and no executor is named for images.
    NoImageExecutor,
}

impl PlacementError {
    /// Why there is no place.
    #[must_use]
    pub fn kind(&self) -> PlacementErrorKind {
        self.kind
    }

    /// What to do about it.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl Settings {
    /// Where `job` runs. What the job says of itself comes first; then its resource class, its labels,
    /// its image, and the default executor. Limits come from the job, then its class, then its labels.
    ///
    /// What only an earlier rule would have used is not looked at: a job that insists on an executor
    /// needs no known labels. A class that is not known is an error as long as it could decide
    /// anything.
    pub fn place(&self, job: &JobSpec) -> Result<Placement, PlacementError> {
        let Target {
            executor,
            cpu_milli,
            memory_mib,
        } = self.decided(job)?;
        let executor = match (executor, &job.options.requires.image) {
            (Some(executor), _) => executor,
            (None, Some(image)) => self.executor_for_image(&job.name, image)?,
            (None, None) => self.default_executor.clone(),
        };
        Ok(Placement {
            executor,
            cpu_milli,
            memory_mib,
        })
    }

    /// What the job, its class and its labels decide, the first before the others.
    pub(super) fn decided(&self, job: &JobSpec) -> Result<Target, PlacementError> {
        let requires = &job.options.requires;
        let own = Target {
            executor: requires.executor.clone(),
            cpu_milli: requires.cpu_milli,
            memory_mib: requires.memory_mib,
        };
        let class = match &requires.resource_class {
            Some(class) if !own.is_complete() => self.class(&job.name, class)?,
            _ => Target::default(),
        };
        let decided = own.or(class);
        let labels = if decided.executor.is_none() {
            self.labels(&job.name, requires)?
        } else {
            Target::default()
        };
        Ok(decided.or(labels))
    }

    /// What a resource class stands for: the file's entry, completed by the class built in.
    fn class(&self, job: &str, class: &str) -> Result<Target, PlacementError> {
        let built_in = classes::built_in(class).map(|(cpu_milli, memory_mib)| Target {
            executor: None,
            cpu_milli: Some(cpu_milli),
            memory_mib: Some(memory_mib),
        });
        match (self.resource_classes.get(class).cloned(), built_in) {
            (Some(target), Some(built_in)) => Ok(target.or(built_in)),
            (Some(target), None) | (None, Some(target)) => Ok(target),
            (None, None) => Err(self.unknown_class(job, class)),
        }
    }

    fn unknown_class(&self, job: &str, class: &str) -> PlacementError {
        let mut known: Vec<&str> = classes::built_in_names().collect();
        let own = self.resource_classes.keys().map(String::as_str);
        known.extend(own.filter(|name| classes::built_in(name).is_none()));
        PlacementError {
            kind: PlacementErrorKind::UnknownClass,
            message: format!(
                "job `{job}` asks for the resource class `{class}`, which is not known{}",
                did_you_mean(closest(class, known.iter().copied())),
            ),
            hints: vec![
                format!("known resource classes: {}", quoted(known)),
                format!(
                    "say what it stands for under `resource_classes` in `.ci/settings.yml`: `{}: \
                     {{executor: {LOCAL}, cpu: 4, memory: 8GiB}}`",
                    yaml_key(class),
                ),
            ],
        }
    }

    /// What the labels of a job stand for together: one executor, and the largest limits.
    fn labels(&self, job: &str, requires: &Requirements) -> Result<Target, PlacementError> {
        let mut together = Target::default();
        let mut decided_by = "";
        for label in &requires.labels {
            let target = self
                .labels
                .get(label)
                .ok_or_else(|| self.unknown_label(job, label))?;
            if let Some(executor) = &target.executor {
                match &together.executor {
                    Some(other) if other != executor => {
                        return Err(PlacementError {
                            kind: PlacementErrorKind::LabelsDisagree,
                            message: format!(
                                "the labels of job `{job}` disagree: `{decided_by}` stands for the \
                                 executor `{other}`, `{label}` for `{executor}`",
                            ),
                            hints: vec![format!(
                                "name its executor under `jobs` in `.ci/settings.yml`: `{}: \
                                 {{executor: {other}}}`",
                                yaml_key(job),
                            )],
                        });
                    }
                    Some(_) => {}
                    None => {
                        together.executor = Some(executor.clone());
                        decided_by = label;
                    }
                }
            }
            together.cpu_milli = together.cpu_milli.max(target.cpu_milli);
            together.memory_mib = together.memory_mib.max(target.memory_mib);
        }
        Ok(together)
    }

    fn unknown_label(&self, job: &str, label: &str) -> PlacementError {
        let known: Vec<&str> = self.labels.iter().map(|(pattern, _)| pattern).collect();
        let mut hints = Vec::new();
        if !known.is_empty() {
            hints.push(format!("known labels: {}", quoted(known.iter().copied())));
        }
        hints.push(format!(
            "say what it stands for under `labels` in `.ci/settings.yml`: `{}: {{executor: \
             {LOCAL}}}`",
            yaml_key(label),
        ));
        PlacementError {
            kind: PlacementErrorKind::UnknownLabel,
            message: format!(
                "job `{job}` asks for the label `{label}`, which is not known{}",
                did_you_mean(closest(label, known)),
            ),
            hints,
        }
    }

    fn executor_for_image(&self, job: &str, image: &str) -> Result<String, PlacementError> {
        self.image_executor.clone().ok_or_else(|| PlacementError {
            kind: PlacementErrorKind::NoImageExecutor,
            message: format!(
                "job `{job}` asks for the image `{image}`, and no executor is named for images"
            ),
            hints: vec![
                "name one in `.ci/settings.yml`, such as `image_executor: docker`".into(),
                format!(
                    "or run the job without a container, under `images`: `{}: {LOCAL}`",
                    yaml_key(image),
                ),
            ],
        })
    }
}

impl Target {
    fn is_complete(&self) -> bool {
        self.executor.is_some() && self.cpu_milli.is_some() && self.memory_mib.is_some()
    }

    /// What `self` says, and what it leaves out from `other`.
    fn or(self, other: Self) -> Self {
        Self {
            executor: self.executor.or(other.executor),
            cpu_milli: self.cpu_milli.or(other.cpu_milli),
            memory_mib: self.memory_mib.or(other.memory_mib),
        }
    }
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// A name as a key in a YAML file, in quotes where it needs them.
fn yaml_key(name: &str) -> impl fmt::Display {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.+/".contains(c))
        && name.starts_with(|c: char| c.is_ascii_alphabetic());
    if plain {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}
