//! Names of images in registries.

use std::fmt;
use std::str::FromStr;

use oci_client::Reference;

/// The name of an image: `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`, as Docker reads it. Without a registry
/// it is Docker Hub, without tag and digest the tag `latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageName(Reference);

/// The text is no name of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a name of an image: {why}")]
pub struct ParseImageNameError {
    text: String,
    why: String,
}

impl ImageName {
    /// The host of the registry, with its port.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.0.registry()
    }

    /// The repository within the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        self.0.repository()
    }

    /// The tag, if it has one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.0.tag()
    }

    /// The digest, if it has one.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.0.digest()
    }

    /// Another tag of the same repository.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Self {
        let (registry, repository) = self.place();
        Self(Reference::with_tag(registry, repository, tag.to_owned()))
    }

    /// Another image of the same repository, by its digest.
    #[must_use]
    pub fn with_digest(&self, digest: &str) -> Self {
        let (registry, repository) = self.place();
        Self(Reference::with_digest(
            registry,
            repository,
            digest.to_owned(),
        ))
    }

    /// The registry with the repository.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.registry(), self.repository())
    }

    /// Whether the registry is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.registry();
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => host.split(':').next().unwrap_or(host),
        };
        let address = host.parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    pub(super) fn reference(&self) -> &Reference {
        &self.0
    }

    /// The reference under which a manifest is put. Where a registry does not tell the place of what
    /// was put, the client makes it up from the end of the tag.
    pub(super) fn put_reference(&self) -> Reference {
        match self.0.digest() {
            Some(digest) => {
                let (registry, repository) = self.place();
                let end = digest.rsplit(':').next().unwrap_or(digest).to_owned();
                Reference::with_tag_and_digest(registry, repository, end, digest.to_owned())
            }
            None => self.0.clone(),
        }
    }

    fn place(&self) -> (String, String) {
        (self.registry().to_owned(), self.repository().to_owned())
    }
}

impl FromStr for ImageName {
    type Err = ParseImageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: String| ParseImageNameError {
            text: text.to_owned(),
            why,
        };
        let reference: Reference = text
            .parse()
            .map_err(|error: oci_client::ParseError| wrong(error.to_string()))?;
        if reference
            .repository()
            .bytes()
            .any(|b| b.is_ascii_uppercase())
        {
            return Err(wrong("a repository has no capital letters".to_owned()));
        }
        Ok(Self(reference))
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ImageName {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_read_as_docker_does() {
        let plain = name("busybox");
        assert_eq!(plain.to_string(), "docker.io/library/busybox:latest");
        let own = name("localhost:5000/team/app:1.2");
        assert_eq!(
            (own.registry(), own.repository()),
            ("localhost:5000", "team/app")
        );
        assert_eq!(
            own.with_tag("latest").to_string(),
            "localhost:5000/team/app:latest"
        );
        for text in ["", "UPPER/case", "a b", "app:", "app@sha256:12"] {
            let error = text.parse::<ImageName>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is not")), "{error}");
        }
    }

    #[test]
    fn only_registries_of_this_machine_are_plain() {
        for (text, is) in [
            ("localhost:5000/a", true),
            ("127.0.0.1:5000/a", true),
            ("127.8.9.1/a", true),
            ("localhost.example.com/a", false),
            ("registry.example.com/a", false),
            ("a", false),
        ] {
            assert_eq!(name(text).is_loopback(), is, "{text}");
        }
    }

    #[test]
    fn what_is_put_by_digest_ends_as_the_tag_does() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let put = name("localhost:5000/a")
            .with_digest(&digest)
            .put_reference();
        assert!(digest.ends_with(put.tag().unwrap()));
        assert_eq!(put.digest(), Some(digest.as_str()));
    }
}
