//! What SQLite's errors mean for a run store.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::store::{StoreError, StoreErrorKind};

/// The store's error for an error of SQLite about the file at `path`.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` gives it away")]
pub(super) fn trouble(path: &Path, error: rusqlite::Error) -> StoreError {
    let name = path.display();
    let (kind, message, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (
            StoreErrorKind::Full,
            format!("there is no room left for the run store `{name}`"),
            Some("make room on the disk; what was reported so far is kept".to_owned()),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            StoreErrorKind::Busy,
            format!("another process holds the run store `{name}`"),
            Some("wait until it is done, or give another store with `--store`".to_owned()),
        ),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
            StoreErrorKind::Damaged,
            format!("the run store `{name}` is damaged, or is no run store"),
            Some("nothing was changed; move the file away to begin a new store".to_owned()),
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            return read_only(path).with_source(error.to_string());
        }
        // SQLite has no other word for a file that cannot grow, as that for the memory which processes
        // share (SQLITE_IOERR_SHMSIZE).
        Some(ErrorCode::SystemIoFailure) => (
            StoreErrorKind::Other,
            format!("the run store `{name}` cannot be read or written"),
            Some("the disk may be full or broken: make room on it, or give another store with `--store`".to_owned()),
        ),
        _ => (
            StoreErrorKind::Other,
            format!("the run store `{name}` failed"),
            None,
        ),
    };
    // Its words only: SQLite's error has a cause that says the same again.
    let trouble = StoreError::new(kind, message).with_source(error.to_string());
    match hint {
        Some(hint) => trouble.with_hint(hint),
        None => trouble,
    }
}

/// The file at `path` is not a whole store any more.
pub(super) fn cut_off(path: &Path) -> StoreError {
    let name = path.display();
    let message = format!("the run store `{name}` was cut off, or is no run store");
    StoreError::new(StoreErrorKind::Damaged, message)
        .with_hint("nothing was changed; move the file away to begin a new store")
}

/// The file at `path` may not be written, or not be made.
pub(super) fn read_only(path: &Path) -> StoreError {
    let message = format!(
        "the run store `{}` cannot be opened for writing",
        path.display()
    );
    StoreError::new(StoreErrorKind::Other, message)
        .with_hint("check the directory and its permissions")
}

/// Data of a run in the store that is not what this program wrote.
pub(super) fn unreadable(
    path: &Path,
    what: &str,
    run: &dyn std::fmt::Display,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    let message = format!(
        "the run store `{}` is damaged: {what} of the run `{run}` cannot be read",
        path.display()
    );
    StoreError::new(StoreErrorKind::Damaged, message)
        .with_source(error)
        .with_hint(
            "nothing was changed; bring the file back from a copy, or move it away to begin a new store",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_grow_hints_at_the_disk() {
        let code = rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let error = trouble(Path::new("s.db"), error);
        assert_eq!(
            error.to_string(),
            "the run store `s.db` cannot be read or written"
        );
        assert!(error.hints()[0].contains("may be full"), "{error:?}");
    }
}
