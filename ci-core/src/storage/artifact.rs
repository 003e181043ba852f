//! Artifacts: files that stay after their job, each an object of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::manifest::Shelf;
use super::name::numbered;
use super::object::{ObjectRef, damaged};
use super::tree::slashed;
use super::{Storage, StorageError, StorageErrorKind};
use crate::archive::{ArchiveError, EntryKind, EntryPath, Limits, Tree, read_entries};
use crate::id::RunId;
use crate::secret::MASK;

/// A file that a job kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Artifact {
    /// The job.
    pub job: String,
    /// The attempt of the job, from 1.
    pub attempt: u32,
    /// What it was kept as.
    pub kind: ArtifactKind,
    /// Its path among the artifacts of the job: relative, with `/` between components, secrets masked.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its address, for [`Storage::open_artifact`].
    pub digest: String,
    /// The permission bits it had.
    pub mode: u32,
}

/// What a file was kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ArtifactKind {
    /// An artifact.
    Artifact,
    /// Test results.
    TestResults,
    /// A coverage report.
    Coverage,
    /// Values that were measured.
    Metrics,
    /// A report of findings.
    Findings,
}

/// The files of one job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ArtifactManifest {
    pub(super) files: Vec<Artifact>,
}

/// Who keeps artifacts.
#[derive(Debug, Clone)]
pub(crate) struct ArtifactSource {
    pub(crate) run: RunId,
    pub(crate) job: Arc<str>,
    pub(crate) attempt: u32,
    pub(crate) kind: ArtifactKind,
}

/// Where each file of an archive stands among the artifacts.
pub(crate) type Placing<'a> = &'a mut dyn FnMut(&EntryPath) -> String;

/// What was kept of an archive.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) files: Vec<Artifact>,
    /// Links that lead to no kept file, and names that would leave the artifacts.
    pub(crate) left_out: Vec<String>,
}

/// The files of an archive whose contents are kept.
#[derive(Default)]
struct Found {
    files: BTreeMap<String, (EntryPath, Content)>,
    links: Vec<(EntryPath, PathBuf)>,
}

struct Content {
    object: ObjectRef,
    mode: u32,
}

impl ArtifactSource {
    fn artifact(&self, path: String, content: &Content) -> Artifact {
        Artifact {
            job: self.job.to_string(),
            attempt: self.attempt,
            kind: self.kind,
            path,
            bytes: content.object.bytes,
            digest: content.object.digest.clone(),
            mode: content.mode,
        }
    }
}

impl Artifact {
    /// Whether it could not be told from `other` at this path. What is kept as two kinds of thing is
    /// one file.
    fn clashes(&self, other: &Self, path: &str) -> bool {
        other.attempt == self.attempt
            && other.path == path
            && (other.kind == self.kind || other.digest != self.digest)
    }

    fn object(&self) -> ObjectRef {
        ObjectRef {
            digest: self.digest.clone(),
            bytes: self.bytes,
        }
    }
}

impl Storage {
    /// What stands in the place of a job for artifacts of the run as a whole.
    pub const RUN: &str = "(run)";

    /// The files that a job kept in its last attempt that kept any, or those of all jobs; by job and
    /// path.
    pub fn artifacts(&self, run: RunId, job: Option<&str>) -> Result<Vec<Artifact>, StorageError> {
        let mut last: BTreeMap<String, u32> = BTreeMap::new();
        let mut all = self.artifacts_of_all_attempts(run, job)?;
        for file in &all {
            let attempt = last.entry(file.job.clone()).or_default();
            *attempt = file.attempt.max(*attempt);
        }
        all.retain(|file| last.get(&file.job) == Some(&file.attempt));
        Ok(all)
    }

    /// The files that a job kept in any of its attempts, or those of all jobs; by job, path and
    /// attempt.
    pub fn artifacts_of_all_attempts(
        &self,
        run: RunId,
        job: Option<&str>,
    ) -> Result<Vec<Artifact>, StorageError> {
        let manifests: Vec<ArtifactManifest> = match job {
            Some(job) => self
                .read_manifest(Shelf::Artifacts, run, job)?
                .into_iter()
                .collect(),
            None => self.manifests(Shelf::Artifacts, run)?,
        };
        let mut files: Vec<Artifact> = manifests
            .into_iter()
            .flat_map(|manifest| manifest.files)
            .collect();
        files.sort_by(|a, b| {
            let key = |file: &Artifact| (file.attempt, file.kind);
            (&a.job, &a.path, key(a)).cmp(&(&b.job, &b.path, key(b)))
        });
        Ok(files)
    }

    /// Opens the content at the address of an artifact. Damage shows as an error at the end of the
    /// read.
    pub fn open_artifact(&self, digest: &str) -> Result<ArtifactReader, StorageError> {
        let path = self.object_path(digest)?;
        let file = File::open(&path).map_err(|error| StorageError::io("open", &path, error))?;
        Ok(ArtifactReader {
            file,
            hasher: blake3::Hasher::new(),
            digest: digest.to_owned(),
        })
    }

    /// Copies the artifacts of a job's last attempt into `dest` and gives the files that were
    /// written. Nothing is written outside `dest`.
    pub fn export(&self, run: RunId, job: &str, dest: &Path) -> Result<Vec<PathBuf>, StorageError> {
        let mut tree = Tree::open(dest)?;
        let mut written = Vec::new();
        for artifact in self.artifacts(run, Some(job))? {
            let mut content = self.open_artifact(&artifact.digest)?;
            let facts = (artifact.mode, artifact.bytes);
            let path = tree.put(&artifact.path, facts, &mut content)?;
            written.push(dest.join(path.as_path()));
        }
        written.dedup();
        Ok(written)
    }

    /// Keeps a file of the run as a whole, as an artifact of [`RUN`](Self::RUN). The same path again takes
    /// the place of the one before.
    pub fn keep_for_run(
        &self,
        run: RunId,
        path: &str,
        mut content: impl Read,
    ) -> Result<Artifact, StorageError> {
        let path = normal(Path::new(path)).ok_or_else(|| {
            let words = format!("`{path}` is no path among artifacts");
            StorageError::new(StorageErrorKind::Other, words)
        })?;
        let source = ArtifactSource {
            run,
            job: Self::RUN.into(),
            attempt: 1,
            kind: ArtifactKind::Artifact,
        };
        let content = Content {
            object: self.keep_file(&mut content)?,
            mode: 0o644,
        };
        let artifact = source.artifact(path, &content);
        let listed = self.list_artifacts(&source, vec![artifact.clone()])?;
        Ok(listed.into_iter().next().unwrap_or(artifact))
    }

    /// Keeps the files of an archive. Links are followed where they lead to a file of the archive.
    pub(crate) fn keep_artifacts(
        &self,
        source: &ArtifactSource,
        reader: impl Read,
        place: Placing<'_>,
    ) -> Result<Kept, StorageError> {
        let found = self.keep_files(reader)?;
        let mut kept = Kept::default();
        let mut add = |path: &EntryPath, content: Option<&Content>| {
            let name = normal(Path::new(&place(path)));
            match name.zip(content) {
                Some((name, content)) => kept.files.push(source.artifact(name, content)),
                None => kept.left_out.push(path.to_string()),
            }
        };
        for (path, content) in found.files.values() {
            add(path, Some(content));
        }
        for (path, target) in &found.links {
            let target = normal(target).and_then(|target| found.files.get(&target));
            add(path, target.map(|(_, content)| content));
        }
        Ok(kept)
    }

    fn keep_files(&self, reader: impl Read) -> Result<Found, StorageError> {
        let mut found = Found::default();
        let mut failure = None;
        let read = read_entries(reader, &Limits::default(), |entry| {
            let path = entry.path.clone();
            match &entry.kind {
                EntryKind::Directory => {}
                EntryKind::Symlink(target) => {
                    let above = path.as_path().parent().unwrap_or(Path::new(""));
                    let target = above.join(target);
                    found.links.push((path, target));
                }
                EntryKind::HardLink(original) => {
                    found.links.push((path, original.as_path().to_owned()));
                }
                EntryKind::File => {
                    let object = self.keep_file(entry.content).map_err(|error| {
                        let words = io::Error::other(error.to_string());
                        failure = Some(error);
                        ArchiveError::io("keep", &path.to_string(), words)
                    })?;
                    let content = Content {
                        object,
                        mode: entry.mode,
                    };
                    found.files.insert(slashed(&path), (path, content));
                }
            }
            Ok(())
        });
        match failure {
            Some(failure) => Err(failure),
            None => Ok(read.map(|_| found)?),
        }
    }

    fn keep_file(&self, content: &mut dyn Read) -> Result<ObjectRef, StorageError> {
        let mut writer = self.new_object()?;
        io::copy(content, &mut writer)
            .map_err(|error| StorageError::io("write to", &self.temp(), error))?;
        self.keep(writer)
    }

    /// Lists kept files among the artifacts of their job, and gives them as they are listed. The same
    /// path again takes the place of the one before. A path with a mask in it may stand for several: it
    /// takes no place, but gets a number.
    pub(crate) fn list_artifacts(
        &self,
        source: &ArtifactSource,
        mut files: Vec<Artifact>,
    ) -> Result<Vec<Artifact>, StorageError> {
        let _guard = self.lock()?;
        let mut manifest: ArtifactManifest = self
            .read_manifest(Shelf::Artifacts, source.run, &source.job)?
            .unwrap_or_default();
        for file in &files {
            if !self.has_object(&file.object()) {
                let words = format!("somebody removed the artifact `{}`", file.path);
                return Err(StorageError::new(StorageErrorKind::Other, words));
            }
        }
        let id = |file: &Artifact| (file.attempt, file.kind, file.path.clone());
        let old = manifest.files.into_iter().map(|file| (id(&file), file));
        let mut all: BTreeMap<_, _> = old.collect();
        for file in &mut files {
            if file.path.contains(MASK) {
                let is_free = |path: &str| all.values().all(|other| !file.clashes(other, path));
                file.path = numbered_path(&file.path, is_free);
            }
            all.insert(id(file), file.clone());
        }
        manifest.files = all.into_values().collect();
        self.write_manifest(Shelf::Artifacts, source.run, &source.job, &manifest)?;
        Ok(files)
    }
}

/// The path, or the first with a number before its extension that is free.
fn numbered_path(path: &str, is_free: impl Fn(&str) -> bool) -> String {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    let dot = path[name..].rfind('.').filter(|dot| *dot > 0);
    let (stem, extension) = path.split_at(dot.map_or(path.len(), |dot| name + dot));
    numbered(stem, extension, is_free)
}

/// The path without `.` and `..`, with `/` between components; `None` if it is absolute or leaves.
fn normal(path: &Path) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/")).filter(|path| !path.is_empty())
}

/// The content of an artifact, checked against its address while it is read.
#[derive(Debug)]
pub struct ArtifactReader {
    file: File,
    hasher: blake3::Hasher,
    digest: String,
}

impl Read for ArtifactReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.hasher.update(&into[..read]);
        let ended = read == 0 && !into.is_empty();
        if ended && self.hasher.finalize().to_hex().as_str() != self.digest {
            let error = damaged(&self.digest);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(read)
    }
}
