//! Hostile archives are refused by name; honest ones come back as they were.
#![cfg(unix)]

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::place::{HostPlace, PortablePlace};
use super::raw::{archive, file, header, member, symlink};
use super::unpack::unpack_to;
use super::*;

fn limits() -> Limits {
    Limits::default().bytes(1 << 20).entries(100)
}

/// Unpacks into a directory that stands beside one that must not change, with both kinds of place.
fn refused(members: &[Vec<u8>], before: impl Fn(&Path)) -> ArchiveError {
    let bytes = archive(members);
    let attempt = |unpack: fn(&[u8], &Path) -> Result<Unpacked, ArchiveError>| {
        let temp = tempfile::tempdir().unwrap();
        let (dest, outside) = (temp.path().join("dest"), temp.path().join("outside"));
        fs::create_dir(&dest).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        before(&dest);
        let error = unpack(&bytes, &dest).expect_err("a hostile archive was unpacked");
        let names: Vec<_> = fs::read_dir(temp.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "something appeared outside: {names:?}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");
        error
    };
    let error = attempt(|bytes, dest| unpack_to::<HostPlace>(bytes, dest, &limits()));
    let portable = attempt(|bytes, dest| unpack_to::<PortablePlace>(bytes, dest, &limits()));
    assert_eq!(error.kind(), portable.kind());
    assert_eq!(error.to_string(), portable.to_string());
    error
}

fn check(members: &[Vec<u8>], entry: &str) {
    check_in(members, entry, |_| {});
}

fn check_in(members: &[Vec<u8>], entry: &str, before: impl Fn(&Path)) {
    let error = refused(members, before);
    assert_eq!(error.kind(), ArchiveErrorKind::Refused, "{error}");
    assert_eq!(error.entry(), Some(entry), "{error}");
    assert!(error.to_string().contains(&format!("`{entry}`")), "{error}");
}

#[test]
fn names_that_leave_are_refused() {
    check(&[file("ok", ""), file("../evil", "x")], "../evil");
    check(&[file("a/../../evil", "x")], "a/../../evil");
    check(&[file("/tmp/evil", "x")], "/tmp/evil");
    check(&[member("../dir/", b'5', "", b"")], "../dir/");
    check(&[member("/", b'0', "", b"")], "/");
    let long = b"../evil\0";
    check(&[member("x", b'L', "", long), file("x", "")], "../evil");
    let pax = b"16 path=../evil\n";
    check(&[member("x", b'x', "", pax), file("x", "")], "../evil");
}

#[test]
fn links_that_leave_are_refused() {
    check(&[symlink("out", "/etc/passwd")], "out");
    check(&[symlink("out", "../outside")], "out");
    check(&[symlink("d/out", "../../outside/kept")], "d/out");
    check(&[symlink("out", "in/../../outside")], "out");
    check(&[member("hard", b'1', "../outside/kept", b"")], "hard");
    check(&[member("hard", b'1', "/etc/passwd", b"")], "hard");
    check(&[symlink("out", "")], "out");
}

#[test]
fn entries_below_links_are_refused() {
    let inner = [symlink("link", "dir"), file("link/file", "x")];
    check(&inner, "link/file");
    check(&[symlink("s", "s2"), member("h", b'1', "s", b"")], "h");
    let planted = |dest: &Path| {
        std::os::unix::fs::symlink("../outside", dest.join("planted")).unwrap();
    };
    check_in(&[file("planted/evil", "x")], "planted/evil", planted);
    check_in(&[file("planted/kept", "x")], "planted/kept", planted);
    let nested = [member("planted/sub/", b'5', "", b"")];
    check_in(&nested, "planted/sub", planted);
    let hard = [member("h", b'1', "planted/kept", b"")];
    check_in(&hard, "h", planted);
}

#[test]
fn devices_pipes_and_unknown_kinds_are_refused() {
    check(&[member("dev/sda", b'4', "", b"")], "dev/sda");
    check(&[member("tty", b'3', "", b"")], "tty");
    check(&[member("pipe", b'6', "", b"")], "pipe");
    check(&[member("what", b'Z', "", b"")], "what");
    check(&[member("./", b'2', "x", b"")], ".");
}

#[test]
fn too_much_is_refused() {
    let big = [file("ok", "x"), header("bomb", b'0', "", 1 << 30)];
    let many: Vec<_> = (0..200).map(|n| file(&format!("f{n}"), "")).collect();
    // A name of two megabytes would be kept in memory whole.
    let long = [member("x", b'L', "", &vec![b'a'; 2 << 20]), file("x", "")];
    for (members, entry) in [(&big[..], "bomb"), (&many, "f100"), (&long, "")] {
        let error = refused(members, |_| {});
        assert_eq!(error.kind(), ArchiveErrorKind::TooLarge, "{error}");
        assert_eq!(error.entry(), Some(entry), "{error}");
    }
}

#[test]
fn damage_is_named() {
    let whole = archive(&[file("a", "hello"), file("b", "world")]);
    let temp = tempfile::tempdir().unwrap();
    for length in [0, 100, 512, 600, 1024, 1500, 2048] {
        let error = unpack(&whole[..length], temp.path(), &limits()).unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ArchiveErrorKind::Malformed | ArchiveErrorKind::Io
            ),
            "{length}: {error}"
        );
    }
    unpack(&whole[..2048 + 512], temp.path(), &limits()).unwrap();
    let noise: Vec<u8> = (0..4096_u32).map(|n| (n * 31 % 251) as u8).collect();
    let error = unpack(&*noise, temp.path(), &limits()).unwrap_err();
    assert_eq!(error.kind(), ArchiveErrorKind::Malformed);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_leave(
        mut members in proptest::collection::vec(("[./a]{1,6}", 0_u8..128, "[./a]{0,6}"), 0..8),
        flip in any::<(usize, u8)>(),
    ) {
        members.truncate(8);
        let mut bytes = archive(
            &members
                .iter()
                .map(|(name, kind, link)| member(name, *kind, link, b"x"))
                .collect::<Vec<_>>(),
        );
        let place = flip.0 % bytes.len();
        bytes[place] ^= flip.1;
        let temp = tempfile::tempdir().unwrap();
        let dest = temp.path().join("dest");
        let _ = unpack(&*bytes, &dest, &limits());
        prop_assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_stands_there_is_replaced_and_not_followed() {
    let temp = tempfile::tempdir().unwrap();
    let dest = temp.path().join("dest");
    fs::create_dir_all(dest.join("full/x")).unwrap();
    fs::create_dir(dest.join("empty")).unwrap();
    fs::write(temp.path().join("outside"), "kept").unwrap();
    std::os::unix::fs::symlink("../outside", dest.join("link")).unwrap();
    fs::write(dest.join("file"), "old").unwrap();
    fs::hard_link(dest.join("file"), dest.join("twin")).unwrap();
    let members = [
        file("link", "new"),
        file("file", "new"),
        file("empty", "now a file"),
        file("a", "first a file"),
        file("a/b", "then a directory"),
        member("hard", b'1', "a/b", b""),
        member("full/", b'5', "", b""),
    ];
    unpack(&*archive(&members), &dest, &limits()).unwrap();
    let read = |name: &str| fs::read_to_string(dest.join(name)).unwrap();
    assert_eq!(read("link"), "new");
    assert_eq!(read("../outside"), "kept");
    assert_eq!((read("file"), read("twin")), ("new".into(), "old".into()));
    assert_eq!(read("empty"), "now a file");
    assert_eq!(
        (read("a/b"), read("hard")),
        (read("hard"), "then a directory".into())
    );
    assert!(dest.join("full/x").is_dir());
    check_in(&[file("full", "x")], "full", |dest| {
        fs::create_dir_all(dest.join("full/x")).unwrap();
    });
}

#[test]
fn pipes_and_sockets_are_skipped_with_a_note() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("file"), "x").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(temp.path().join("socket")).unwrap();
    let mut bytes = Vec::new();
    let packed = pack(&[PackRoot::new("", temp.path())], &mut bytes).unwrap();
    assert_eq!(packed.entries, 1);
    assert_eq!(packed.skipped, [temp.path().join("socket")]);
}

#[test]
fn a_root_that_is_missing_is_an_error_and_no_match_is_not() {
    let temp = tempfile::tempdir().unwrap();
    let missing = PackRoot::new("", temp.path().join("missing"));
    let error = pack(&[missing], io::sink()).unwrap_err();
    assert_eq!(error.kind(), ArchiveErrorKind::NotFound);
    let mut none = pack_stream(vec![PackRoot::new("", temp.path()).include(["nothing"])]).unwrap();
    let mut bytes = Vec::new();
    none.read_to_end(&mut bytes).unwrap();
    let totals = unpack(&*bytes, temp.path(), &limits()).unwrap();
    assert_eq!(totals, Totals::default());
}

/// A disk with room for so many bytes.
struct Broken(usize);
impl io::Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 < bytes.len() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn half_an_archive_never_passes_for_a_whole_one() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("a"), "x".repeat(300_000)).unwrap();
    fs::write(temp.path().join("b"), "x").unwrap();
    let error = pack(&[PackRoot::new("", temp.path())], Broken(100_000)).unwrap_err();
    assert_eq!(error.kind(), ArchiveErrorKind::Full, "{error}");
    // The stream is far ahead of its reader by no more than a few chunks: the file shrinks under it.
    let big = temp.path().join("big");
    fs::write(&big, vec![1; 10 << 20]).unwrap();
    let mut stream = pack_stream(vec![PackRoot::new("", temp.path())]).unwrap();
    let mut start = vec![0; 1 << 20];
    stream.read_exact(&mut start).unwrap();
    fs::File::options()
        .write(true)
        .open(&big)
        .unwrap()
        .set_len(0)
        .unwrap();
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("big"), "{error}");
    // An error between two entries, where the archive read so far looks like a whole one.
    let second = tempfile::tempdir().unwrap();
    let later = second.path().join("later");
    fs::create_dir(&later).unwrap();
    fs::write(&big, vec![1; 10 << 20]).unwrap();
    let roots = [temp.path(), &later].map(|dir| PackRoot::new("", dir));
    let mut stream = pack_stream(roots.to_vec()).unwrap();
    stream.read_exact(&mut start).unwrap();
    fs::remove_dir(&later).unwrap();
    fs::write(&later, "no directory any more").unwrap();
    let whole = start.chain(stream);
    let error = unpack(whole, &second.path().join("out"), &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ArchiveErrorKind::Io, "{error}");
    // A reader that stops in the middle leaves no thread behind that waits for ever: dropping it is
    // all there is to do.
    let mut stream = pack_stream(vec![PackRoot::new("", temp.path())]).unwrap();
    let mut some = [0; 1000];
    stream.read_exact(&mut some).unwrap();
}

/// A tree to pack: directories by their depth-first order, so that parents come first.
#[derive(Debug, Clone)]
enum Node {
    File {
        content: Vec<u8>,
        mode: u32,
        nanos: u32,
    },
    Directory {
        mode: u32,
        children: Vec<(String, Node)>,
    },
    Symlink(String),
}

fn node() -> impl Strategy<Value = Node> {
    let name = prop_oneof![
        "[a-z]{1,8}",
        "[a-zäöü漢字 \\-\\[\\]*]{1,12}",
        "[a-z]{90,200}",
        Just("..x".to_owned()),
    ];
    let leaf = prop_oneof![
        4 => (proptest::collection::vec(any::<u8>(), 0..2000), 0_u32..0o1000, 0_u32..1_000_000_000)
            .prop_map(|(content, mode, nanos)| Node::File { content, mode: mode | 0o400, nanos }),
        1 => "[a-z]{1,150}".prop_map(Node::Symlink),
    ];
    let tree = leaf.prop_recursive(4, 24, 5, move |inner| {
        (
            0_u32..0o1000,
            proptest::collection::vec((name.clone(), inner), 0..5),
        )
            .prop_map(|(mode, children)| Node::Directory {
                mode: mode | 0o500,
                children,
            })
    });
    proptest::collection::vec(("[a-z]{1,5}", tree), 0..5).prop_map(|children| Node::Directory {
        mode: 0o755,
        children,
    })
}

fn grow(path: &Path, node: &Node) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    match node {
        Node::File {
            content,
            mode: bits,
            nanos,
        } => {
            fs::write(path, content).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_600_000_000, *nanos);
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(time)
                .unwrap();
            mode(path, *bits);
        }
        Node::Symlink(target) => std::os::unix::fs::symlink(target, path).unwrap(),
        Node::Directory {
            mode: bits,
            children,
        } => {
            fs::create_dir_all(path).unwrap();
            for (name, child) in children {
                let path = path.join(name);
                if fs::symlink_metadata(&path).is_err() {
                    grow(&path, child);
                }
            }
            mode(path, *bits);
        }
    }
}

/// Everything under `root` that has to survive: names, kinds, contents, modes and times.
fn listing(root: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt as _;
    let mut lines = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(path) = waiting.pop() {
        let full = root.join(&path);
        let found = fs::symlink_metadata(&full).unwrap();
        let what = if found.is_dir() {
            waiting.extend(
                fs::read_dir(&full)
                    .unwrap()
                    .map(|e| path.join(e.unwrap().file_name())),
            );
            String::new()
        } else if found.is_symlink() {
            fs::read_link(&full).unwrap().display().to_string()
        } else {
            format!("{:?}", fs::read(&full).unwrap())
        };
        if !path.as_os_str().is_empty() {
            let (mode, time) = (found.mode(), (found.mtime(), found.mtime_nsec()));
            lines.push(format!("{path:?} {mode:o} {time:?} {what}"));
        }
    }
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_tree_comes_back_as_it_was(tree in node()) {
        let temp = tempfile::tempdir().unwrap();
        let (from, to, again) =
            (temp.path().join("from"), temp.path().join("to"), temp.path().join("again"));
        grow(&from, &tree);
        let mut bytes = Vec::new();
        let packed = pack(&[PackRoot::new("", &from)], &mut bytes).unwrap();
        let totals = unpack(&*bytes, &to, &Limits::default()).unwrap();
        prop_assert_eq!((packed.entries, packed.bytes), (totals.entries, totals.bytes));
        prop_assert_eq!(listing(&from), listing(&to));
        unpack_to::<PortablePlace>(&*bytes, &again, &Limits::default()).unwrap();
        let mut stream = pack_stream(vec![PackRoot::new("", &to)]).unwrap();
        let mut second = Vec::new();
        stream.read_to_end(&mut second).unwrap();
        prop_assert!(bytes == second, "the same tree gave another archive");
    }
}

#[test]
fn second_names_of_a_file_stay_one_file() {
    use std::os::unix::fs::MetadataExt as _;
    let temp = tempfile::tempdir().unwrap();
    let (from, to) = (temp.path().join("from"), temp.path().join("to"));
    fs::create_dir_all(from.join("d")).unwrap();
    fs::write(from.join("d/one"), "x").unwrap();
    fs::hard_link(from.join("d/one"), from.join("two")).unwrap();
    let mut bytes = Vec::new();
    pack(&[PackRoot::new("p", &from)], &mut bytes).unwrap();
    unpack(&*bytes, &to, &limits()).unwrap();
    let number = |name: &str| fs::metadata(to.join(name)).unwrap().ino();
    assert_eq!(number("p/d/one"), number("p/two"));
}
