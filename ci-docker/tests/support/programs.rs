//! Programs of this machine for images of the tests, with the libraries that they are linked to.
#![expect(clippy::unwrap_used, reason = "a test without its image has failed")]
#![expect(unreachable_pub, reason = "each test has it as its own module")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a program is. None if this machine does not have it.
fn find(name: &str) -> Option<PathBuf> {
    let mut sh = Command::new("sh");
    sh.args(["-c", r#"command -v -- "$1""#, "sh", name]);
    let found = String::from_utf8(sh.output().unwrap().stdout).unwrap();
    std::fs::canonicalize(found.trim_end()).ok()
}

/// Adds programs to an image, each below `bin`.
///
/// # Errors
/// The name of one that this machine does not have.
pub fn add(archive: &mut tar::Builder<Vec<u8>>, names: &[&str]) -> Result<(), String> {
    let mut libraries = BTreeSet::new();
    for name in names {
        let program = find(name).ok_or_else(|| (*name).to_owned())?;
        let linked = Command::new("ldd").arg(&program).output().unwrap();
        let linked = String::from_utf8(linked.stdout).unwrap();
        let paths = linked.split_whitespace();
        libraries.extend(
            paths
                .filter(|word| word.starts_with('/'))
                .map(str::to_owned),
        );
        file(archive, &program, &format!("bin/{name}"));
    }
    for library in libraries {
        file(
            archive,
            Path::new(&library),
            library.trim_start_matches('/'),
        );
    }
    Ok(())
}

/// Adds a file, and not the link that may lead to it.
fn file(archive: &mut tar::Builder<Vec<u8>>, path: &Path, name: &str) {
    let real = std::fs::canonicalize(path).unwrap();
    archive.append_path_with_name(real, name).unwrap();
}
