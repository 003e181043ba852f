//! Connections to the file of a store, and what is looked at before one is made.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, Row};

use super::schema::look;
use super::store::Durability;
use super::trouble::{cut_off, read_only, trouble};
use crate::held::Hold;
use crate::store::StoreError;

/// The fewest bytes of a database that is not empty
/// (<https://sqlite.org/fileformat2.html#page_size>).
const SMALLEST_PAGE: u64 = 512;
/// How long to wait before the write-ahead log is tried again.
const PAUSE: Duration = Duration::from_millis(1);

/// Finds what SQLite would take for a new database and write over: the rest of a store that is shorter
/// than the smallest page, or nothing where there are logs of runs.
pub(super) fn check_length(path: &Path, logs: &Path) -> Result<(), StoreError> {
    let Ok(file) = std::fs::metadata(path) else {
        return Ok(());
    };
    let has_logs = || std::fs::read_dir(logs).is_ok_and(|mut dir| dir.next().is_some());
    match file.len() {
        0 if file.is_file() && has_logs() => Err(cut_off(path)),
        1..SMALLEST_PAGE => Err(cut_off(path)),
        _ => Ok(()),
    }
}

/// Keeps others in this process from opening the store at `path` and what SQLite puts beside it
/// (<https://sqlite.org/tempfiles.html>): when they closed it, its locks would be gone.
pub(super) fn hold(path: &Path) -> Hold {
    Hold::new(path, ["-wal", "-shm", "-journal"])
}

/// Connects to the store at `path`, which waits for others as long as `patience`.
pub(super) fn connect(
    path: &Path,
    durability: Durability,
    patience: Duration,
) -> Result<Connection, StoreError> {
    let failed = |error| trouble(path, error);
    let connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(patience).map_err(failed)?;
    // Before anything is changed: the file may be another program's, or no database at all.
    look(&connection, path)?;
    if connection.is_readonly("main").map_err(failed)? {
        return Err(read_only(path));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Specs and reasons are private. Not being the file's owner is no reason not to use it.
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
    }
    let synchronous = match durability {
        Durability::Process => "NORMAL",
        Durability::Power => "FULL",
    };
    log_ahead(&connection, patience)
        .and_then(|()| connection.pragma_update(None, "synchronous", synchronous))
        .map_err(failed)?;
    Ok(connection)
}

/// Turns the write-ahead log on. SQLite does not wait for another process that does the same to a new
/// file: what it holds then is half of what both need, and it tells both that the file is busy.
fn log_ahead(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let until = Instant::now() + patience;
    loop {
        let mode = |row: &Row<'_>| row.get::<_, String>(0);
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", mode) {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < until =>
            {
                std::thread::sleep(PAUSE);
            }
            done => return done.map(drop),
        }
    }
}
