//! Caches, workspaces and artifacts, with several writers, damage and too little room.

mod cache;
mod objects;
mod run;

use std::fs;
use std::sync::Arc;

use super::cache::{CachePart, Published};
use super::workspace::LayerSource;
use super::{ArtifactKind, ArtifactSource, Storage};
use crate::archive::raw::{archive, file};
use crate::archive::{EntryPath, Limits, unpack};
use crate::id::RunId;
use crate::step::CacheLookup;

fn storage() -> (tempfile::TempDir, Storage) {
    let temp = tempfile::tempdir().unwrap();
    let storage = Storage::open(temp.path().join("storage")).unwrap();
    (temp, storage)
}

fn part(storage: &Storage, content: &str) -> CachePart {
    let bytes = archive(&[file("a", content), file("b", content)]);
    let tree = storage.store_tree(&*bytes, |_| {}).unwrap();
    CachePart {
        dir: ".".to_owned().try_into().unwrap(),
        tree,
    }
}

fn save(storage: &Storage, key: &str, content: &str) -> Published {
    let part = part(storage, content);
    let published = storage.publish_cache("project", key, key, vec![part]);
    published.unwrap()
}

/// The content of the cache that wins for `key`.
fn find(storage: &Storage, keys: &[&str], lookup: CacheLookup) -> Option<(String, String)> {
    let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
    let search = storage.find_cache("project", &keys, lookup).unwrap();
    let hit = search.hit?;
    let temp = tempfile::tempdir().unwrap();
    for part in hit.parts {
        unpack(part.reader, temp.path(), &Limits::default()).unwrap();
    }
    let read = |name: &str| fs::read_to_string(temp.path().join(name)).unwrap();
    assert_eq!(read("a"), read("b"), "a cache of two writers");
    Some((hit.info.key, read("a")))
}

fn objects(storage: &Storage) -> usize {
    let shards = fs::read_dir(storage.root().join("objects")).unwrap();
    shards
        .map(|shard| fs::read_dir(shard.unwrap().path()).unwrap().count())
        .sum()
}

fn temporary(storage: &Storage) -> usize {
    fs::read_dir(storage.root().join("tmp")).unwrap().count()
}

fn source(run: RunId, job: &str, upstream: &[&str]) -> LayerSource {
    LayerSource {
        run,
        job: job.into(),
        attempt: 1,
        step: 0,
        upstream: upstream.iter().map(|&job| job.into()).collect(),
    }
}

fn keep(storage: &Storage, run: RunId, attempt: u32, files: &[Vec<u8>]) -> Vec<String> {
    let source = ArtifactSource {
        run,
        job: "job".into(),
        attempt,
        kind: ArtifactKind::Artifact,
    };
    let bytes = archive(files);
    let mut place = |path: &EntryPath| format!("out/{path}");
    let kept = storage
        .keep_artifacts(&source, &*bytes, &mut place)
        .unwrap();
    storage.list_artifacts(&source, kept.files).unwrap();
    kept.left_out
}
