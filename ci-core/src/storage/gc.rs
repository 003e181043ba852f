//! Removing what nothing refers to any more.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::artifact::ArtifactManifest;
use super::file::{list, remove};
use super::manifest::Shelf;
use super::workspace::LayerManifest;
use super::{Storage, StorageError};
use crate::id::RunId;

/// What [`Storage::gc`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GcReport {
    /// The number of objects and unfinished files.
    pub objects: u64,
    /// The bytes they took.
    pub bytes: u64,
}

impl Storage {
    /// Removes the objects that no cache and no run refers to, and what writers that died left
    /// behind. What is younger than the [grace](Self::grace) period stays: somebody may be about to
    /// refer to it. Nothing is removed if a manifest cannot be read.
    pub fn gc(&self) -> Result<GcReport, StorageError> {
        let _guard = self.lock()?;
        let referenced = self.references()?;
        let mut report = GcReport::default();
        for shard in list(&self.root().join("objects"))? {
            let start = name(&shard);
            for path in list(&shard)? {
                let digest = format!("{start}{}", name(&path));
                if !referenced.contains(&digest) {
                    self.collect(&path, &mut report)?;
                }
            }
        }
        for path in list(&self.temp())? {
            self.collect(&path, &mut report)?;
        }
        Ok(report)
    }

    /// Removes a file that is old enough.
    fn collect(&self, path: &Path, report: &mut GcReport) -> Result<(), StorageError> {
        let found = match fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StorageError::io("read", path, error)),
        };
        let age = found
            .modified()
            .ok()
            .and_then(|time| SystemTime::now().duration_since(time).ok())
            .unwrap_or_default();
        if age >= self.grace_period() {
            remove(path)?;
            report.objects += 1;
            report.bytes += found.len();
        }
        Ok(())
    }

    /// Removes those of `digests` that nothing refers to now. The lock is held, and every manifest is
    /// written under it after a look at its objects: nobody can begin to refer to them meanwhile. A
    /// reader that has one open keeps it.
    pub(super) fn release(&self, digests: &[String]) -> Result<(), StorageError> {
        if digests.is_empty() {
            return Ok(());
        }
        let referenced = self.references()?;
        for digest in digests.iter().filter(|one| !referenced.contains(*one)) {
            remove(&self.object_path(digest)?)?;
        }
        Ok(())
    }

    /// The digests that anything refers to.
    fn references(&self) -> Result<HashSet<String>, StorageError> {
        let mut all = HashSet::new();
        for (_, record) in self.cache_records()? {
            let digests = record.parts.into_iter().map(|part| part.tree.object.digest);
            all.extend(digests);
        }
        for run in self.runs()? {
            all.extend(self.run_references(run)?);
        }
        Ok(all)
    }

    /// The digests that a run refers to.
    pub(super) fn run_references(&self, run: RunId) -> Result<HashSet<String>, StorageError> {
        let mut all = HashSet::new();
        for manifest in self.manifests::<LayerManifest>(Shelf::Workspace, run)? {
            let digests = manifest
                .layers
                .into_iter()
                .map(|layer| layer.tree.object.digest);
            all.extend(digests);
        }
        for manifest in self.manifests::<ArtifactManifest>(Shelf::Artifacts, run)? {
            all.extend(manifest.files.into_iter().map(|file| file.digest));
        }
        Ok(all)
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
