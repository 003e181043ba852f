//! Manifests as registries keep them: bytes, and what the bytes point at.

use std::collections::BTreeMap;

use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use serde::{Deserialize, Serialize};

use super::{RegistryError, RegistryErrorKind};

/// What is asked for: images and indexes, of Docker and of OCI.
pub(super) const ACCEPTED: [&str; 4] = [
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
];

pub(super) const DOCKER_IMAGE: &str = IMAGE_MANIFEST_MEDIA_TYPE;
pub(super) const DOCKER_LIST: &str = IMAGE_MANIFEST_LIST_MEDIA_TYPE;
pub(super) const OCI_INDEX: &str = OCI_IMAGE_INDEX_MEDIA_TYPE;

/// A manifest with the digest it is known by.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) bytes: bytes::Bytes,
    pub(super) digest: String,
    pub(super) content: Content,
}

/// What a manifest says.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content {
    media_type: Option<String>,
    /// Of an index.
    #[serde(default)]
    pub(super) manifests: Option<Vec<Descriptor>>,
    /// Of an image.
    #[serde(default)]
    pub(super) config: Option<Descriptor>,
    #[serde(default)]
    pub(super) layers: Vec<Descriptor>,
}

/// Points at a manifest or a blob. What is not known here is kept as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) size: u64,
    pub(super) digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<PlatformEntry>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(super) rest: BTreeMap<String, serde_json::Value>,
}

/// The platform of an image in an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PlatformEntry {
    pub(super) architecture: String,
    pub(super) os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) variant: Option<String>,
    #[serde(flatten)]
    pub(super) rest: BTreeMap<String, serde_json::Value>,
}

impl Manifest {
    pub(super) fn parse(
        image: &str,
        bytes: bytes::Bytes,
        digest: String,
    ) -> Result<Self, RegistryError> {
        let content = serde_json::from_slice(&bytes).map_err(|error| {
            RegistryError::new(
                RegistryErrorKind::Invalid,
                format!("the manifest of `{image}` makes no sense"),
            )
            .with_source(error)
        })?;
        Ok(Self {
            bytes,
            digest,
            content,
        })
    }

    /// The media type. Manifests of OCI need not name it.
    pub(super) fn media_type(&self) -> &str {
        match &self.content.media_type {
            Some(media_type) => media_type,
            None if self.content.manifests.is_some() => OCI_INDEX,
            None => OCI_IMAGE_MEDIA_TYPE,
        }
    }

    /// A pointer at this manifest.
    pub(super) fn descriptor(&self, platform: Option<PlatformEntry>) -> Descriptor {
        Descriptor {
            media_type: self.media_type().to_owned(),
            size: self.bytes.len() as u64,
            digest: self.digest.clone(),
            platform,
            annotations: BTreeMap::new(),
            rest: BTreeMap::new(),
        }
    }
}

impl PlatformEntry {
    /// Attestations are entered under a platform that nothing runs on.
    pub(super) fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }
}

impl std::fmt::Display for PlatformEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}
