//! What can go wrong between this crate and a registry.

use oci_client::errors::{OciDistributionError, OciErrorCode};

use crate::trouble::Trouble;

/// A registry could not do what it was asked for.
pub type RegistryError = Trouble<RegistryErrorKind>;

/// What kind of trouble a registry made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegistryErrorKind {
    /// No registry answers, or the connection to it broke.
    Unreachable,
    /// The registry does not have the image.
    NotFound,
    /// The registry wants other credentials.
    Unauthorized,
    /// The request is not possible.
    Refused,
    /// The registry has trouble of its own, or wants fewer requests.
    Unavailable,
    /// Somebody else changed the same tag at the same time.
    Raced,
    /// The credentials cannot be read.
    Credentials,
    /// What the registry sent makes no sense.
    Invalid,
    /// Anything else.
    Other,
}

impl RegistryError {
    /// The answer of a registry to a request for `image`.
    pub(crate) fn of(image: &str, error: OciDistributionError) -> Self {
        let kind = kind_of(&error);
        let message = match kind {
            RegistryErrorKind::NotFound => format!("`{image}` is not in the registry"),
            RegistryErrorKind::Unauthorized => format!("the registry does not let us at `{image}`"),
            RegistryErrorKind::Unreachable => format!("the registry of `{image}` does not answer"),
            _ => format!("the registry refused `{image}`{}", said(&error)),
        };
        let new = Self::new(kind, message);
        match kind {
            // What it says more than that is nothing to read.
            RegistryErrorKind::NotFound => new.with_hint("is its name right, and was it pushed?"),
            RegistryErrorKind::Unauthorized => new
                .with_hint("log in with `docker login`, or give credentials for the registry")
                .with_source(error),
            RegistryErrorKind::Unreachable => new
                .with_hint("is the name of the registry right, and does it run?")
                .with_source(error),
            _ => new.with_source(error),
        }
    }

    /// Whether the same request may succeed in a while.
    pub(super) fn is_passing(&self) -> bool {
        use RegistryErrorKind::{Unavailable, Unreachable};
        matches!(self.kind, Unavailable | Unreachable)
    }
}

/// What the registry itself says, for the message.
fn said(error: &OciDistributionError) -> String {
    match error {
        OciDistributionError::RegistryError { envelope, .. } => {
            let words = envelope.errors.iter().map(|error| error.message.clone());
            format!(": {}", words.collect::<Vec<_>>().join("; "))
        }
        OciDistributionError::ServerError { code, message, .. } => {
            format!(": status {code} {}", message.trim())
        }
        _ => String::new(),
    }
}

fn kind_of(error: &OciDistributionError) -> RegistryErrorKind {
    use RegistryErrorKind as Kind;
    match error {
        OciDistributionError::RegistryError { envelope, .. } => envelope
            .errors
            .first()
            .map_or(Kind::Other, |error| kind_of_code(&error.code)),
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_) => Kind::Unauthorized,
        OciDistributionError::ImageManifestNotFoundError(_) => Kind::NotFound,
        OciDistributionError::ServerError { code, .. } => kind_of_status(*code),
        OciDistributionError::RequestError(error) => error
            .status()
            .map_or(Kind::Unreachable, |status| kind_of_status(status.as_u16())),
        OciDistributionError::IoError(_) => Kind::Unreachable,
        OciDistributionError::DigestError(_)
        | OciDistributionError::JsonError(_)
        | OciDistributionError::SpecViolationError(_)
        | OciDistributionError::VersionedParsingError(_)
        | OciDistributionError::ManifestParsingError(_)
        | OciDistributionError::ManifestEncodingError(_) => Kind::Invalid,
        _ => Kind::Other,
    }
}

fn kind_of_status(code: u16) -> RegistryErrorKind {
    use RegistryErrorKind as Kind;
    match code {
        401 | 403 => Kind::Unauthorized,
        404 => Kind::NotFound,
        408 | 429 | 500.. => Kind::Unavailable,
        _ => Kind::Refused,
    }
}

fn kind_of_code(code: &OciErrorCode) -> RegistryErrorKind {
    use RegistryErrorKind as Kind;
    match code {
        OciErrorCode::ManifestUnknown
        | OciErrorCode::NameUnknown
        | OciErrorCode::NotFound
        | OciErrorCode::BlobUnknown => Kind::NotFound,
        OciErrorCode::Unauthorized | OciErrorCode::Denied => Kind::Unauthorized,
        OciErrorCode::Toomanyrequests => Kind::Unavailable,
        _ => Kind::Refused,
    }
}
