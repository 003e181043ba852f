//! Checks with archives that want to leave their directory.

use super::bench::Bench;
use super::check::{Check, Trouble, Verdict, check, ensure};
use crate::session::{SessionErrorKind, TreeReader};

pub(super) const CHECKS: &[Check] = &[
    check!(
        "copy: an archive that leaves its directory is refused",
        leaving
    ),
    check!("copy: devices and pipes are refused", devices),
];

/// Where the hostile archives are unpacked.
const DIR: &str = "hostile/inner";

/// An entry with a name and a link target that no honest program would write.
fn entry(name: &str, kind: tar::EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (text, long) in [
        (name, tar::EntryType::GNULongName),
        (link, tar::EntryType::GNULongLink),
    ] {
        // The directories of remote sessions alone can be longer than what fits into a header.
        if text.len() > FIELD {
            let text = format!("{text}\0");
            bytes.extend(member("././@LongLink", long, "", text.as_bytes()));
        }
    }
    bytes.extend(member(name, kind, link, content));
    bytes
}

/// What of a name or a link target fits into a header.
const FIELD: usize = 100;

/// One header, with as much of the names as fits, and its content.
fn member(name: &str, kind: tar::EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    let old = header.as_old_mut();
    for (field, text) in [(&mut old.name, name), (&mut old.linkname, link)] {
        let fits = &text.as_bytes()[..text.len().min(FIELD)];
        field[..fits.len()].copy_from_slice(fits);
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str) -> Vec<u8> {
    entry(name, tar::EntryType::Regular, "", b"evil")
}

fn symlink(name: &str, target: &str) -> Vec<u8> {
    entry(name, tar::EntryType::Symlink, target, b"")
}

/// Copies the entries in; fails unless that is refused and `named` is in the message.
async fn refused(bench: &Bench, entries: &[Vec<u8>], named: &str) -> Result<(), Trouble> {
    let mut archive = entries.concat();
    archive.resize(archive.len() + 1024, 0);
    let reader: TreeReader = Box::new(std::io::Cursor::new(archive));
    let Err(error) = bench.session.copy_in(reader, DIR).await else {
        return Err(Trouble::failed(format!(
            "the entry `{named}` was not refused"
        )));
    };
    if error.kind() != SessionErrorKind::Refused {
        return Err(Trouble::from(error).at(format!("`{named}` gave another error than Refused")));
    }
    ensure(error.to_string().contains(named), || {
        format!("the error does not name `{named}`: {error}")
    })
}

async fn leaving(bench: Bench) -> Verdict {
    bench.sh("rm -rf hostile; mkdir -p hostile/outside").await?;
    let outside = format!("{}/hostile/outside", bench.session.info().work_dir);
    let absolute = format!("{outside}/evil");
    let cases: &[(&[Vec<u8>], &str)] = &[
        (&[file("../outside/evil")], "../outside/evil"),
        (&[file("a/../../outside/evil")], "a/../../outside/evil"),
        (&[file(&absolute)], &absolute),
        (&[symlink("up", "../outside"), file("up/evil")], "up"),
        (&[symlink("far", &outside), file("far/evil")], "far"),
        (&[symlink("etc", "/etc")], "etc"),
        (
            &[entry("hard", tar::EntryType::Link, "../outside/kept", b"")],
            "hard",
        ),
        (
            &[entry("hard2", tar::EntryType::Link, "/etc/passwd", b"")],
            "hard2",
        ),
    ];
    bench.sh("echo kept > hostile/outside/kept").await?;
    for (entries, named) in cases {
        refused(&bench, entries, named).await?;
    }
    let found = bench
        .sh("ls hostile/outside; cat hostile/outside/kept")
        .await?;
    ensure(found == "kept\nkept\n", || {
        format!("outside there is now: {found}")
    })?;
    Ok(format!("{} archives", cases.len()))
}

async fn devices(bench: Bench) -> Verdict {
    bench.sh("rm -rf hostile; mkdir -p hostile").await?;
    for (name, kind) in [
        ("null", tar::EntryType::Char),
        ("disk", tar::EntryType::Block),
        ("pipe", tar::EntryType::Fifo),
    ] {
        refused(&bench, &[entry(name, kind, "", b"")], name).await?;
    }
    Ok(String::new())
}
