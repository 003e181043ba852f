//! Saving caches and bringing them back.

use std::os::unix::fs::symlink;
use std::sync::Arc;

use super::kit::{Done, Job, secrets, storage, words};
use crate::event::StoredKind;
use crate::id::RunId;
use crate::outcome::{CancelReason, Outcome};
use crate::step::{CacheLookup, RestoreCacheSpec, SaveCacheSpec, StepRecord};
use crate::steps::{RestoreCache, SaveCache};
use crate::storage::Storage;

fn save(key: &str, paths: &[&str]) -> SaveCache {
    SaveCache(SaveCacheSpec {
        key: key.to_owned(),
        paths: words(paths),
    })
}

fn restore(keys: &[&str]) -> RestoreCache {
    RestoreCache(RestoreCacheSpec {
        keys: words(keys),
        lookup: CacheLookup::ExactFirst,
    })
}

fn job(storage: &Arc<Storage>) -> Job {
    Job::new(RunId::new(), "job", storage)
}

async fn restored(storage: &Arc<Storage>, keys: &[&str]) -> Done {
    job(storage).run(restore(keys)).await.ok()
}

#[tokio::test]
async fn a_cache_of_home_work_and_elsewhere_comes_back_on_another_machine() {
    let (_temp, storage) = storage();
    let first = job(&storage);
    let elsewhere = first.machine.elsewhere();
    first.machine.write("~/.cache/pip/wheel", "wheel");
    first.machine.write("target/x/y.o", "object");
    first.machine.write("target/not.log", "log");
    first.machine.write(&format!("{elsewhere}/tool"), "tool");
    symlink("/usr/bin/env", first.machine.path("target/env")).unwrap();
    let paths = [
        "~/.cache/pip",
        "target",
        &format!("{elsewhere}/tool"),
        "missing",
    ];
    let done = first.run(save("k-{{ arch }}", &paths)).await.ok();
    let key = format!("k-{}", std::env::consts::ARCH);
    assert_eq!(done.stored(), [(StoredKind::CacheSaved, key.as_str())]);
    assert_eq!(done.warnings(), ["there is no `missing` to cache"]);
    std::fs::remove_file(&*format!("{elsewhere}/tool")).unwrap();
    let done = restored(&storage, &["k-"]).await;
    assert_eq!(done.stored(), [(StoredKind::CacheRestored, key.as_str())]);
    let machine = &done.machine;
    assert_eq!(machine.read("~/.cache/pip/wheel").as_deref(), Some("wheel"));
    assert_eq!(machine.read("target/x/y.o").as_deref(), Some("object"));
    assert_eq!(
        machine.read(&format!("{elsewhere}/tool")).as_deref(),
        Some("tool")
    );
    // A link that leads out of the cache comes back too, made by the session itself.
    let link = std::fs::read_link(machine.path("target/env")).unwrap();
    assert_eq!(link.to_str(), Some("/usr/bin/env"));
}

#[tokio::test]
async fn a_miss_shows_every_key_and_is_no_failure() {
    let (_temp, storage) = storage();
    let mut missing = job(&storage);
    missing.facts = missing.facts.branch("main");
    let done = missing
        .run(restore(&["deps-{{ .Branch }}-7", "deps-"]))
        .await
        .ok();
    assert_eq!(
        done.stored(),
        [(StoredKind::CacheMissed, "deps-main-7, deps-")]
    );
    assert!(
        done.said.contains("  deps-main-7\n  deps-\n"),
        "{}",
        done.said
    );
}

#[tokio::test]
async fn a_key_that_exists_is_left_as_it_is() {
    let (_temp, storage) = storage();
    for content in ["first", "second"] {
        let one = job(&storage);
        one.machine.write("f", content);
        let done = one.run(save("k", &["f"])).await.ok();
        assert_eq!(
            done.stored().is_empty(),
            content == "second",
            "{}",
            done.said
        );
    }
    let done = restored(&storage, &["k"]).await;
    assert_eq!(done.machine.read("f").as_deref(), Some("first"));
}

#[tokio::test]
async fn caches_of_two_repositories_never_meet() {
    let (temp, storage) = storage();
    let mut one = job(&storage);
    one.machine.write("f", "x");
    one.facts = one.facts.repository(temp.path());
    one.run(save("k", &["f"])).await.ok();
    let done = restored(&storage, &["k"]).await;
    assert_eq!(done.stored(), [(StoredKind::CacheMissed, "k")]);
}

/// The key under which a job with these files saves.
async fn key_of(template: &str, files: &[(&str, &str)]) -> String {
    let (_temp, storage) = storage();
    let mut one = job(&storage);
    one.env.insert("NODE".to_owned(), "22".to_owned());
    for (path, content) in files {
        match content.strip_prefix("-> ") {
            Some(target) => {
                let path = one.machine.path(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                symlink(target, path).unwrap();
            }
            None => one.machine.write(path, content),
        }
    }
    let done = one.run(restore(&[template])).await.ok();
    done.stored()[0].1.to_owned()
}

#[tokio::test]
async fn checksums_follow_contents() {
    let template = r#"v{{ .Environment.NODE }}-{{ checksum "a.lock" "sub/*.lock" }}"#;
    let files = [("a.lock", "1"), ("sub/b.lock", "2"), ("sub/c.txt", "3")];
    let key = key_of(template, &files).await;
    assert!(key.starts_with("v22-") && key.len() == 4 + 64, "{key}");
    assert_eq!(
        key,
        key_of(template, &files).await,
        "the time of a file counted"
    );
    let unrelated = [("a.lock", "1"), ("sub/b.lock", "2"), ("sub/c.txt", "4")];
    assert_eq!(key, key_of(template, &unrelated).await);
    for other in [
        [("a.lock", "2"), ("sub/b.lock", "2")],
        [("a.lock", "1"), ("sub/b.lock", "1")],
        [("a.lock", "1"), ("sub/c.lock", "2")],
    ] {
        assert_ne!(key, key_of(template, &other).await, "{other:?}");
    }
}

#[tokio::test]
async fn a_checksum_of_a_link_is_that_of_its_file() {
    let template = r#"{{ checksum "link" }}"#;
    let with = |content: &'static str| {
        [
            ("real/x", content),
            ("sub/second", "-> ../real/x"),
            ("link", "-> sub/second"),
        ]
    };
    let key = key_of(template, &with("1")).await;
    assert_ne!(key, key_of(template, &with("2")).await);
}

#[tokio::test]
async fn mistakes_in_a_key_fail_the_step() {
    let (_temp, storage) = storage();
    for (template, words) in [
        (r#"{{ checksum "missing" }}"#, "needs the file `missing`"),
        (
            r#"{{ checksum "/no/such/dir/x" }}"#,
            "needs the file `/no/such/dir/x`",
        ),
        ("{{ .Branch }}", "gives an empty key"),
        ("{{ nonsense }}", "uses `nonsense`, which is not known"),
        (r#"{{ checksum "a/{b" }}"#, "the glob `a/{b` cannot be read"),
    ] {
        let done = job(&storage).run(restore(&[template])).await;
        assert!(
            done.failure().contains(words),
            "{template}: {}",
            done.failure()
        );
        let done = job(&storage).run(save(template, &["x"])).await;
        assert!(
            done.failure().contains(words),
            "{template}: {}",
            done.failure()
        );
    }
}

#[tokio::test]
async fn damage_is_a_miss_that_is_reported() {
    let (temp, storage) = storage();
    let one = job(&storage);
    one.machine.write("f", "content");
    let done = one.run(save("k", &["f"])).await.ok();
    let StepRecord::Stored {
        digest: Some(digest),
        ..
    } = &done.records[0]
    else {
        panic!("no digest: {:?}", done.records);
    };
    let path = temp
        .path()
        .join("objects")
        .join(&digest[..2])
        .join(&digest[2..]);
    std::fs::write(path, "something else").unwrap();
    let done = restored(&storage, &["k"]).await;
    assert_eq!(
        done.warnings(),
        ["the cache `k` was damaged and is removed"]
    );
    assert_eq!(done.stored(), [(StoredKind::CacheMissed, "k")]);
}

#[tokio::test]
async fn an_index_that_leads_out_of_its_directory_is_refused() {
    for (from, to, refused) in [
        (
            r#""path":"link""#,
            r#""path":"../evil""#,
            "the entry `../evil` was refused: it has `..` in its name",
        ),
        (
            r#""dir":".""#,
            r#""dir":"/tmp/../evil""#,
            "the directory `/tmp/../evil` was refused",
        ),
    ] {
        let (temp, storage) = storage();
        let one = job(&storage);
        symlink("/etc", one.machine.path("link")).unwrap();
        one.run(save("k", &["link"])).await.ok();
        let entries = std::fs::read_dir(temp.path().join("caches")).unwrap();
        let [entry] = &entries
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()[..]
        else {
            panic!("one cache");
        };
        let written = std::fs::read_to_string(entry).unwrap();
        let changed = written.replace(from, to);
        assert_ne!(changed, written);
        std::fs::write(entry, changed).unwrap();
        let done = restored(&storage, &["k"]).await;
        let [warning] = done.warnings()[..] else {
            panic!("{:?}", done.warnings());
        };
        assert!(
            warning.starts_with("the cache `k` was damaged and is removed: ")
                && warning.contains(refused),
            "{warning}"
        );
        assert_eq!(done.stored(), [(StoredKind::CacheMissed, "k")]);
        assert!(!done.machine.path("../evil").exists());
    }
}

#[tokio::test]
async fn without_files_nothing_is_saved_and_without_storage_it_is_said() {
    let (_temp, storage) = storage();
    let done = job(&storage)
        .run(save("k", &["none", "/no/such/dir/x"]))
        .await
        .ok();
    assert_eq!(done.warnings().len(), 3);
    assert!(storage.caches().unwrap().is_empty());
    let mut without = job(&storage);
    without.storage = None;
    let error = without.run(restore(&["k"])).await.result.unwrap_err();
    assert!(error.to_string().contains("no storage"), "{error}");
}

#[tokio::test]
async fn a_step_that_is_canceled_stops_copying() {
    let (_temp, storage) = storage();
    let one = job(&storage);
    one.machine.write("f", "content");
    one.cancel.cancel();
    let done = one.run(save("k", &["f"])).await;
    assert_eq!(
        done.result.unwrap(),
        Outcome::Canceled(CancelReason::Requested)
    );
    assert!(storage.caches().unwrap().is_empty());
}

#[tokio::test]
async fn a_key_is_shown_without_its_secret_and_found_with_it() {
    let (_temp, storage) = storage();
    let mut first = job(&storage);
    first.secrets = secrets(&["secret-value"]);
    first.machine.write("file", "content");
    first.run(save("k-secret-value", &["file"])).await.ok();
    assert_eq!(storage.caches().unwrap()[0].key, "k-***");
    let found = restored(&storage, &["k-secret-value"]).await;
    assert_eq!(found.machine.read("file").as_deref(), Some("content"));
    assert!(!found.said.contains("secret-value"), "{}", found.said);
}
