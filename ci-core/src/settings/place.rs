//! Which executor runs a job and what it reserves: a pure function of the job and the settings.

use super::Settings;
use super::file::PlaceForm;
use crate::job::JobSpec;
use crate::workflow::form::{Cpu, Memory};
use crate::workflow::suggest::Suggest;

/// CircleCI's sizes for containers: cores in thousandths and memory in MiB
/// (<https://circleci.com/docs/configuration-reference/#resourceclass>).
const CIRCLECI: [(&str, u32, u32); 7] = [
    ("small", 1000, 2 * 1024),
    ("medium", 2000, 4 * 1024),
    ("medium+", 3000, 6 * 1024),
    ("large", 4000, 8 * 1024),
    ("xlarge", 8000, 16 * 1024),
    ("2xlarge", 16_000, 32 * 1024),
    ("2xlarge+", 20_000, 40 * 1024),
];

/// Where a job runs and what it reserves there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Placement {
    /// The executor's name; the run's first executor if `None`.
    pub executor: Option<String>,
    /// Processor cores, in thousandths.
    pub cpu_milli: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
}

/// A job asks for something that neither the settings nor the built-in table knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{job}` wants the {what} `{name}`, which is not mapped{}; add it to `{key}` in \
     .ci/settings.yml, such as `{name}: {{executor: local, cpu: 2, memory: 4GiB}}`",
    suggestion(.did_you_mean.as_deref())
)]
pub struct PlacementError {
    job: String,
    what: &'static str,
    name: String,
    key: &'static str,
    did_you_mean: Option<String>,
}

fn suggestion(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

impl PlaceForm {
    /// Takes from `other` what is not said yet.
    fn fill(&mut self, other: &Self) {
        self.executor = self.executor.take().or_else(|| other.executor.clone());
        self.cpu = self.cpu.or(other.cpu);
        self.memory = self.memory.or(other.memory);
    }
}

impl Settings {
    /// Where a job runs. What the job itself says wins, then its resource class, then its labels in
    /// their order.
    ///
    /// # Errors
    /// When the job has a resource class or a label that is not mapped: it is not guessed.
    pub fn place(&self, job: &JobSpec) -> Result<Placement, PlacementError> {
        let requires = &job.options.requires;
        let mut placed = PlaceForm {
            executor: requires.executor.clone(),
            cpu: requires.cpu_milli.map(Cpu),
            memory: requires.memory_mib.map(Memory),
        };
        if let Some(class) = &requires.resource_class {
            placed.fill(&self.class(job, class)?);
        }
        for label in &requires.labels {
            placed.fill(
                self.labels
                    .get(label)
                    .ok_or_else(|| self.no_label(job, label))?,
            );
        }
        Ok(Placement {
            executor: placed.executor,
            cpu_milli: placed.cpu.map_or(0, |cpu| cpu.0),
            memory_mib: placed.memory.map_or(0, |memory| memory.0),
        })
    }

    fn class(&self, job: &JobSpec, class: &str) -> Result<PlaceForm, PlacementError> {
        if let Some(place) = self.resource_classes.get(class) {
            return Ok(place.clone());
        }
        let built_in = CIRCLECI.iter().find(|(name, ..)| *name == class);
        let (_, cores, mib) = built_in.ok_or_else(|| self.no_class(job, class))?;
        Ok(PlaceForm {
            executor: None,
            cpu: Some(Cpu(*cores)),
            memory: Some(Memory(*mib)),
        })
    }

    fn no_class(&self, job: &JobSpec, class: &str) -> PlacementError {
        let known = self.resource_classes.keys().map(String::as_str);
        PlacementError {
            job: job.name.to_string(),
            what: "resource class",
            name: class.to_owned(),
            key: "resource_classes",
            did_you_mean: closest(class, known.chain(CIRCLECI.iter().map(|(name, ..)| *name))),
        }
    }

    fn no_label(&self, job: &JobSpec, label: &str) -> PlacementError {
        PlacementError {
            job: job.name.to_string(),
            what: "label",
            name: label.to_owned(),
            key: "labels",
            did_you_mean: closest(label, self.labels.keys().map(String::as_str)),
        }
    }
}

fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    Suggest::new().closest(name, known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circleci_s_sizes_are_known_and_others_are_not_guessed() {
        let settings = Settings::default();
        let large = settings
            .place(&JobSpec::new("a").resource_class("large"))
            .expect("known");
        assert_eq!((large.cpu_milli, large.memory_mib), (4000, 8192));
        let error = settings
            .place(&JobSpec::new("a").resource_class("largo"))
            .unwrap_err();
        assert!(
            error.to_string().contains("did you mean `large`?"),
            "{error}"
        );
        let plain = settings.place(&JobSpec::new("a")).expect("nothing asked");
        assert_eq!(plain, Placement::default());
        let own = JobSpec::new("a").resource_class("large").reserve(500, 100);
        assert_eq!(settings.place(&own).expect("known").cpu_milli, 500);
    }
}
