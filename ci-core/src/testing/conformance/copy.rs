//! Checks of files that are copied into a session and out of it.

use std::io::Cursor;

use super::bench::Bench;
use super::check::{Check, Trouble, Verdict, check, ensure, same};
use super::tree::Tree;
use crate::session::{SessionErrorKind, TreeReader, TreeSelection};

pub(super) const CHECKS: &[Check] = &[
    check!("copy: modes, links, time stamps and odd names", round_trip),
    check!("copy: what a command sees of it", seen_by_commands),
    check!("copy: the user of the commands owns it", owner),
    check!(
        "copy: into a directory relative, absolute or at home",
        directories
    ),
    check!(
        "copy: replaces files and keeps what else is there",
        replacing
    ),
    check!("copy: many small files", many_files),
    check!("copy: a large file", big_file),
    check!("copy: an archive that was cut off is an error", cut_off),
    check!("copy: out of a directory that does not exist", missing),
];

impl Bench {
    /// Copies a tree into a directory of the session that was not there before.
    pub(super) async fn put(&self, tree: &Tree, dir: &str) -> Result<(), Trouble> {
        self.sh(&format!(
            "chmod -R u+rwX {dir} 2>/dev/null || true; rm -rf {dir}"
        ))
        .await?;
        self.copy_in(tree.archive()?, dir).await
    }

    pub(super) async fn copy_in(&self, archive: Vec<u8>, dir: &str) -> Result<(), Trouble> {
        let reader: TreeReader = Box::new(Cursor::new(archive));
        Ok(self.session.copy_in(reader, dir).await?)
    }

    pub(super) async fn copy_out(&self, selection: &TreeSelection) -> Result<Tree, Trouble> {
        Tree::read(self.session.copy_out(selection).await?).await
    }
}

async fn round_trip(bench: Bench) -> Verdict {
    let long = "long-".repeat(30);
    let tree = Tree::default()
        .file("empty", 0o644, "")
        .file("plain", 0o644, "plain\n")
        .file("program", 0o755, "#!/bin/sh\necho it runs\n")
        .file("private", 0o600, "x")
        .file("read-only", 0o444, "x")
        .file("binary", 0o644, (0..=255).collect::<Vec<u8>>())
        .directory("dir", 0o755)
        .directory("dir/private", 0o700)
        .directory("dir/empty", 0o755)
        .file("dir/two words 'quoted' \"twice\" $HOME *", 0o644, "odd")
        .file("dir/-rf", 0o644, "looks like an option")
        .file("dir/größe 日本 🦀", 0o644, "unicode")
        .file("dir/back\\slash", 0o644, "one name")
        .file(".hidden", 0o644, "dot")
        .directory(&long, 0o755)
        .directory(&format!("{long}/{long}"), 0o755)
        .file(&format!("{long}/{long}/file"), 0o644, "deep")
        .symlink("link", "plain")
        .symlink("link-to-dir", "dir")
        .symlink("dir/up", "../plain")
        .symlink("dangling", "dir/nothing");
    bench.put(&tree, "copied").await?;
    let back = bench.copy_out(&TreeSelection::all("copied")).await?;
    back.same(&tree)?;
    Ok(format!("{} entries", tree.0.len()))
}

async fn seen_by_commands(bench: Bench) -> Verdict {
    let tree = Tree::default()
        .file("program", 0o755, "#!/bin/sh\necho it runs\n")
        .symlink("link", "program")
        .directory("empty", 0o755);
    bench.put(&tree, "seen-copy").await?;
    let script = "cd seen-copy; ./link; [ -L link ]; [ -x program ]; [ -d empty ]; ls";
    same(
        "what a command says",
        &bench.sh(script).await?,
        &"it runs\nempty\nlink\nprogram\n".to_owned(),
    )?;
    Ok(String::new())
}

async fn owner(bench: Bench) -> Verdict {
    let tree = Tree::default()
        .directory("dir", 0o755)
        .file("dir/file", 0o600, "x")
        .symlink("dir/link", "file");
    bench.put(&tree, "owned").await?;
    let script = "me=$(id -u); ls -lnR owned | awk -v me=\"$me\" '/^[-dl]/ && $3 != me'";
    same(
        "what somebody else owns",
        &bench.sh(script).await?,
        &String::new(),
    )?;
    bench.sh("echo more >> owned/dir/file").await?;
    Ok(String::new())
}

async fn directories(bench: Bench) -> Verdict {
    let tree = Tree::default().file("file", 0o644, "here");
    let info = bench.session.info();
    for (dir, place) in [
        ("new/deep dir", format!("{}/new/deep dir", info.work_dir)),
        ("~/copied-home", format!("{}/copied-home", info.home)),
        (
            &*format!("{}/absolute", info.work_dir),
            format!("{}/absolute", info.work_dir),
        ),
        (".", info.work_dir.clone()),
    ] {
        bench.copy_in(tree.archive()?, dir).await?;
        let content = bench.sh(&format!("cat '{place}/file'")).await?;
        same(format!("what is in {dir}"), &content, &"here".to_owned())?;
        if dir != "." {
            let back = bench.copy_out(&TreeSelection::all(dir)).await?;
            back.same(&tree).map_err(|trouble| trouble.at(dir))?;
        }
    }
    Ok(String::new())
}

async fn replacing(bench: Bench) -> Verdict {
    let first = Tree::default()
        .file("kept", 0o644, "kept")
        .file("replaced", 0o444, "a long content")
        .symlink("was-link", "kept");
    let second =
        Tree::default()
            .file("replaced", 0o600, "short")
            .file("was-link", 0o644, "now a file");
    bench.put(&first, "merged").await?;
    bench.copy_in(second.archive()?, "merged").await?;
    let mut expected = first;
    expected.0.extend(second.0);
    let back = bench.copy_out(&TreeSelection::all("merged")).await?;
    back.same(&expected)?;
    Ok(String::new())
}

async fn many_files(bench: Bench) -> Verdict {
    let count = bench.options.many_files;
    let mut tree = Tree::default();
    for number in 0..count {
        let name = format!("{:02}/{number}", number % 100);
        tree = tree.file(&name, 0o644, format!("file {number}"));
    }
    for dir in 0..count.min(100) {
        tree = tree.directory(&format!("{dir:02}"), 0o755);
    }
    let began = std::time::Instant::now();
    bench.put(&tree, "many").await?;
    let put = began.elapsed();
    let found = bench.sh("find many -type f | wc -l").await?;
    same(
        "the number of files",
        &found.trim().to_owned(),
        &count.to_string(),
    )?;
    let began = std::time::Instant::now();
    let back = bench.copy_out(&TreeSelection::all("many")).await?;
    let got = began.elapsed();
    back.same(&tree)?;
    bench.sh("rm -rf many").await?;
    Ok(format!("{count} files in {put:.2?}, out {got:.2?}"))
}

async fn big_file(bench: Bench) -> Verdict {
    let size = bench.options.big_file;
    let tree = Tree::default().file("big", 0o644, noise(size));
    let began = std::time::Instant::now();
    bench.put(&tree, "large").await?;
    let put = began.elapsed();
    let found = bench.sh("wc -c < large/big").await?;
    same("its size", &found.trim().to_owned(), &size.to_string())?;
    let began = std::time::Instant::now();
    let back = bench.copy_out(&TreeSelection::all("large")).await?;
    let got = began.elapsed();
    back.same(&tree)?;
    bench.sh("rm -rf large").await?;
    Ok(format!("{} MiB in {put:.2?}, out {got:.2?}", size >> 20))
}

/// Bytes without a pattern (a linear congruential generator with Knuth's constants).
fn noise(size: usize) -> Vec<u8> {
    let mut state: u64 = 42;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(size);
    bytes
}

async fn cut_off(bench: Bench) -> Verdict {
    let tree = Tree::default().file("file", 0o644, noise(100_000));
    let mut archive = tree.archive()?;
    archive.truncate(50_000);
    let copied = bench.copy_in(archive, "cut-off").await;
    ensure(copied.is_err(), || "it was taken as whole".to_owned())?;
    let ran = bench.sh("echo works").await?;
    same("the session", &ran, &"works\n".to_owned())?;
    Ok(String::new())
}

async fn missing(bench: Bench) -> Verdict {
    let selection = TreeSelection::all("conformance/no/such/dir");
    match bench.session.copy_out(&selection).await {
        Err(error) if error.kind() == SessionErrorKind::NotFound => Ok(error.to_string()),
        Err(error) => Err(Trouble::from(error).at("the error is not NotFound")),
        Ok(archive) => {
            let tree = Tree::read(archive).await;
            Err(Trouble::failed(format!(
                "it gave {tree:?} instead of NotFound"
            )))
        }
    }
}
