//! What engines say when they refuse: which kind of trouble it is, and what to do.

use bollard::errors::Error;

use crate::error::{DockerError, DockerErrorKind};

/// What to do where no container can have all capabilities.
const HELD_BACK: [&str; 2] = [
    "the engine's machine holds back capabilities: instead of `privileged: true` say `cap_add: [ALL]`, and `cap_drop: [NAME]` of those that the bounding set of `capsh --print` lacks there",
    "a service that is an engine (`docker:dind`) then needs `security: [seccomp=unconfined, apparmor=unconfined, systempaths=unconfined]` and `binds: [\"/sys/fs/cgroup:/sys/fs/cgroup\"]`, too",
];

/// The code of an engine's answer.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

pub(super) fn is_missing(error: &Error) -> bool {
    status(error) == Some(404)
}

/// What the words of an engine tell that its codes do not.
pub(super) fn kind_of_refusal(message: &str) -> DockerErrorKind {
    const UNMET: [&str; 5] = [
        // No GPU, or nothing that hands it to containers.
        "could not select device driver",
        "error gathering device information",
        "does not match the specified platform",
        "no matching manifest for",
        "does not provide the specified platform",
    ];
    const CAPACITY: [&str; 2] = [
        "could not find an available, non-overlapping",
        "no space left on device",
    ];
    if UNMET.iter().any(|words| message.contains(words)) {
        DockerErrorKind::Unmet
    } else if CAPACITY.iter().any(|words| message.contains(words)) {
        DockerErrorKind::Capacity
    } else {
        DockerErrorKind::Other
    }
}

/// What could not be done, with what the engine says of it.
pub(super) fn explain(what: impl Into<String>, error: Error) -> DockerError {
    if let Error::DockerResponseServerError { message, .. }
    | Error::DockerStreamError { error: message } = &error
    {
        let special = kind_of_refusal(message);
        if special != DockerErrorKind::Other {
            let text = format!("{}: {}", what.into(), message.trim_end());
            return DockerError::new(special, text);
        }
    }
    let kind = match (&error, status(&error)) {
        (_, Some(404)) => DockerErrorKind::NotFound,
        (_, Some(409)) => DockerErrorKind::Conflict,
        (_, Some(400)) => DockerErrorKind::Refused,
        (Error::RequestTimeoutError, _) => DockerErrorKind::TimedOut,
        // What leads to the engine says by 502 that there is no way.
        (_, Some(502))
        | (
            Error::IOError { .. }
            | Error::HyperResponseError { .. }
            | Error::HyperLegacyError { .. }
            | Error::SocketNotFoundError(_),
            None,
        ) => DockerErrorKind::Unreachable,
        _ => DockerErrorKind::Other,
    };
    let what = what.into();
    // What the engine says is for people to read; the client's own words around it are not.
    match error {
        Error::DockerResponseServerError { message, .. } if message.contains("apply caps") => {
            let text = format!("{what}: {}", message.trim_end());
            let error = DockerError::new(DockerErrorKind::Refused, text);
            HELD_BACK.into_iter().fold(error, DockerError::with_hint)
        }
        Error::DockerResponseServerError { message, .. } => {
            DockerError::new(kind, format!("{what}: {}", message.trim_end()))
        }
        error => DockerError::new(kind, what).with_source(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> DockerError {
        let error = Error::DockerResponseServerError {
            status_code: 500,
            message: message.to_owned(),
        };
        explain("could not start the container", error)
    }

    #[test]
    fn the_words_of_an_engine_tell_what_to_do() {
        let error = refused(
            "OCI runtime create failed: unable to apply caps: operation not permitted: unknown\n",
        );
        assert_eq!(error.kind(), DockerErrorKind::Refused);
        assert!(
            error.to_string().ends_with("not permitted: unknown"),
            "{error}"
        );
        assert!(
            error.hints()[0].contains("`cap_drop: [NAME]`"),
            "{:?}",
            error.hints()
        );
        let other = refused("no space left on device");
        assert_eq!(other.kind(), DockerErrorKind::Capacity);
        assert!(other.hints().is_empty());
    }
}
