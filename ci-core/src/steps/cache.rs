//! The steps that save a cache and bring one back.

use std::sync::Arc;

use async_trait::async_trait;

use super::checksum::key;
use super::files::places;
use super::transfer::{base, blocking, copy_in, copy_out, ended, size, storage, warn};
use crate::event::StoredKind;
use crate::outcome::Outcome;
use crate::step::{RestoreCacheSpec, SaveCacheSpec, Step, StepContext, StepError, StepRecord};
use crate::storage::{CacheDir, CachePart, Published, Storage};

/// Saves files under a key, unless there is a cache of that key already.
#[derive(Debug, Clone)]
pub struct SaveCache(pub SaveCacheSpec);

/// Brings back the cache that wins for a list of keys. That there is none is no failure.
#[derive(Debug, Clone)]
pub struct RestoreCache(pub RestoreCacheSpec);

#[async_trait]
impl Step for SaveCache {
    fn name(&self) -> &'static str {
        "save cache"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let result = self.save(cx).await;
        ended(cx, result)
    }
}

impl SaveCache {
    async fn save(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let storage = storage(cx)?;
        let key: Arc<str> = match key(cx, &self.0.key).await? {
            Ok(key) => key.into(),
            Err(problem) => return Ok(Outcome::failed(problem)),
        };
        let scope = scope(cx);
        let exists = {
            let (storage, scope, key) = (Arc::clone(&storage), scope.clone(), Arc::clone(&key));
            move || storage.has_cache(&scope, &key)
        };
        if blocking("look for the cache", exists).await? {
            cx.say(format!(
                "the cache `{key}` exists already and is left as it is"
            ))
            .await;
            return Ok(Outcome::Success);
        }
        let parts = match self.collect(cx, &storage).await? {
            Ok(parts) => parts,
            Err(problem) => return Ok(Outcome::failed(problem)),
        };
        if parts.is_empty() {
            let words = format!("the cache `{key}` was not saved: there are no files to save");
            warn(cx, words).await;
            return Ok(Outcome::Success);
        }
        publish(cx, storage, scope, key, parts).await?;
        Ok(Outcome::Success)
    }

    /// Stores the files of every place that has some.
    async fn collect(
        &self,
        cx: &StepContext,
        storage: &Arc<Storage>,
    ) -> Result<Result<Vec<CachePart>, String>, StepError> {
        let places = match places(&base(cx).await?, &self.0.paths, &[]) {
            Ok(places) => places,
            Err(problem) => return Ok(Err(problem.to_string())),
        };
        let mut parts = Vec::new();
        for mut place in places {
            if let Some(reader) = copy_out(cx, &place).await? {
                let storage = Arc::clone(storage);
                let (seen, tree);
                (place, seen, tree) = blocking("save the cache", move || {
                    let mut seen = false;
                    let tree = storage.store_tree(reader, |path| {
                        seen = true;
                        place.saw(path);
                    })?;
                    Ok((place, seen, tree))
                })
                .await?;
                if seen {
                    let dir = CacheDir::try_from(place.dir.clone()).map_err(StepError::new)?;
                    parts.push(CachePart { dir, tree });
                }
            }
            for path in place.unmatched() {
                warn(cx, format!("there is no `{path}` to cache")).await;
            }
        }
        Ok(Ok(parts))
    }
}

async fn publish(
    cx: &StepContext,
    storage: Arc<Storage>,
    scope: String,
    key: Arc<str>,
    parts: Vec<CachePart>,
) -> Result<(), StepError> {
    let bytes = parts.iter().map(|part| part.tree.object.bytes).sum();
    let digest = parts.first().map(|part| part.tree.object.digest.clone());
    let published = {
        let (key, shown) = (Arc::clone(&key), cx.mask(&key));
        blocking("save the cache", move || {
            storage.publish_cache(&scope, &key, &shown, parts)
        })
        .await?
    };
    match published {
        Published::Saved => {
            cx.say(format!("saved the cache `{key}` ({})", size(bytes)))
                .await;
            cx.record(StepRecord::Stored {
                kind: StoredKind::CacheSaved,
                name: key.to_string(),
                bytes,
                digest,
            });
        }
        Published::Existed => {
            let words = format!("the cache `{key}` was saved by somebody else meanwhile");
            cx.say(words).await;
        }
        Published::Lost => {
            let words = format!(
                "the cache `{key}` was not saved: its files were removed to make room for others"
            );
            warn(cx, words).await;
        }
    }
    Ok(())
}

#[async_trait]
impl Step for RestoreCache {
    fn name(&self) -> &'static str {
        "restore cache"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let result = self.restore(cx).await;
        ended(cx, result)
    }
}

impl RestoreCache {
    async fn restore(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let storage = storage(cx)?;
        let mut keys = Vec::new();
        for template in &self.0.keys {
            match key(cx, template).await? {
                Ok(key) => keys.push(key),
                Err(problem) => return Ok(Outcome::failed(problem)),
            }
        }
        let search = {
            let (keys, lookup, scope) = (keys.clone(), self.0.lookup, scope(cx));
            blocking("look for a cache", move || {
                storage.find_cache(&scope, &keys, lookup)
            })
            .await?
        };
        for damaged in search.damaged {
            let why = damaged.refused.map(|why| format!(": {why}"));
            let (key, why) = (damaged.key, why.unwrap_or_default());
            warn(
                cx,
                format!("the cache `{key}` was damaged and is removed{why}"),
            )
            .await;
        }
        let Some(hit) = search.hit else {
            cx.say("no cache was found; the keys tried, in this order:")
                .await;
            for key in &keys {
                cx.say(format!("  {key}")).await;
            }
            cx.record(StepRecord::Stored {
                kind: StoredKind::CacheMissed,
                name: keys.join(", "),
                bytes: 0,
                digest: None,
            });
            return Ok(Outcome::Success);
        };
        for part in hit.parts {
            copy_in(cx, part.reader, part.dir.as_str(), &part.links).await?;
        }
        let (key, bytes) = (hit.info.key, hit.info.bytes);
        cx.say(format!("brought back the cache `{key}` ({})", size(bytes)))
            .await;
        cx.record(StepRecord::Stored {
            kind: StoredKind::CacheRestored,
            name: key,
            bytes,
            digest: hit.digest,
        });
        Ok(Outcome::Success)
    }
}

/// The project that caches belong to: the repository of the run.
fn scope(cx: &StepContext) -> String {
    let Some(path) = &cx.facts().repository else {
        return String::new();
    };
    let path = path.canonicalize().unwrap_or_else(|_| path.clone());
    path.to_string_lossy().into_owned()
}
