//! Caches: which one wins, who may write, what makes room, what is damaged.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::storage::StorageErrorKind;
use crate::storage::cache::touch;

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
            "storage::tests::cache::a_process_that_writes",
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
    let error = small
        .publish_cache("project", "e", "e", vec![part])
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Full);
    assert!(!error.hints().is_empty());
}

#[test]
fn a_cache_is_shown_without_its_secret_and_found_with_it() {
    let (_temp, storage) = storage();
    let publish = |key: &str, shown: &str| {
        let part = part(&storage, key);
        let published = storage.publish_cache("project", key, shown, vec![part]);
        assert_eq!(published.unwrap(), Published::Saved);
    };
    publish("k-secret", "k-***");
    publish("k-hidden", "k-***");
    let mut shown: Vec<String> = storage
        .caches()
        .unwrap()
        .into_iter()
        .map(|it| it.key)
        .collect();
    shown.sort_unstable();
    assert_eq!(shown, ["k-***", "k-***-2"]);
    for (key, expected) in [("k-secret", "k-secret"), ("k-hid", "k-hidden")] {
        let (_, content) = find(&storage, &[key], CacheLookup::ExactFirst).unwrap();
        assert_eq!(content, expected);
    }
    assert!(find(&storage, &["k-***"], CacheLookup::ExactFirst).is_none());
    for key in ["k-***-2", "k-secret"] {
        assert!(storage.knows_cache(key).unwrap());
        assert_eq!(storage.remove_cache(None, key).unwrap().len(), 1);
        assert!(!storage.knows_cache(key).unwrap());
    }
    assert_eq!(storage.caches().unwrap(), []);
}

#[test]
fn a_cache_of_an_older_version_is_shown_with_its_key() {
    let (_temp, storage) = storage();
    save(&storage, "k", "old");
    let path = storage.cache_path("project", "k");
    let text = fs::read_to_string(path).unwrap();
    assert!(
        !text.contains("shown"),
        "as older versions wrote it: {text}"
    );
    assert_eq!(storage.caches().unwrap()[0].key, "k");
}

#[test]
fn a_broken_cache_goes_unless_a_whole_one_came_in_its_place() {
    let (_temp, storage) = storage();
    let path = storage.cache_path("project", "k");
    let breaks: [fn(&Storage, &Path); 2] = [
        |storage, _| {
            let object = part(storage, "first").tree.object.digest;
            fs::remove_file(storage.object_path(&object).unwrap()).unwrap();
        },
        |_, path| fs::write(path, "no json").unwrap(),
    ];
    for break_it in breaks {
        // What another process does between a look at the entry and its removal.
        for content in [None, Some("first"), Some("second")] {
            save(&storage, "k", "first");
            break_it(&storage, &path);
            if let Some(content) = content {
                save(&storage, "k", content);
            }
            storage.forget_broken(&path).unwrap();
            let found = find(&storage, &["k"], CacheLookup::ExactOnly);
            assert_eq!(found.map(|it| it.1).as_deref(), content);
            assert_eq!(path.exists(), content.is_some());
            storage.remove_cache(None, "k").unwrap();
        }
    }
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
    let damaged: Vec<_> = search.damaged.iter().map(|it| &*it.key).collect();
    assert_eq!(damaged, ["old-new"]);
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
