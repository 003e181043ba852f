//! Caches: trees under a key, kept until the room is needed.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::file::{list, read_json, remove, write_json};
use super::name::numbered;
use super::tree::{OutsideLink, TreeRef};
use super::{Storage, StorageError, StorageErrorKind};
use crate::clock::Timestamp;
use crate::session::TreeReader;
use crate::step::CacheLookup;

/// A cache, as `ci cache list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CacheInfo {
    /// The key it was saved under, secrets masked; with a number where that is the same for several.
    pub key: String,
    /// The project it belongs to; caches of different projects never meet.
    pub scope: String,
    /// The bytes it takes, compressed.
    pub bytes: u64,
    /// When it was saved.
    pub created: Timestamp,
    /// When it was saved or last brought back.
    pub last_used: Timestamp,
}

/// The index entry of a cache. When it was last used is the modification time of its file, which can
/// be set without writing the file anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CacheRecord {
    key: String,
    /// What is shown in place of the key, where that holds a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
    scope: String,
    created: Timestamp,
    pub(super) parts: Vec<CachePart>,
}

/// The files of a cache below one directory of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CachePart {
    /// The directory.
    pub(crate) dir: CacheDir,
    /// What is to be unpacked there.
    pub(crate) tree: TreeRef,
}

/// A directory that means the same in every session: `.` for the working directory, `~` for the home,
/// else absolute and without `..`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct CacheDir(String);

impl CacheDir {
    /// The directory as a session understands it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CacheDir {
    type Error = String;

    fn try_from(dir: String) -> Result<Self, String> {
        let is_plain = dir.starts_with('/') && dir.split('/').all(|part| part != "..");
        if matches!(&*dir, "." | "~") || (is_plain && !dir.contains('\0')) {
            return Ok(Self(dir));
        }
        Err(format!(
            "the directory `{dir}` was refused: it is neither `.`, `~` nor absolute without `..`"
        ))
    }
}

/// What became of a cache that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// It is there now.
    Saved,
    /// Somebody was faster; theirs stays.
    Existed,
    /// Its files were removed before it had its key, because somebody made room.
    Lost,
}

/// A cache that was found, open to be read.
pub(crate) struct CacheHit {
    pub(crate) info: CacheInfo,
    /// The address of its first part, which stands for the whole.
    pub(crate) digest: Option<String>,
    pub(crate) parts: Vec<HitPart>,
}

/// A part of a cache that was found.
pub(crate) struct HitPart {
    /// The directory of the session.
    pub(crate) dir: CacheDir,
    /// What to unpack there.
    pub(crate) reader: TreeReader,
    /// What to link there.
    pub(crate) links: Vec<OutsideLink>,
}

impl std::fmt::Debug for CacheHit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CacheHit").field(&self.info).finish()
    }
}

/// A cache that cannot be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DamagedCache {
    /// Its key; the name of its index entry where that cannot be read.
    pub(crate) key: String,
    /// Why its index entry was refused, if it was.
    pub(crate) refused: Option<String>,
}

/// The end of a search.
#[derive(Debug, Default)]
pub(crate) struct CacheSearch {
    pub(crate) hit: Option<CacheHit>,
    /// Caches that were damaged and are removed, each with what was wrong.
    pub(crate) damaged: Vec<DamagedCache>,
}

impl CacheRecord {
    fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.tree.object.bytes).sum()
    }

    fn digests(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .map(|part| part.tree.object.digest.as_str())
    }

    fn is_called(&self, key: &str) -> bool {
        self.key == key || self.shown() == key
    }

    fn shown(&self) -> &str {
        self.shown.as_deref().unwrap_or(&self.key)
    }

    fn info(&self, last_used: Timestamp) -> CacheInfo {
        CacheInfo {
            key: self.shown().to_owned(),
            scope: self.scope.clone(),
            bytes: self.bytes(),
            created: self.created,
            last_used,
        }
    }
}

impl Storage {
    /// Every cache of every project, the one used last first.
    pub fn caches(&self) -> Result<Vec<CacheInfo>, StorageError> {
        let records = self.cache_records()?;
        let mut infos: Vec<_> = records
            .iter()
            .map(|(path, record)| record.info(last_used(path)))
            .collect();
        infos.sort_by(|a, b| (b.last_used, &a.key).cmp(&(a.last_used, &b.key)));
        Ok(infos)
    }

    /// Whether there is a cache of this key, or one that is shown with it.
    pub fn knows_cache(&self, key: &str) -> Result<bool, StorageError> {
        let records = self.cache_records()?;
        Ok(records.iter().any(|(_, record)| record.is_called(key)))
    }

    /// Removes the caches of exactly this key, or shown with it, in `scope` or in every project, and
    /// gives what was removed.
    pub fn remove_cache(
        &self,
        scope: Option<&str>,
        key: &str,
    ) -> Result<Vec<CacheInfo>, StorageError> {
        let _guard = self.lock()?;
        let mut removed = Vec::new();
        let mut digests = Vec::new();
        for (path, record) in self.cache_records()? {
            if record.is_called(key) && scope.is_none_or(|scope| scope == record.scope) {
                removed.push(record.info(last_used(&path)));
                digests.extend(record.digests().map(str::to_owned));
                remove(&path)?;
            }
        }
        self.release(&digests)?;
        Ok(removed)
    }

    /// Whether there is a whole cache of exactly this key.
    pub(crate) fn has_cache(&self, scope: &str, key: &str) -> Result<bool, StorageError> {
        let record = read_record(&self.cache_path(scope, key))?;
        Ok(record.is_some_and(|record| self.is_whole(&record)))
    }

    /// Gives stored trees a key, unless a whole cache has it already, and makes room. Lists show the
    /// cache as `shown`, which is the key without its secrets.
    pub(crate) fn publish_cache(
        &self,
        scope: &str,
        key: &str,
        shown: &str,
        parts: Vec<CachePart>,
    ) -> Result<Published, StorageError> {
        let mut record = CacheRecord {
            key: key.to_owned(),
            shown: None,
            scope: scope.to_owned(),
            created: now(),
            parts,
        };
        let path = self.cache_path(scope, key);
        let _guard = self.lock()?;
        if let Some(limit) = self.limit().filter(|limit| record.bytes() > *limit) {
            let digests: Vec<String> = record.digests().map(str::to_owned).collect();
            self.release(&digests)?;
            let words = format!(
                "the cache `{shown}` takes {} bytes, all caches together may take {limit}",
                record.bytes()
            );
            return Err(StorageError::new(StorageErrorKind::Full, words)
                .with_hint("cache fewer files, or raise the limit"));
        }
        if let Some(theirs) = read_record(&path)?.filter(|theirs| self.is_whole(theirs)) {
            let ours = record
                .digests()
                .filter(|ours| theirs.digests().all(|one| one != *ours));
            let ours: Vec<String> = ours.map(str::to_owned).collect();
            self.release(&ours)?;
            return Ok(Published::Existed);
        }
        if !self.is_whole(&record) {
            return Ok(Published::Lost);
        }
        if shown != key {
            let others = self.cache_records()?;
            let others = others.iter().filter(|(other, _)| *other != path);
            let taken: HashSet<&str> = others.map(|(_, other)| other.shown()).collect();
            record.shown = Some(numbered(shown, "", |name| !taken.contains(name)));
        }
        write_json(&self.temp(), &path, &record)?;
        // By the clock that counts uses, and not by that of a file server.
        touch(&path, SystemTime::now())?;
        self.evict()?;
        Ok(Published::Saved)
    }

    /// Finds the cache that wins for `keys`, which are tried in order.
    pub(crate) fn find_cache(
        &self,
        scope: &str,
        keys: &[String],
        lookup: CacheLookup,
    ) -> Result<CacheSearch, StorageError> {
        let mut search = CacheSearch::default();
        for key in keys.iter().filter(|key| !key.is_empty()) {
            let candidates = self.candidates(scope, key, lookup, &mut search.damaged)?;
            for (path, record) in candidates {
                match self.open_cache(&path, &record) {
                    Ok(hit) => {
                        search.hit = Some(hit);
                        return Ok(search);
                    }
                    // Removed since it was listed: as if it had not been there.
                    Err(error) if error.kind() == StorageErrorKind::NotFound => {
                        self.forget_broken(&path)?;
                    }
                    Err(error) if error.kind() == StorageErrorKind::Damaged => {
                        self.forget_broken(&path)?;
                        let (key, refused) = (record.shown().to_owned(), None);
                        search.damaged.push(DamagedCache { key, refused });
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(search)
    }

    /// The caches that match `key`, best first.
    fn candidates(
        &self,
        scope: &str,
        key: &str,
        lookup: CacheLookup,
        damaged: &mut Vec<DamagedCache>,
    ) -> Result<Vec<(PathBuf, CacheRecord)>, StorageError> {
        let unreadable = |path: &Path, error: &StorageError| {
            damaged.push(DamagedCache::of(path, error));
            self.forget_broken(path)
        };
        if lookup == CacheLookup::ExactOnly {
            return read_records([self.cache_path(scope, key)], unreadable);
        }
        let mut found = read_records(list(&self.root().join("caches"))?, unreadable)?;
        found.retain(|(_, record)| record.scope == scope && record.key.starts_with(key));
        found.sort_by_key(|(_, record)| {
            let exact = lookup == CacheLookup::ExactFirst && record.key == key;
            std::cmp::Reverse((exact, record.created, record.key.clone()))
        });
        Ok(found)
    }

    fn open_cache(&self, path: &Path, record: &CacheRecord) -> Result<CacheHit, StorageError> {
        // First marked as used, then opened: who evicts takes others.
        touch(path, SystemTime::now())?;
        let parts = record
            .parts
            .iter()
            .map(|part| {
                Ok(HitPart {
                    dir: part.dir.clone(),
                    reader: self.open_tree(&part.tree)?,
                    links: part.tree.links.clone(),
                })
            })
            .collect::<Result<_, StorageError>>()?;
        Ok(CacheHit {
            info: record.info(now()),
            digest: record.digests().next().map(str::to_owned),
            parts,
        })
    }

    /// Removes the index entry of a cache that could not be opened, unless another process has
    /// published a whole one in its place meanwhile.
    pub(super) fn forget_broken(&self, path: &Path) -> Result<(), StorageError> {
        let _guard = self.lock()?;
        match read_json::<CacheRecord>(path) {
            Ok(Some(record)) if self.is_whole(&record) => Ok(()),
            Err(error) if error.kind() != StorageErrorKind::Damaged => Err(error),
            _ => remove(path),
        }
    }

    /// Removes the caches unused for longest until the rest is within the limit. The lock is held.
    fn evict(&self) -> Result<(), StorageError> {
        let Some(limit) = self.limit() else {
            return Ok(());
        };
        let mut records = self.cache_records()?;
        let mut total: u64 = records.iter().map(|(_, record)| record.bytes()).sum();
        records.sort_by_cached_key(|(path, _)| modified(path));
        let mut digests = Vec::new();
        for (path, record) in records {
            if total <= limit {
                break;
            }
            remove(&path)?;
            total = total.saturating_sub(record.bytes());
            digests.extend(record.digests().map(str::to_owned));
        }
        self.release(&digests)
    }

    pub(super) fn cache_records(&self) -> Result<Vec<(PathBuf, CacheRecord)>, StorageError> {
        read_records(list(&self.root().join("caches"))?, |_, _| Ok(()))
    }

    fn is_whole(&self, record: &CacheRecord) -> bool {
        let there = |part: &CachePart| self.has_object(&part.tree.object);
        record.parts.iter().all(there)
    }

    pub(super) fn cache_path(&self, scope: &str, key: &str) -> PathBuf {
        let hash = blake3::hash(format!("{scope}\0{key}").as_bytes()).to_hex();
        self.root().join("caches").join(format!("{hash}.json"))
    }
}

/// Reads an index entry; one that cannot be read is a cache that is not there, until somebody who looks
/// for it removes it.
fn read_record(path: &Path) -> Result<Option<CacheRecord>, StorageError> {
    let mut records = read_records([path.to_owned()], |_, _| Ok(()))?;
    Ok(records.pop().map(|(_, record)| record))
}

/// Reads index entries, and tells of those that cannot be read.
fn read_records(
    paths: impl IntoIterator<Item = PathBuf>,
    mut unreadable: impl FnMut(&Path, &StorageError) -> Result<(), StorageError>,
) -> Result<Vec<(PathBuf, CacheRecord)>, StorageError> {
    let mut records = Vec::new();
    for path in paths {
        match read_json(&path) {
            Ok(record) => records.extend(record.map(|record| (path, record))),
            Err(error) if error.kind() == StorageErrorKind::Damaged => {
                unreadable(&path, &error)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(records)
}

impl DamagedCache {
    /// The cache behind an index entry that is there and cannot be read.
    fn of(path: &Path, error: &StorageError) -> Self {
        #[derive(Deserialize)]
        struct Named {
            key: String,
            shown: Option<String>,
        }
        let named: Option<Named> = read_json(path).ok().flatten();
        let name = || path.file_name().unwrap_or_default().to_string_lossy();
        Self {
            key: named.map_or_else(
                || name().into_owned(),
                |named| named.shown.unwrap_or(named.key),
            ),
            refused: std::error::Error::source(error).map(ToString::to_string),
        }
    }
}

/// Sets when a cache was last used.
pub(super) fn touch(path: &Path, time: SystemTime) -> Result<(), StorageError> {
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_modified(time))
        .map_err(|error| StorageError::io("mark as used", path, error))
}

fn modified(path: &Path) -> SystemTime {
    path.metadata()
        .and_then(|found| found.modified())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn last_used(path: &Path) -> Timestamp {
    timestamp(modified(path))
}

/// The moment by the machine's own clock: what processes share, no run's clock can tell.
fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
