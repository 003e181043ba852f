//! What each job of each run put away: one JSON file a job, for its workspace layers and its
//! artifacts.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::file::{file_name, list, read_json, write_json};
use super::{Storage, StorageError};
use crate::id::RunId;

/// The two kinds of manifests of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shelf {
    Workspace,
    Artifacts,
}

impl Shelf {
    fn dir(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Artifacts => "artifacts",
        }
    }
}

impl Storage {
    /// Forgets what a run put away. Contents that nothing else refers to go at once.
    pub fn remove_run(&self, run: RunId) -> Result<(), StorageError> {
        let _guard = self.lock()?;
        let digests: Vec<String> = self.run_references(run)?.into_iter().collect();
        let dir = self.run_dir(run);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StorageError::io("remove", &dir, error));
            }
            _ => {}
        }
        self.release(&digests)
    }

    /// Lets `to` have the workspace layers that `job` added in `from`: a rerun that takes the job's
    /// success over takes its files over too. Nothing happens if it added none.
    pub fn copy_workspace(&self, from: RunId, to: RunId, job: &str) -> Result<(), StorageError> {
        self.copy_manifest(Shelf::Workspace, from, to, job)
    }

    /// Lets `to` have the artifacts that `job` kept in `from`.
    pub fn copy_artifacts(&self, from: RunId, to: RunId, job: &str) -> Result<(), StorageError> {
        self.copy_manifest(Shelf::Artifacts, from, to, job)
    }

    fn copy_manifest(
        &self,
        kind: Shelf,
        from: RunId,
        to: RunId,
        job: &str,
    ) -> Result<(), StorageError> {
        let _guard = self.lock()?;
        let found: Option<serde_json::Value> = read_json(&self.manifest_path(kind, from, job))?;
        match found {
            Some(manifest) => self.write_manifest(kind, to, job, &manifest),
            None => Ok(()),
        }
    }

    pub(super) fn read_manifest<T: DeserializeOwned>(
        &self,
        kind: Shelf,
        run: RunId,
        job: &str,
    ) -> Result<Option<T>, StorageError> {
        read_json(&self.manifest_path(kind, run, job))
    }

    /// The lock is held.
    pub(super) fn write_manifest<T: Serialize>(
        &self,
        kind: Shelf,
        run: RunId,
        job: &str,
        manifest: &T,
    ) -> Result<(), StorageError> {
        write_json(&self.temp(), &self.manifest_path(kind, run, job), manifest)
    }

    /// The manifests of every job of a run.
    pub(super) fn manifests<T: DeserializeOwned>(
        &self,
        kind: Shelf,
        run: RunId,
    ) -> Result<Vec<T>, StorageError> {
        let paths = list(&self.run_dir(run).join(kind.dir()))?;
        let read = paths.iter().map(|path| read_json(path));
        read.filter_map(Result::transpose).collect()
    }

    /// The runs that put something away.
    pub(super) fn runs(&self) -> Result<Vec<RunId>, StorageError> {
        let paths = list(&self.root().join("runs"))?;
        let id = |path: &PathBuf| path.file_name()?.to_str()?.parse().ok();
        Ok(paths.iter().filter_map(id).collect())
    }

    fn run_dir(&self, run: RunId) -> PathBuf {
        self.root().join("runs").join(run.to_string())
    }

    pub(super) fn manifest_path(&self, kind: Shelf, run: RunId, job: &str) -> PathBuf {
        self.run_dir(run).join(kind.dir()).join(file_name(job))
    }
}
