//! Services that are engines themselves (`docker:dind`), which a job needs none of that gets this one.

use std::collections::BTreeMap;
use std::sync::Arc;

use ci_core::job::JobSpec;

/// What leads a docker client to such a service.
const VARIABLES: [&str; 4] = [
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "DOCKER_TLS_CERTDIR",
    "DOCKER_CERT_PATH",
];

/// The job without services that are engines, and the images of those. None if it has none.
pub(crate) fn without_engines(job: &JobSpec) -> Option<(JobSpec, Vec<String>)> {
    let services = &job.options.requires.services;
    let engines = services.iter().filter(|service| is_engine(&service.image));
    let engines: Vec<String> = engines.map(|service| service.image.clone()).collect();
    if engines.is_empty() {
        return None;
    }
    let mut job = job.clone();
    let options = Arc::make_mut(&mut job.options);
    options
        .requires
        .services
        .retain(|service| !is_engine(&service.image));
    Some((job, engines))
}

/// The variables without those that lead to an engine that is not there.
pub(crate) fn without_variables(env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut env = env.clone();
    env.retain(|name, _| !VARIABLES.contains(&name.as_str()));
    env
}

/// Whether an image is Docker's own image of an engine, from whatever registry: `docker:27-dind`.
fn is_engine(image: &str) -> bool {
    let name = image.split('@').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    last.split_once(':')
        .is_some_and(|(name, tag)| name == "docker" && tag.split('-').any(|part| part == "dind"))
}

#[cfg(test)]
mod tests {
    use ci_core::job::ServiceSpec;

    use super::*;

    #[test]
    fn engines_are_known_by_their_image() {
        for (image, expected) in [
            ("docker:dind", true),
            ("docker:27.5-dind-rootless", true),
            ("registry.example:5000/library/docker:dind@sha256:0", true),
            ("docker:27", false),
            ("docker", false),
            ("my-docker:dind", false),
        ] {
            assert_eq!(is_engine(image), expected, "{image}");
        }
    }

    #[test]
    fn other_services_and_variables_stay() {
        let job = JobSpec::new("build")
            .service(ServiceSpec::new("docker:dind", "docker"))
            .service(ServiceSpec::new("postgres:16", "db"));
        let (changed, engines) = without_engines(&job).unwrap();
        assert_eq!(engines, ["docker:dind"]);
        assert_eq!(changed.options.requires.services.len(), 1);
        assert!(without_engines(&changed).is_none());
        let env = [
            ("DOCKER_HOST", "tcp://docker:2375"),
            ("DOCKER_BUILDKIT", "1"),
        ];
        let env = env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let left: Vec<String> = without_variables(&env).into_keys().collect();
        assert_eq!(left, ["DOCKER_BUILDKIT"]);
    }
}
