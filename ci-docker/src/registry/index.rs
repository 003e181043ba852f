//! Images of single platforms merged into one index, in the registry, without touching a layer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::{DOCKER_IMAGE, DOCKER_LIST, Descriptor, Manifest, OCI_INDEX, PlatformEntry};
use super::{ImageName, Registry, RegistryError, RegistryErrorKind};

/// Names the image that an attestation is about.
const SUBJECT: &str = "vnd.docker.reference.digest";

/// The largest configuration of an image that is read for its platform.
const CONFIG_LIMIT: u64 = 8 << 20;

/// An index that was put into a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// The digest of the index.
    pub digest: String,
    /// Its platforms, in order.
    pub platforms: Vec<String>,
}

/// An index as it is written. The same children give the same bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct ImageConfig {
    architecture: String,
    os: String,
    variant: Option<String>,
}

impl Registry {
    /// Merges images into one index under each of the tags of `targets`. Sources that are indexes give
    /// their children, attestations included. Sources of other repositories are copied first.
    ///
    /// # Errors
    /// Of kind [`RegistryErrorKind::Invalid`] if two sources are for the same platform.
    pub async fn merge(
        &self,
        sources: &[ImageName],
        targets: &[ImageName],
    ) -> Result<Merged, RegistryError> {
        let mut children = Vec::new();
        for source in sources {
            let manifest = self.manifest(source).await?;
            let of = children_of(self, source, &manifest).await?;
            children.push((source.to_string(), of));
        }
        let entries = join(children)?;
        let manifest = index(entries)?;
        for target in targets {
            for source in sources {
                if source.path() != target.path() {
                    let manifest = self.manifest(source).await?;
                    let there = target.with_digest(&manifest.digest);
                    self.copy_manifest(source, &there, &manifest).await?;
                }
            }
            self.put(target, &manifest).await?;
        }
        let entries = manifest.content.manifests.iter().flatten();
        let platforms = entries.filter_map(|entry| entry.platform.as_ref());
        let known = platforms.filter(|platform| !platform.is_unknown());
        Ok(Merged {
            digest: manifest.digest.clone(),
            platforms: known.map(ToString::to_string).collect(),
        })
    }

    /// The platforms of an image or index.
    pub async fn platforms(&self, image: &ImageName) -> Result<Vec<String>, RegistryError> {
        let manifest = self.manifest(image).await?;
        let children = children_of(self, image, &manifest).await?;
        let platforms = children.iter().filter_map(|child| child.platform.as_ref());
        let known = platforms.filter(|platform| !platform.is_unknown());
        Ok(known.map(ToString::to_string).collect())
    }

    async fn platform_of(
        &self,
        image: &ImageName,
        config: &Descriptor,
    ) -> Result<PlatformEntry, RegistryError> {
        let wrong = |why: &str| {
            let message = format!("the configuration of `{image}` {why}");
            RegistryError::new(RegistryErrorKind::Invalid, message)
        };
        if config.size > CONFIG_LIMIT {
            return Err(wrong("is too large"));
        }
        let access = self.access(image).await?;
        let bytes = self
            .again(|| async {
                let mut bytes = Vec::new();
                let read =
                    access
                        .client
                        .pull_blob(image.reference(), config.digest.as_str(), &mut bytes);
                read.await
                    .map_err(|error| RegistryError::of(&image.to_string(), error))?;
                Ok(bytes)
            })
            .await?;
        let config: ImageConfig = serde_json::from_slice(&bytes)
            .map_err(|error| wrong("names no platform").with_source(error))?;
        Ok(PlatformEntry {
            architecture: config.architecture,
            os: config.os,
            variant: config.variant.filter(|variant| !variant.is_empty()),
            rest: BTreeMap::new(),
        })
    }
}

/// What a source gives to an index: an image itself, an index its children.
async fn children_of(
    registry: &Registry,
    source: &ImageName,
    manifest: &Manifest,
) -> Result<Vec<Descriptor>, RegistryError> {
    if let Some(children) = &manifest.content.manifests {
        return Ok(children.clone());
    }
    let Some(config) = &manifest.content.config else {
        let message = format!("`{source}` is neither an image nor an index");
        return Err(RegistryError::new(RegistryErrorKind::Invalid, message));
    };
    let platform = registry.platform_of(source, config).await?;
    Ok(vec![manifest.descriptor(Some(platform))])
}

/// The children of all sources, sorted by platform, each followed by its attestations.
fn join(sources: Vec<(String, Vec<Descriptor>)>) -> Result<Vec<Descriptor>, RegistryError> {
    let wrong = |message: String| RegistryError::new(RegistryErrorKind::Invalid, message);
    let mut images: BTreeMap<(String, String, String), (String, Descriptor)> = BTreeMap::new();
    let mut others = Vec::new();
    for (source, children) in sources {
        for child in children {
            let Some(platform) = child.platform.clone() else {
                return Err(wrong(format!("a child of `{source}` is for no platform")));
            };
            if platform.is_unknown() {
                others.push(child);
                continue;
            }
            let variant = platform.variant.clone().unwrap_or_default();
            let key = (platform.os.clone(), platform.architecture.clone(), variant);
            if let Some((before, first)) = images.get(&key) {
                if first.digest != child.digest {
                    let message = format!("both `{before}` and `{source}` are for {platform}");
                    return Err(wrong(message));
                }
                continue;
            }
            images.insert(key, (source.clone(), child));
        }
    }
    if images.is_empty() {
        return Err(wrong("there is nothing to merge".to_owned()));
    }
    let mut entries: Vec<Descriptor> = Vec::new();
    for (_, image) in images.into_values() {
        let digest = image.digest.clone();
        entries.push(image);
        for other in &others {
            let is_about = other.annotations.get(SUBJECT) == Some(&digest);
            if is_about && !entries.iter().any(|entry| entry.digest == other.digest) {
                entries.push(other.clone());
            }
        }
    }
    Ok(entries)
}

/// An index of the children: Docker's own kind if all of them are, for engines that know no other.
fn index(manifests: Vec<Descriptor>) -> Result<Manifest, RegistryError> {
    let all_docker = manifests
        .iter()
        .all(|child| child.media_type == DOCKER_IMAGE);
    let media_type = if all_docker { DOCKER_LIST } else { OCI_INDEX };
    let index = Index {
        schema_version: 2,
        media_type,
        manifests,
    };
    let bytes = serde_json::to_vec(&index).map_err(|error| {
        RegistryError::new(RegistryErrorKind::Other, "the index cannot be written")
            .with_source(error)
    })?;
    let digest = sha256(&bytes);
    Manifest::parse("the index", bytes.into(), digest)
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in sha2::Sha256::digest(bytes) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(media_type: &str, digest: &str, platform: &str, about: Option<&str>) -> Descriptor {
        let mut words = platform.split('/');
        let mut word = || words.next().map(str::to_owned);
        let (os, architecture) = (word().unwrap(), word().unwrap());
        let annotations = about.map(|about| (SUBJECT.to_owned(), about.to_owned()));
        Descriptor {
            media_type: media_type.to_owned(),
            size: 1,
            digest: digest.to_owned(),
            platform: Some(PlatformEntry {
                architecture,
                os,
                variant: word(),
                rest: BTreeMap::new(),
            }),
            annotations: annotations.into_iter().collect(),
            rest: BTreeMap::new(),
        }
    }

    fn oci(digest: &str, platform: &str, about: Option<&str>) -> Descriptor {
        child(
            "application/vnd.oci.image.manifest.v1+json",
            digest,
            platform,
            about,
        )
    }

    fn sources(sources: &[(&str, &[Descriptor])]) -> Vec<(String, Vec<Descriptor>)> {
        let sources = sources.iter();
        sources
            .map(|(name, children)| ((*name).to_owned(), children.to_vec()))
            .collect()
    }

    #[test]
    fn children_are_sorted_with_their_attestations_behind_them() {
        let arm = [
            oci("arm", "linux/arm64", None),
            oci("arm-proof", "unknown/unknown", Some("arm")),
        ];
        let amd = [
            oci("amd-proof", "unknown/unknown", Some("amd")),
            oci("amd", "linux/amd64", None),
        ];
        let stray = [
            oci("v7", "linux/arm/v7", None),
            oci("stray", "unknown/unknown", Some("elsewhere")),
        ];
        let one = join(sources(&[("a", &arm), ("b", &amd), ("c", &stray)])).unwrap();
        let digests: Vec<&str> = one.iter().map(|entry| entry.digest.as_str()).collect();
        assert_eq!(digests, ["amd", "amd-proof", "v7", "arm", "arm-proof"]);
        // In whatever order the sources come, the index is the same.
        let two = join(sources(&[("c", &stray), ("b", &amd), ("a", &arm)])).unwrap();
        assert_eq!(index(one).unwrap().digest, index(two).unwrap().digest);
    }

    #[test]
    fn two_images_for_one_platform_are_refused() {
        let (one, two) = (
            [oci("1", "linux/amd64", None)],
            [oci("2", "linux/amd64", None)],
        );
        let error = join(sources(&[("a", &one), ("b", &two)])).unwrap_err();
        assert_eq!(error.to_string(), "both `a` and `b` are for linux/amd64");
        assert_eq!(join(sources(&[("a", &one), ("b", &one)])).unwrap().len(), 1);
        assert!(join(Vec::new()).is_err());
    }

    #[test]
    fn images_of_docker_make_a_list_of_docker() {
        let docker = child(DOCKER_IMAGE, "1", "linux/amd64", None);
        assert_eq!(
            index(vec![docker.clone()]).unwrap().media_type(),
            DOCKER_LIST
        );
        let mixed = index(vec![docker, oci("2", "linux/arm64", None)]).unwrap();
        assert_eq!(mixed.media_type(), OCI_INDEX);
        assert!(mixed.digest.starts_with("sha256:") && mixed.digest.len() == 71);
    }
}
