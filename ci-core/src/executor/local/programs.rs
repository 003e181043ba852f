//! Finds the file of a program by its name, as a shell does (POSIX.1-2017, XBD 8.3, `PATH`).

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

/// The files that programs were found in, by name and search path. Programs seldom move while an
/// engine runs; one that is gone is looked for again.
static FOUND: LazyLock<Mutex<HashMap<(String, String), PathBuf>>> = LazyLock::new(Mutex::default);

/// The file of `program` in the directories of `path`; `program` itself where it names a file already
/// or is not found: starting it then says so.
pub(super) fn find(program: &str, path: &str, dir: &Path) -> OsString {
    if program.contains(std::path::is_separator) {
        // A relative name is relative to the directory of the command, not to that of this process.
        return if Path::new(program).is_absolute() {
            program.into()
        } else {
            dir.join(program).into_os_string()
        };
    }
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (program.to_owned(), path.to_owned());
    if let Some(file) = found.get(&key).filter(|file| is_executable(file)) {
        return file.clone().into_os_string();
    }
    let candidates = std::env::split_paths(path).map(|entry| dir.join(entry).join(program));
    let file = {
        let mut candidates = candidates;
        candidates.find(|file| is_executable(file))
    };
    match file {
        None => program.into(),
        Some(file) => {
            // What was found through a directory relative to the command's own holds only for it.
            if std::env::split_paths(path).all(|entry| entry.is_absolute()) {
                found.insert(key, file.clone());
            }
            file.into_os_string()
        }
    }
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_like_a_shell_finds_them() {
        let dir = Path::new("/tmp");
        assert_eq!(find("sh", "/nowhere:/bin", dir), "/bin/sh");
        assert_eq!(find("./x", "/bin", dir), "/tmp/./x");
        assert_eq!(find("/bin/sh", "", dir), "/bin/sh");
        assert_eq!(find("no-such-program", "/bin", dir), "no-such-program");
    }
}
