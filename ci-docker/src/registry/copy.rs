//! Images copied between repositories: what the target has already stays where it is.

use std::future::Future;
use std::pin::Pin;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::manifest::{Descriptor, Manifest};
use super::{ImageName, Registry, RegistryError, RegistryErrorKind};

/// How many blobs travel at once.
const AT_ONCE: usize = 4;

/// How deep indexes may stand in indexes.
const DEPTH: usize = 4;

/// An image that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// The digest, the same on both sides.
    pub digest: String,
}

/// What a copied manifest may still need.
type Copying<'a> = Pin<Box<dyn Future<Output = Result<(), RegistryError>> + Send + 'a>>;

impl Registry {
    /// Copies an image, or an index with all its children, to another name, byte for byte. Within a
    /// registry blobs are mounted, between registries they are streamed.
    pub async fn copy(&self, from: &ImageName, to: &ImageName) -> Result<Copied, RegistryError> {
        let manifest = self.manifest(from).await?;
        self.copy_manifest(from, to, &manifest).await?;
        Ok(Copied {
            digest: manifest.digest,
        })
    }

    pub(super) async fn copy_manifest(
        &self,
        from: &ImageName,
        to: &ImageName,
        manifest: &Manifest,
    ) -> Result<(), RegistryError> {
        if from.path() != to.path() {
            self.copy_parts(from, to, manifest, DEPTH).await?;
        }
        self.put(to, manifest).await
    }

    /// Copies everything that a manifest points at.
    fn copy_parts<'a>(
        &'a self,
        from: &'a ImageName,
        to: &'a ImageName,
        manifest: &'a Manifest,
        depth: usize,
    ) -> Copying<'a> {
        Box::pin(async move {
            let Some(depth) = depth.checked_sub(1) else {
                let message = format!("`{from}` is an index in too many indexes");
                return Err(RegistryError::new(RegistryErrorKind::Invalid, message));
            };
            for child in manifest.content.manifests.iter().flatten() {
                let (source, target) = (
                    from.with_digest(&child.digest),
                    to.with_digest(&child.digest),
                );
                if self.digest(&target).await?.is_none() {
                    let child = self.manifest(&source).await?;
                    self.copy_parts(&source, &target, &child, depth).await?;
                    self.put(&target, &child).await?;
                }
            }
            let blobs = manifest
                .content
                .config
                .iter()
                .chain(&manifest.content.layers);
            // Layers with addresses of their own are not in registries.
            let blobs = blobs.filter(|blob| !blob.rest.contains_key("urls"));
            let copies: Vec<_> = blobs.map(|blob| self.copy_blob(from, to, blob)).collect();
            stream::iter(copies)
                .buffer_unordered(AT_ONCE)
                .try_collect::<()>()
                .await
        })
    }

    async fn copy_blob(
        &self,
        from: &ImageName,
        to: &ImageName,
        blob: &Descriptor,
    ) -> Result<(), RegistryError> {
        let (source, target) = (self.access(from).await?, self.access(to).await?);
        let name = to.to_string();
        let there = target.client.blob_exists(to.reference(), &blob.digest);
        if there
            .await
            .map_err(|error| RegistryError::of(&name, error))?
        {
            return Ok(());
        }
        if from.registry() == to.registry() {
            let mounted = target
                .client
                .mount_blob(to.reference(), from.reference(), &blob.digest);
            // A registry may refuse to mount, for want of rights on the source: then it is streamed.
            if mounted.await.is_ok() {
                return Ok(());
            }
        }
        self.again(|| async {
            let pulled = source
                .client
                .pull_blob_stream(from.reference(), blob.digest.as_str());
            let pulled = pulled
                .await
                .map_err(|error| RegistryError::of(&from.to_string(), error))?;
            let bytes = pulled.map(|chunk| chunk.map_err(Into::into));
            let pushed = target.client.push_blob_stream(
                to.reference(),
                bytes,
                &blob.digest,
                Some(blob.size),
            );
            pushed
                .await
                .map_err(|error| RegistryError::of(&name, error))?;
            Ok(())
        })
        .await
    }
}
