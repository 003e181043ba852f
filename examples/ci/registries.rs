//! The registries as this program sees them: with Docker's credentials and those of CI variables.

use std::path::PathBuf;

use ci_docker::image::ImageError;
use ci_docker::registry::{
    Credentials, ImageName, ParseImageNameError, Registry, RegistryError, RegistryErrorKind,
};

use crate::failure::{Failure, chain};

/// A variable of the environment; one without a value is as good as none.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The registries. `CI_REGISTRY_USER` and `CI_REGISTRY_PASSWORD` are for `CI_REGISTRY`,
/// `RELEASE_REGISTRY_USER` and `RELEASE_REGISTRY_PASSWORD` for what is below `RELEASE_REGISTRY_IMAGE`;
/// for everything else there is what `docker login` left behind.
pub(crate) fn registry() -> Registry {
    let config = variable("DOCKER_CONFIG").map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".docker")));
    let mut credentials = config.map_or_else(Credentials::none, Credentials::docker_config);
    for (place, names) in [
        ("CI_REGISTRY", "CI_REGISTRY"),
        ("RELEASE_REGISTRY_IMAGE", "RELEASE_REGISTRY"),
    ] {
        let given = (
            variable(place),
            variable(&format!("{names}_USER")),
            variable(&format!("{names}_PASSWORD")),
        );
        if let (Some(place), Some(user), Some(password)) = given {
            credentials = credentials.with(place, user, password);
        }
    }
    Registry::new(credentials)
}

/// The name of an image.
pub(crate) fn image(text: &str) -> Result<ImageName, Failure> {
    text.parse()
        .map_err(|error: ParseImageNameError| Failure::input(error.to_string()))
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let message = chain(&error);
        let failure = match error.kind() {
            RegistryErrorKind::NotFound
            | RegistryErrorKind::Invalid
            | RegistryErrorKind::Unauthorized
            | RegistryErrorKind::Credentials => Self::input(message),
            _ => Self::engine(message),
        };
        error
            .hints()
            .iter()
            .fold(failure, |failure, hint| failure.hint(hint.clone()))
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        use ci_docker::image::ImageErrorKind as Kind;
        let message = chain(&error);
        let failure = match error.kind() {
            Kind::Failed => Self::workflow(message),
            Kind::Invalid | Kind::Unsupported | Kind::Context | Kind::Emulation => {
                Self::input(message)
            }
            _ => Self::engine(message),
        };
        error
            .hints()
            .iter()
            .fold(failure, |failure, hint| failure.hint(hint.clone()))
    }
}
