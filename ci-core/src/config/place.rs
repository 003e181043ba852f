//! Jobs that run in other places than the images, services and machines that their file names.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fidelity::Fidelity;
use crate::settings::Chosen;
use crate::yaml::Mark;

/// Where a file says what a job runs in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The image.
    pub image: Option<Mark>,
    /// The services, in their order; the last stands for those beyond.
    pub services: Vec<Mark>,
    /// The machine or the tags.
    pub labels: Option<Mark>,
}

/// The jobs that ask for something to run in.
pub type AskedByJobs = BTreeMap<Arc<str>, Asked>;

/// Says in `fidelity` what jobs lose by the places that were chosen for them.
pub fn compare(chosen: &[Chosen], asked: &AskedByJobs, fidelity: &mut Fidelity) {
    let nowhere = Mark::new("", 1, 1);
    let none = Asked::default();
    for it in chosen {
        let asked = asked.get(&it.job).unwrap_or(&none);
        if let Some(image) = &it.dropped_image {
            let mark = asked.image.as_ref().unwrap_or(&nowhere);
            let why = "the job runs in the shell of this machine";
            fidelity.approximated(mark, &format!("image: {image}"), why);
        }
        if let Some(other) = &it.other_image
            && let Some(mark) = &asked.image
        {
            let why = format!("the image `{other}` stands for it");
            fidelity.approximated(mark, "image", why);
        }
        for (index, service) in it.dropped_services.iter().enumerate() {
            let mark = asked.services.get(index).or(asked.services.last());
            let key = format!("services: {service}");
            let why = "services are not started: have one that answers on localhost";
            fidelity.ignored(mark.unwrap_or(&nowhere), &key, why);
        }
        for label in &it.dropped_labels {
            let mark = asked.labels.as_ref().unwrap_or(&nowhere);
            // Of tags the file has been told about already.
            if !fidelity.rows().iter().any(|row| row.mark == *mark) {
                let why = "machines of the vendor are not here, and the settings say nothing of it";
                fidelity.approximated(mark, label, why);
            }
        }
    }
}
