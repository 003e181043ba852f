//! Hashes of files in a session, and cache keys made with them.

use std::collections::BTreeMap;

use super::files::places;
use super::transfer::{base, blocking, copy_out};
use crate::archive::{ArchiveError, EntryKind, Limits, read_entries};
use crate::session::TreeReader;
use crate::step::{StepContext, StepError};
use crate::storage::{KeyError, KeyLookup, KeyTemplate, KeyValue, StorageError, slashed};

/// How many symbolic links one after the other lead to a file, at most.
const HOPS: usize = 8;

/// The key of a template; the inner error is the user's mistake.
pub(super) async fn key(
    cx: &StepContext,
    template: &str,
) -> Result<Result<String, String>, StepError> {
    let template: KeyTemplate = match template.parse() {
        Ok(template) => template,
        Err(error) => return Ok(Err(KeyError::to_string(&error))),
    };
    let mut checksums = BTreeMap::new();
    for files in template.checksums() {
        match checksum(cx, files).await? {
            Ok(Some(hash)) => drop(checksums.insert(files.to_vec(), hash)),
            Ok(None) => {}
            Err(problem) => return Ok(Err(problem)),
        }
    }
    let session = cx.session().await?;
    let facts = Facts {
        cx,
        checksums,
        arch: session.info().arch.clone(),
        os: session.info().os.clone(),
    };
    Ok(match template.fill(&facts) {
        Ok(key) if key.trim().is_empty() => {
            Err(format!("the key template `{template}` gives an empty key"))
        }
        Ok(key) => Ok(key),
        Err(error) => Err(error.to_string()),
    })
}

struct Facts<'a> {
    cx: &'a StepContext,
    checksums: BTreeMap<Vec<String>, String>,
    arch: String,
    os: String,
}

impl KeyLookup for Facts<'_> {
    fn value(&self, value: &KeyValue) -> String {
        let facts = self.cx.facts();
        match value {
            KeyValue::Branch => facts.branch.clone().unwrap_or_default(),
            KeyValue::Tag => facts.tag.clone().unwrap_or_default(),
            KeyValue::Revision => facts.revision.clone().unwrap_or_default(),
            KeyValue::Environment(name) => self.cx.env().get(name).cloned().unwrap_or_default(),
            KeyValue::Arch => self.arch.clone(),
            KeyValue::Os => self.os.clone(),
            KeyValue::Epoch => (self.cx.clock().wall().as_millis() / 1000).to_string(),
        }
    }

    fn checksum(&self, files: &[String]) -> Option<String> {
        self.checksums.get(files).cloned()
    }
}

/// What files hold, by their path; and the links among them.
#[derive(Debug, Default)]
struct Contents {
    files: BTreeMap<String, blake3::Hash>,
    links: Vec<(String, String)>,
    /// The paths as written of which nothing was found.
    missing: Vec<String>,
}

/// A hash over the files that paths and globs name: their names below their directory and their
/// contents. `None` if one of the paths names nothing. Symbolic links count as what they lead to.
async fn checksum(
    cx: &StepContext,
    paths: &[String],
) -> Result<Result<Option<String>, String>, StepError> {
    let mut all = BTreeMap::new();
    let mut wanted = paths.to_vec();
    for _ in 0..HOPS {
        if wanted.is_empty() {
            break;
        }
        let contents = match contents(cx, &wanted).await? {
            Ok(contents) => contents,
            Err(problem) => return Ok(Err(problem.to_string())),
        };
        if !contents.missing.is_empty() {
            return Ok(Ok(None));
        }
        all.extend(contents.files);
        wanted = contents
            .links
            .into_iter()
            .map(|(_, target)| target)
            .collect();
    }
    if all.is_empty() || !wanted.is_empty() {
        return Ok(Ok(None));
    }
    let mut hasher = blake3::Hasher::new();
    for (path, hash) in all {
        hasher.update(&path.len().to_le_bytes());
        hasher.update(path.as_bytes());
        hasher.update(hash.as_bytes());
    }
    Ok(Ok(Some(hasher.finalize().to_hex().to_string())))
}

async fn contents(
    cx: &StepContext,
    paths: &[String],
) -> Result<Result<Contents, ArchiveError>, StepError> {
    let base = base(cx).await?;
    let places = match places(&base, paths, &[]) {
        Ok(places) => places,
        Err(error) => return Ok(Err(error)),
    };
    let mut all = Contents::default();
    for mut place in places {
        let Some(reader) = copy_out(cx, &place).await? else {
            all.missing.extend(place.unmatched().map(str::to_owned));
            continue;
        };
        let (place, found) = blocking("read the files of a checksum", move || {
            let found = read(reader, |path| place.saw(path))?;
            Ok((place, found))
        })
        .await?;
        let dir = &place.dir;
        let named = |path: String| format!("{dir}/{path}");
        all.files.extend(
            found
                .files
                .into_iter()
                .map(|(path, hash)| (named(path), hash)),
        );
        // A link leads on from the directory that it stands in.
        all.links
            .extend(found.links.into_iter().map(|(path, target)| {
                let above = path.rsplit_once('/').map_or("", |(above, _)| above);
                let target = if target.starts_with('/') {
                    target
                } else {
                    base.absolute(&format!("{}/{above}/{target}", base.spelled(dir)))
                };
                (path, target)
            }));
        all.missing.extend(place.unmatched().map(str::to_owned));
    }
    Ok(Ok(all))
}

fn read(
    reader: TreeReader,
    mut saw: impl FnMut(&crate::archive::EntryPath),
) -> Result<Contents, StorageError> {
    let mut contents = Contents::default();
    read_entries(reader, &Limits::default(), |entry| {
        saw(&entry.path);
        let path = slashed(&entry.path);
        match &entry.kind {
            EntryKind::File => {
                let mut hasher = blake3::Hasher::new();
                hasher
                    .update_reader(&mut *entry.content)
                    .map_err(|error| ArchiveError::io("read", &path, error))?;
                contents.files.insert(path, hasher.finalize());
            }
            EntryKind::HardLink(original) => {
                if let Some(hash) = contents.files.get(&slashed(original)).copied() {
                    contents.files.insert(path, hash);
                }
            }
            EntryKind::Symlink(target) => {
                let target = target.to_string_lossy().into_owned();
                contents.links.push((path, target));
            }
            EntryKind::Directory => {}
        }
        Ok(())
    })?;
    Ok(contents)
}
