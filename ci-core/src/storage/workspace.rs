//! Workspaces: layers of files that the jobs of a run hand down.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::manifest::Shelf;
use super::tree::{TreeFile, TreeRef};
use super::{Storage, StorageError, StorageErrorKind};
use crate::archive::EntryPath;
use crate::id::RunId;
use crate::session::TreeReader;

/// What one job added to the workspace of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LayerManifest {
    job: String,
    attempt: u32,
    /// The jobs it waited for, directly or not: their files it may replace.
    upstream: Vec<String>,
    pub(super) layers: Vec<Layer>,
}

/// What one step of a job added.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Layer {
    step: u32,
    pub(super) tree: TreeRef,
    files: Vec<TreeFile>,
}

/// Who adds a layer.
#[derive(Debug, Clone)]
pub(crate) struct LayerSource {
    pub(crate) run: RunId,
    pub(crate) job: Arc<str>,
    pub(crate) attempt: u32,
    pub(crate) step: u32,
    pub(crate) upstream: Vec<Arc<str>>,
}

/// The layers that a job gets.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// The job of each layer and what it added, in the order in which they are applied.
    pub(crate) layers: Vec<(String, TreeRef)>,
    /// Files on which jobs that do not know each other disagree.
    pub(crate) conflicts: Vec<Conflict>,
}

/// A file that two jobs, neither of which waited for the other, added with different content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) path: String,
    pub(crate) earlier: String,
    /// The job whose file stays.
    pub(crate) later: String,
}

impl Storage {
    /// Adds a layer. Layers of an earlier attempt of the job go away with its first of this one.
    pub(crate) fn persist_layer(
        &self,
        source: &LayerSource,
        reader: impl Read,
        seen: impl FnMut(&EntryPath),
    ) -> Result<TreeRef, StorageError> {
        let (tree, files) = self.store_listed(reader, seen)?;
        let _guard = self.lock()?;
        let old: Option<LayerManifest> =
            self.read_manifest(Shelf::Workspace, source.run, &source.job)?;
        let mut layers = old
            .filter(|old| old.attempt == source.attempt)
            .map(|old| old.layers)
            .unwrap_or_default();
        layers.retain(|layer| layer.step != source.step);
        layers.push(Layer {
            step: source.step,
            tree: tree.clone(),
            files,
        });
        layers.sort_by_key(|layer| layer.step);
        if !layers
            .iter()
            .all(|layer| self.has_object(&layer.tree.object))
        {
            let words = "somebody removed the files of the workspace while they were stored";
            return Err(StorageError::new(StorageErrorKind::Other, words));
        }
        let manifest = LayerManifest {
            job: source.job.to_string(),
            attempt: source.attempt,
            upstream: source.upstream.iter().map(ToString::to_string).collect(),
            layers,
        };
        self.write_manifest(Shelf::Workspace, source.run, &source.job, &manifest)?;
        Ok(tree)
    }

    /// The layers that `jobs` added, in that order.
    pub(crate) fn workspace(
        &self,
        run: RunId,
        jobs: &[Arc<str>],
    ) -> Result<Workspace, StorageError> {
        let mut manifests = Vec::new();
        for job in jobs {
            let manifest: Option<LayerManifest> = self.read_manifest(Shelf::Workspace, run, job)?;
            manifests.extend(manifest);
        }
        let conflicts = conflicts(&manifests);
        let layers = manifests
            .into_iter()
            .flat_map(|manifest| {
                let trees = manifest.layers.into_iter().map(|layer| layer.tree);
                trees.map(move |tree| (manifest.job.clone(), tree))
            })
            .collect();
        Ok(Workspace { layers, conflicts })
    }

    /// Opens a layer of the workspace.
    pub(crate) fn open_layer(&self, tree: &TreeRef) -> Result<TreeReader, StorageError> {
        self.open_tree(tree)
    }
}

/// The files on which jobs disagree that do not know each other; the last job in order wins.
fn conflicts(manifests: &[LayerManifest]) -> Vec<Conflict> {
    let mut owners: BTreeMap<&str, (usize, &TreeFile)> = BTreeMap::new();
    let mut found = Vec::new();
    for (index, manifest) in manifests.iter().enumerate() {
        for file in manifest.layers.iter().flat_map(|layer| &layer.files) {
            let before = owners.insert(&file.path, (index, file));
            let Some((owner, other)) = before.filter(|(_, other)| other.digest != file.digest)
            else {
                continue;
            };
            let earlier = &manifests[owner].job;
            if owner != index && !manifest.upstream.contains(earlier) {
                found.push(Conflict {
                    path: other.path.clone(),
                    earlier: earlier.clone(),
                    later: manifest.job.clone(),
                });
            }
        }
    }
    found
}
