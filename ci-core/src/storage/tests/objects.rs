//! Contents that nobody trusts, and those that nobody needs any more.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::archive::raw::{member, symlink};
use crate::storage::manifest::Shelf;
use crate::storage::tree::TreeRef;
use crate::storage::{StorageError, StorageErrorKind};

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
fn records_with_links_outside_of_their_tree_are_refused() {
    use crate::storage::OutsideLink;

    let read = |path: &str| {
        let written = serde_json::json!({ "path": path, "target": "/etc" });
        serde_json::from_value::<OutsideLink>(written).map(|link| link.path().to_owned())
    };
    assert_eq!(read("a//./b").unwrap(), "a/b");
    for path in ["../evil", "a/../../evil", "/evil", "", ".", "a\0b"] {
        let words = read(path).unwrap_err().to_string();
        assert!(words.contains(" was refused: it "), "{path}: {words}");
    }
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
        .map(|link| (link.path(), link.target()))
        .collect();
    assert_eq!(links, [("out", "/usr/bin/python3"), ("z", "..")]);
    let out = temp.path().join("out");
    let reader = storage.open_tree(&tree).unwrap();
    assert_eq!(unpack(reader, &out, &Limits::default()).unwrap().entries, 4);
    assert_eq!(fs::read_to_string(out.join("b")).unwrap(), "more");
}

#[test]
fn a_manifest_that_somebody_changed_leads_nowhere() {
    let (temp, storage) = storage();
    let run = RunId::new();
    keep(&storage, run, 1, &[file("x", "one")]);
    let path = storage.manifest_path(Shelf::Artifacts, run, "job");
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
