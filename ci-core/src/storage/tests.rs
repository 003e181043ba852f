//! Caches, workspaces and artifacts, with several writers, damage and too little room.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::cache::{CachePart, Published, touch};
use super::tree::TreeRef;
use super::workspace::{Conflict, LayerSource};
use super::*;
use crate::archive::raw::{archive, file, member, symlink};
use crate::archive::{Limits, unpack};
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
        dir: ".".to_owned(),
        tree,
    }
}

fn save(storage: &Storage, key: &str, content: &str) -> Published {
    let part = part(storage, content);
    storage.publish_cache("project", key, vec![part]).unwrap()
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

/// Makes a cache look as if it was saved and used `minutes` ago.
fn age(storage: &Storage, key: &str, minutes: u64) {
    let path = storage.cache_path("project", key);
    let time = SystemTime::now() - Duration::from_mins(minutes);
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let created = record["created"].as_u64().unwrap() - minutes * 60_000;
    record["created"] = created.into();
    fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
    touch(&path, time).unwrap();
}

#[test]
fn the_policy_decides_which_cache_wins() {
    use CacheLookup::{ExactFirst, ExactOnly, NewestByPrefix};
    let (_temp, storage) = storage();
    for (key, minutes) in [
        ("v1-main", 30),
        ("v1-main-a", 20),
        ("v1-main-b", 10),
        ("v2", 40),
    ] {
        assert_eq!(save(&storage, key, key), Published::Saved);
        age(&storage, key, minutes);
    }
    for (keys, lookup, winner) in [
        (&["v1-main"][..], ExactFirst, Some("v1-main")),
        (&["v1-main"], NewestByPrefix, Some("v1-main-b")),
        (&["v1-main"], ExactOnly, Some("v1-main")),
        (&["v1-"], ExactFirst, Some("v1-main-b")),
        (&["v1-"], ExactOnly, None),
        (&["none", "v2"], ExactFirst, Some("v2")),
        (&["v2", "v1-"], NewestByPrefix, Some("v2")),
        (&[""], ExactFirst, None),
        (&["v3"], ExactFirst, None),
    ] {
        let found = find(&storage, keys, lookup);
        assert_eq!(found.map(|(key, _)| key).as_deref(), winner, "{keys:?}");
    }
    let other = storage.find_cache("other", &["v1-".to_owned()], ExactFirst);
    assert!(other.unwrap().hit.is_none(), "caches of two projects met");
}

#[test]
fn a_key_is_written_once() {
    let (_temp, storage) = storage();
    assert_eq!(save(&storage, "k", "first"), Published::Saved);
    assert_eq!(save(&storage, "k", "second"), Published::Existed);
    let found = find(&storage, &["k"], CacheLookup::ExactOnly).unwrap();
    assert_eq!(found.1, "first");
    assert_eq!(objects(&storage), 1, "the second writer's files stayed");
    let removed = storage.remove_cache(None, "k").unwrap();
    assert_eq!(removed.len(), 1);
    assert_eq!((objects(&storage), storage.caches().unwrap().len()), (0, 0));
}

#[test]
fn many_threads_write_one_key_and_one_wins() {
    let (_temp, storage) = storage();
    let saved: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|n| {
                let storage = &storage;
                scope.spawn(move || save(storage, "k", &format!("writer {n}").repeat(5000)))
            })
            .collect();
        let ends = writers.into_iter().map(|writer| writer.join().unwrap());
        ends.filter(|end| *end == Published::Saved).count()
    });
    assert_eq!(saved, 1);
    assert!(find(&storage, &["k"], CacheLookup::ExactOnly).is_some());
    assert_eq!((objects(&storage), temporary(&storage)), (1, 0));
}

const KEYS: usize = 30;

/// Not a test by itself: what the processes of the next test do.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn a_process_that_writes() {
    let storage = Storage::open(std::env::var("CI_CORE_TEST_STORAGE").unwrap()).unwrap();
    let name = std::env::var("CI_CORE_TEST_WRITER").unwrap();
    for key in 0..KEYS {
        save(&storage, &format!("key {key}"), &name.repeat(20_000));
    }
}

fn writer(storage: &Storage, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "storage::tests::a_process_that_writes",
        ])
        .env("CI_CORE_TEST_STORAGE", storage.root())
        .env("CI_CORE_TEST_WRITER", name)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn many_processes_write_the_same_keys_and_one_is_killed() {
    let (_temp, storage) = storage();
    let mut victim = writer(&storage, "victim");
    let deadline = Instant::now() + Duration::from_mins(1);
    while storage.caches().unwrap().is_empty() {
        assert!(Instant::now() < deadline, "nothing was ever saved");
        std::thread::yield_now();
    }
    let mut others: Vec<Child> = (0..3).map(|n| writer(&storage, &format!("{n}"))).collect();
    victim.kill().unwrap();
    victim.wait().unwrap();
    for other in &mut others {
        assert!(other.wait().unwrap().success());
    }
    for key in 0..KEYS {
        let key = format!("key {key}");
        assert!(
            find(&storage, &[&key], CacheLookup::ExactOnly).is_some(),
            "{key}"
        );
    }
    // What the killed writer left is nobody's, and goes.
    let storage = storage.grace(Duration::ZERO);
    storage.gc().unwrap();
    assert_eq!(temporary(&storage), 0);
    let contents = KEYS.min(4);
    assert!(
        objects(&storage) <= contents,
        "each writer writes one content"
    );
    assert!(find(&storage, &["key 0"], CacheLookup::ExactOnly).is_some());
}

#[test]
fn what_was_unused_for_longest_makes_room() {
    let (_temp, storage) = storage();
    let noise = |seed: u8| -> String {
        let bytes = blake3::hash(&[seed]);
        let mut reader = blake3::Hasher::new_keyed(bytes.as_bytes()).finalize_xof();
        let mut noise = vec![0; 3000];
        reader.fill(&mut noise);
        noise
            .iter()
            .map(|byte| char::from(b'a' + byte % 26))
            .collect()
    };
    for (n, key) in ["a", "b", "c"].iter().enumerate() {
        save(&storage, key, &noise(u8::try_from(n).unwrap()));
        age(&storage, key, 10 - n as u64);
    }
    let each = storage.caches().unwrap()[0].bytes;
    let storage = storage.cache_limit(each * 3 + each / 2);
    // `a` is the oldest, but somebody needs it.
    assert!(find(&storage, &["a"], CacheLookup::ExactOnly).is_some());
    let used = SystemTime::now() - Duration::from_secs(1);
    touch(&storage.cache_path("project", "a"), used).unwrap();
    let run = RunId::new();
    let held = archive(&[file("a", &noise(1)), file("b", &noise(1))]);
    let layer = storage
        .persist_layer(&source(run, "job", &[]), &*held, |_| {})
        .unwrap();
    save(&storage, "d", &noise(9));
    let left: Vec<String> = storage
        .caches()
        .unwrap()
        .into_iter()
        .map(|one| one.key)
        .collect();
    assert_eq!(left, ["d", "a", "c"]);
    assert!(
        storage.open_layer(&layer).is_ok(),
        "the run lost its workspace to a cache"
    );
    assert_eq!(objects(&storage), 4);
    let small = storage.cache_limit(10);
    let part = part(&small, "more than ten bytes");
    let error = small.publish_cache("project", "e", vec![part]).unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Full);
    assert!(!error.hints().is_empty());
}

#[test]
fn a_damaged_cache_is_a_miss_and_goes() {
    let (_temp, storage) = storage();
    save(&storage, "old", "old");
    age(&storage, "old", 5);
    save(&storage, "old-new", "new");
    let part = part(&storage, "new");
    let path = storage.object_path(&part.tree.object.digest).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let keys = ["old".to_owned()];
    let search = storage
        .find_cache("project", &keys, CacheLookup::NewestByPrefix)
        .unwrap();
    assert_eq!(search.damaged, ["old-new"]);
    assert_eq!(
        search.hit.unwrap().info.key,
        "old",
        "the next best was not taken"
    );
    assert!(!path.exists());
    assert_eq!(storage.caches().unwrap().len(), 1);
    fs::write(storage.cache_path("project", "old"), "no json").unwrap();
    assert!(find(&storage, &["old"], CacheLookup::ExactFirst).is_none());
}

#[test]
fn a_bomb_ends_where_its_record_says() {
    let (temp, storage) = storage();
    let mut object = storage.new_object().unwrap();
    let mut encoder = zstd::stream::write::Encoder::new(&mut object, 19).unwrap();
    let bytes = archive(&[member("zeros", b'0', "", &vec![0; 64 << 20])]);
    std::io::copy(&mut &*bytes, &mut encoder).unwrap();
    encoder.finish().unwrap();
    let object = storage.keep(object).unwrap();
    assert!(object.bytes < 100_000, "that is no bomb");
    let tree = TreeRef {
        object,
        archive: 4096,
        links: Vec::new(),
    };
    let reader = storage.open_tree(&tree).unwrap();
    let error = unpack(reader, &temp.path().join("out"), &Limits::default()).unwrap_err();
    assert_eq!(error.entry(), Some("zeros"), "{error}");
    let whole = TreeRef {
        archive: u64::MAX,
        ..tree
    };
    let reader = storage.open_tree(&whole).unwrap();
    let limits = Limits::default().bytes(1 << 20);
    let error = unpack(reader, &temp.path().join("out"), &limits).unwrap_err();
    assert_eq!(error.kind(), crate::archive::ArchiveErrorKind::TooLarge);
    assert_eq!(error.entry(), Some("zeros"), "{error}");
}

#[test]
fn links_that_leave_are_kept_beside_the_archive() {
    let (temp, storage) = storage();
    let long = "x/".repeat(80);
    let members = [
        file("a", "some bytes"),
        symlink("out", "/usr/bin/python3"),
        member(
            "p",
            b'x',
            "",
            format!("{} linkpath=../{long}\n", 17 + long.len()).as_bytes(),
        ),
        symlink("d/up", "short"),
        symlink("in", "a"),
        file("b", "more"),
        symlink("z", ".."),
    ];
    let bytes = archive(&members);
    let mut seen = 0;
    let tree = storage.store_tree(&*bytes, |_| seen += 1).unwrap();
    assert_eq!(seen, 6);
    let links: Vec<_> = tree
        .links
        .iter()
        .map(|link| (&*link.path, &*link.target))
        .collect();
    assert_eq!(links, [("out", "/usr/bin/python3"), ("z", "..")]);
    let out = temp.path().join("out");
    let reader = storage.open_tree(&tree).unwrap();
    assert_eq!(unpack(reader, &out, &Limits::default()).unwrap().entries, 4);
    assert_eq!(fs::read_to_string(out.join("b")).unwrap(), "more");
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

fn names(jobs: &[&str]) -> Vec<Arc<str>> {
    jobs.iter().map(|&job| job.into()).collect()
}

#[test]
fn jobs_that_do_not_know_each_other_and_disagree_are_a_conflict() {
    let (_temp, storage) = storage();
    let run = RunId::new();
    let add = |job: &str, upstream: &[&str], files: &[Vec<u8>]| {
        let bytes = archive(files);
        let source = source(run, job, upstream);
        storage.persist_layer(&source, &*bytes, |_| {}).unwrap();
    };
    add(
        "base",
        &[],
        &[file("shared", "1"), file("d/x", "1"), symlink("l", "x")],
    );
    add(
        "left",
        &["base"],
        &[file("shared", "2"), file("d/x", "left"), file("same", "s")],
    );
    add(
        "right",
        &["base"],
        &[file("d/x", "right"), file("same", "s"), symlink("l", "y")],
    );
    let order = ["base", "left", "silent", "right"];
    let workspace = storage.workspace(run, &names(&order)).unwrap();
    let jobs: Vec<_> = workspace
        .layers
        .iter()
        .map(|(job, _)| job.as_str())
        .collect();
    assert_eq!(jobs, ["base", "left", "right"]);
    let expected = Conflict {
        path: "d/x".to_owned(),
        earlier: "left".to_owned(),
        later: "right".to_owned(),
    };
    assert_eq!(workspace.conflicts, [expected]);
    add("join", &["base", "left", "right"], &[file("d/x", "joined")]);
    let order = ["base", "left", "right", "join"];
    assert_eq!(
        storage
            .workspace(run, &names(&order))
            .unwrap()
            .conflicts
            .len(),
        1
    );
}

#[test]
fn an_attempt_replaces_the_layers_of_the_one_before() {
    let (_temp, storage) = storage();
    let (run, rerun) = (RunId::new(), RunId::new());
    let add = |attempt, step, content: &str| {
        let source = LayerSource {
            attempt,
            step,
            ..source(run, "job", &[])
        };
        let bytes = archive(&[file("f", content)]);
        storage.persist_layer(&source, &*bytes, |_| {}).unwrap();
    };
    let count = |run| {
        storage
            .workspace(run, &names(&["job"]))
            .unwrap()
            .layers
            .len()
    };
    add(1, 0, "a");
    add(1, 1, "b");
    add(1, 1, "c");
    assert_eq!(count(run), 2);
    add(2, 1, "d");
    assert_eq!(count(run), 1);
    storage.copy_workspace(run, rerun, "job").unwrap();
    storage.copy_workspace(run, rerun, "no such job").unwrap();
    storage.remove_run(run).unwrap();
    assert_eq!((count(run), count(rerun)), (0, 1));
    let layers = storage.workspace(rerun, &names(&["job"])).unwrap().layers;
    assert!(storage.open_layer(&layers[0].1).is_ok());
}

fn keep(storage: &Storage, run: RunId, attempt: u32, files: &[Vec<u8>]) -> Vec<String> {
    let source = ArtifactSource {
        run,
        job: "job".into(),
        attempt,
        kind: ArtifactKind::Artifact,
    };
    let bytes = archive(files);
    let mut place = |path: &crate::archive::EntryPath| format!("out/{path}");
    let kept = storage
        .keep_artifacts(&source, &*bytes, &mut place)
        .unwrap();
    storage.list_artifacts(&source, &kept.files).unwrap();
    kept.left_out
}

#[test]
fn artifacts_are_kept_listed_read_and_exported() {
    let (temp, storage) = storage();
    let run = RunId::new();
    let left_out = keep(
        &storage,
        run,
        1,
        &[
            file("d/x", "one"),
            symlink("latest", "d/x"),
            symlink("gone", "/etc/passwd"),
        ],
    );
    assert_eq!(left_out, ["gone"]);
    keep(&storage, run, 2, &[file("d/x", "two"), file("y", "why")]);
    keep(&storage, run, 2, &[file("y", "because")]);
    let listed = storage.artifacts(run, Some("job")).unwrap();
    let paths: Vec<_> = listed
        .iter()
        .map(|one| (one.path.as_str(), one.bytes))
        .collect();
    assert_eq!(paths, [("out/d/x", 3), ("out/y", 7)]);
    assert_eq!(storage.artifacts(run, None).unwrap(), listed);
    assert_eq!(
        storage.artifacts_of_all_attempts(run, None).unwrap().len(),
        4
    );
    let mut text = String::new();
    let mut reader = storage.open_artifact(&listed[1].digest).unwrap();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "because");
    let dest = temp.path().join("export");
    let written = storage.export(run, "job", &dest).unwrap();
    assert_eq!(written, [dest.join("out/d/x"), dest.join("out/y")]);
    assert_eq!(fs::read_to_string(&written[0]).unwrap(), "two");
    let path = storage.object_path(&listed[1].digest).unwrap();
    fs::write(path, "becausE").unwrap();
    let mut reader = storage.open_artifact(&listed[1].digest).unwrap();
    assert!(reader.read_to_string(&mut String::new()).is_err());
}

#[test]
fn a_manifest_that_somebody_changed_leads_nowhere() {
    let (temp, storage) = storage();
    let run = RunId::new();
    keep(&storage, run, 1, &[file("x", "one")]);
    let path = storage.manifest_path(manifest::Shelf::Artifacts, run, "job");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("out/x", "../evil")).unwrap();
    let dest = temp.path().join("export");
    let error = storage.export(run, "job", &dest).unwrap_err();
    assert!(
        crate::error::chain(&error).contains("`../evil`"),
        "{error:?}"
    );
    assert!(!temp.path().join("evil").exists());
    for digest in [
        "",
        "../../../etc/passwd",
        "zz",
        &"A".repeat(64),
        &"é".repeat(32),
    ] {
        let error = storage.open_artifact(digest).unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::NotFound, "{digest}");
    }
    fs::write(&path, "no json").unwrap();
    assert_eq!(storage.gc().unwrap_err().kind(), StorageErrorKind::Damaged);
}

#[test]
fn what_nothing_refers_to_goes_after_a_while() {
    let (_temp, storage) = storage();
    let run = RunId::new();
    keep(&storage, run, 1, &[file("x", "kept")]);
    save(&storage, "k", "kept");
    part(&storage, "nobody's");
    assert_eq!(storage.gc().unwrap().objects, 0, "it may be on its way");
    let storage = storage.grace(Duration::ZERO);
    assert_eq!(storage.gc().unwrap().objects, 1);
    assert!(find(&storage, &["k"], CacheLookup::ExactOnly).is_some());
    assert_eq!(
        storage
            .export(run, "job", Path::new(storage.root()))
            .unwrap()
            .len(),
        1
    );
    storage.remove_run(run).unwrap();
    assert_eq!(objects(&storage), 1);
}

#[test]
fn a_full_disk_says_so() {
    let error = StorageError::io(
        "write",
        Path::new("x"),
        std::io::ErrorKind::StorageFull.into(),
    );
    assert_eq!(error.kind(), StorageErrorKind::Full);
    assert!(!error.hints().is_empty());
}
