//! Checks of which files are copied out.

use super::bench::Bench;
use super::check::{Check, Verdict, check, ensure, same};
use super::tree::Tree;
use crate::session::{CopyRoot, TreeSelection};

pub(super) const CHECKS: &[Check] = &[
    check!("copy: out by globs", globs),
    check!("copy: out of several roots", roots),
    check!(
        "copy: globs that match nothing give an empty archive",
        nothing
    ),
];

fn tree() -> Tree {
    Tree::default()
        .directory("reports", 0o755)
        .directory("reports/unit", 0o755)
        .file("reports/unit/a.xml", 0o644, "a")
        .file("reports/unit/b.txt", 0o644, "b")
        .file("reports/c.xml", 0o644, "c")
        .directory("target", 0o755)
        .directory("target/deep", 0o755)
        .file("target/deep/d.xml", 0o644, "d")
        .file("top.xml", 0o644, "e")
}

/// The files of the tree that the root selects; directories may be there or not.
async fn files(bench: &Bench, root: CopyRoot) -> Result<Vec<String>, super::check::Trouble> {
    let selection = TreeSelection::default().root(root);
    let back = bench.copy_out(&selection).await?;
    let files = back.names().into_iter().filter(|name| name.contains('.'));
    Ok(files.map(ToOwned::to_owned).collect())
}

async fn globs(bench: Bench) -> Verdict {
    bench.put(&tree(), "globs").await?;
    let root = || CopyRoot::new("", "globs");
    for (what, root, expected) in [
        (
            "`**/*.xml`",
            root().include("**/*.xml"),
            &[
                "reports/c.xml",
                "reports/unit/a.xml",
                "target/deep/d.xml",
                "top.xml",
            ][..],
        ),
        ("`*.xml`", root().include("*.xml"), &["top.xml"]),
        (
            "a directory",
            root().include("reports/unit"),
            &["reports/unit/a.xml", "reports/unit/b.txt"],
        ),
        (
            "two globs and one that excludes",
            root()
                .include("reports")
                .include("target")
                .exclude("**/*.xml"),
            &["reports/unit/b.txt"],
        ),
        (
            "a directory that is excluded",
            root().exclude("target").exclude("reports/unit"),
            &["reports/c.xml", "top.xml"],
        ),
    ] {
        same(
            what,
            &files(&bench, root).await?,
            &expected.iter().map(|it| (*it).to_owned()).collect(),
        )?;
    }
    Ok(String::new())
}

async fn roots(bench: Bench) -> Verdict {
    bench.put(&tree(), "globs").await?;
    let selection = TreeSelection::default()
        .root(CopyRoot::new("first", "globs/reports").include("*.xml"))
        .root(CopyRoot::new("second/part", "globs/target"));
    let back = bench.copy_out(&selection).await?;
    let names: Vec<&str> = back
        .names()
        .into_iter()
        .filter(|name| name.contains('.'))
        .collect();
    same(
        "the files",
        &names,
        &vec!["first/c.xml", "second/part/deep/d.xml"],
    )?;
    Ok(String::new())
}

async fn nothing(bench: Bench) -> Verdict {
    bench.put(&tree(), "globs").await?;
    let selection =
        TreeSelection::default().root(CopyRoot::new("", "globs").include("**/*.nothing"));
    let back = bench.copy_out(&selection).await?;
    ensure(back.0.is_empty(), || format!("{:?}", back.names()))?;
    Ok(String::new())
}
