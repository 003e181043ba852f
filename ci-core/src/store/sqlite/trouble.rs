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

/// Data in the store that is not what this program wrote.
pub(super) fn unreadable(
    path: &Path,
    what: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    let message = format!(
        "the run store `{}` has {what} that cannot be read",
        path.display()
    );
    StoreError::new(StoreErrorKind::Damaged, message).with_source(error)
}
