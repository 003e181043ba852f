//! The shell and the directory that the scripts of a job get.

use crate::job::JobSpec;

/// The shell of a script that names `own`, or else the job's, or else `sh -e -c`.
pub(super) fn shell(job: &JobSpec, own: &[String]) -> Vec<String> {
    [own, &job.options.shell]
        .into_iter()
        .find(|words| !words.is_empty())
        .map_or_else(
            || ["sh", "-e", "-c"].map(String::from).to_vec(),
            <[_]>::to_vec,
        )
}

/// The directory `own`, which is relative to the job's working directory; that directory itself where
/// there is none. `None` stands for the working directory of the session.
pub(super) fn dir(job: &JobSpec, own: Option<&str>) -> Option<String> {
    let base = job
        .options
        .working_dir
        .as_deref()
        .filter(|base| *base != ".");
    match (base, own.filter(|own| !matches!(*own, "" | "."))) {
        (base, None) => base.map(str::to_owned),
        (Some(base), Some(own)) if !stands_alone(own) => {
            Some(format!("{}/{own}", base.trim_end_matches('/')))
        }
        (_, Some(own)) => Some(own.to_owned()),
    }
}

/// Whether a path says by itself where it is: absolute, or below the home.
fn stands_alone(path: &str) -> bool {
    path.starts_with('/') || path == "~" || path.starts_with("~/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_relative_to_that_of_the_job() {
        let plain = JobSpec::new("j");
        let placed = JobSpec::new("j").with(|options| options.working_dir = Some("~/app/".into()));
        for (job, own, expected) in [
            (&plain, None, None),
            (&plain, Some("."), None),
            (&plain, Some("src"), Some("src")),
            (&placed, None, Some("~/app/")),
            (&placed, Some("src"), Some("~/app/src")),
            (&placed, Some("/tmp"), Some("/tmp")),
            (&placed, Some("~"), Some("~")),
        ] {
            assert_eq!(dir(job, own).as_deref(), expected, "{own:?}");
        }
    }
}
