//! The tables of a store, and the way from older ones.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::trouble::trouble;
use crate::store::{StoreError, StoreErrorKind};

/// Marks the file as a run store (`CIrs`).
const APPLICATION_ID: i32 = 0x4349_7273;

/// What each version added; a store is brought up to date by those it has not seen.
const MIGRATIONS: [&str; 4] = [
    "
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        workflow TEXT NOT NULL,
        spec TEXT NOT NULL,
        facts TEXT NOT NULL,
        branch TEXT,
        revision TEXT,
        created INTEGER NOT NULL,
        finished INTEGER,
        outcome TEXT,
        owner TEXT,
        rerun_of TEXT
    ) WITHOUT ROWID;
    CREATE TABLE journal (
        run TEXT NOT NULL,
        seq INTEGER NOT NULL,
        event TEXT NOT NULL,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
    CREATE TABLE jobs (
        run TEXT NOT NULL,
        name TEXT NOT NULL,
        workflow TEXT NOT NULL,
        position INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        duration INTEGER NOT NULL,
        result TEXT NOT NULL,
        reused INTEGER NOT NULL,
        PRIMARY KEY (run, name)
    ) WITHOUT ROWID;
    CREATE INDEX jobs_by_workflow ON jobs (workflow, outcome, name, run);
    CREATE TABLE requests (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        run TEXT NOT NULL,
        request TEXT NOT NULL
    );
    CREATE INDEX requests_by_run ON requests (run, seq);
    CREATE TABLE owners (
        id TEXT PRIMARY KEY,
        heartbeat INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE leases (
        fence INTEGER PRIMARY KEY AUTOINCREMENT,
        pool TEXT NOT NULL,
        owner TEXT NOT NULL,
        run TEXT NOT NULL,
        job TEXT NOT NULL
    );
    CREATE INDEX leases_by_pool ON leases (pool);
",
    "
    CREATE TABLE tests (
        run TEXT NOT NULL,
        job TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        step INTEGER NOT NULL,
        position INTEGER NOT NULL,
        suite TEXT NOT NULL,
        class TEXT NOT NULL,
        name TEXT NOT NULL,
        file TEXT,
        outcome TEXT NOT NULL,
        flaky INTEGER NOT NULL,
        time REAL,
        message TEXT,
        quarantined INTEGER NOT NULL,
        PRIMARY KEY (run, job, attempt, step, position)
    ) WITHOUT ROWID;
    CREATE TABLE coverage (
        run TEXT NOT NULL,
        job TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        step INTEGER NOT NULL,
        lines_covered INTEGER NOT NULL,
        lines INTEGER NOT NULL,
        branches_covered INTEGER NOT NULL,
        branches INTEGER NOT NULL,
        functions_covered INTEGER NOT NULL,
        functions INTEGER NOT NULL,
        stated REAL,
        PRIMARY KEY (run, job, attempt, step)
    ) WITHOUT ROWID;
    CREATE TABLE marks (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX runs_by_revision ON runs (revision);
",
    // A row with hundreds of kilobytes in its middle costs as many to look at: every append asks whose
    // its run is.
    "
    CREATE TABLE specs (
        run TEXT PRIMARY KEY,
        spec TEXT NOT NULL,
        facts TEXT NOT NULL
    );
    INSERT INTO specs (run, spec, facts) SELECT id, spec, facts FROM runs;
    ALTER TABLE runs DROP COLUMN spec;
    ALTER TABLE runs DROP COLUMN facts;
",
    // Steps share files for their logs: a program that knows one file for each would find none.
    "",
];

/// The version of the store at `path`, 0 for an empty file, or why it cannot be used. Changes nothing.
pub(super) fn look(connection: &Connection, path: &Path) -> Result<i32, StoreError> {
    let failed = |error| trouble(path, error);
    // All of one moment: another process may be making the tables just now.
    let moment = connection.unchecked_transaction().map_err(failed)?;
    let number = |name: &str| {
        moment
            .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
            .map_err(failed)
    };
    let (id, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = moment
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if id != APPLICATION_ID && tables > 0 {
        let message = format!("`{}` is a database of another program", path.display());
        return Err(StoreError::new(StoreErrorKind::Damaged, message)
            .with_hint("give another file as the store; nothing was changed"));
    }
    if version > latest() {
        return Err(newer(path, version));
    }
    Ok(version)
}

fn newer(path: &Path, version: i32) -> StoreError {
    let message = format!(
        "the run store `{}` has version {version}, and this program knows up to {}",
        path.display(),
        latest()
    );
    StoreError::new(StoreErrorKind::Newer, message)
        .with_hint("use the newer program, or give another store; nothing was changed")
}

fn latest() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// Brings the store at `path` up to date.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error| trouble(path, error);
    let known = latest();
    if look(connection, path)? == known {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    // Another process may have been faster, and may be of a newer program.
    let version: i32 = transaction
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(failed)?;
    if version > known {
        return Err(newer(path, version));
    }
    for migration in MIGRATIONS
        .iter()
        .skip(usize::try_from(version).unwrap_or(0))
    {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(failed)?;
    transaction
        .pragma_update(None, "user_version", known)
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_the_second_version_keep_what_they_run() {
        let mut connection = Connection::open_in_memory().unwrap();
        for migration in &MIGRATIONS[..2] {
            connection.execute_batch(migration).unwrap();
        }
        connection
            .execute_batch(
                "INSERT INTO runs (id, workflow, spec, facts, created, owner)
                 VALUES ('r', 'w', '{\"jobs\":[]}', '{}', 7, 'me');",
            )
            .unwrap();
        connection
            .pragma_update(None, "application_id", APPLICATION_ID)
            .unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
        migrate(&mut connection, Path::new("store")).unwrap();
        assert_eq!(look(&connection, Path::new("store")).unwrap(), latest());
        let kept: (String, String, String) = connection
            .query_row(
                "SELECT owner, spec, facts FROM runs JOIN specs ON run = id WHERE id = 'r'",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .unwrap();
        assert_eq!(kept, ("me".into(), "{\"jobs\":[]}".into(), "{}".into()));
    }
}
