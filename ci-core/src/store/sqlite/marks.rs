//! How far watchers and schedules are, each under a key of its own.

use rusqlite::{Connection, OptionalExtension, params};

/// What is marked under a key.
pub(super) fn get(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM marks WHERE key = ?")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Marks `new` if `old` is what is there. The transaction around it makes both one.
pub(super) fn set(
    connection: &Connection,
    key: &str,
    old: Option<&str>,
    new: &str,
) -> rusqlite::Result<bool> {
    if get(connection, key)?.as_deref() != old {
        return Ok(false);
    }
    connection.execute(
        "INSERT OR REPLACE INTO marks (key, value) VALUES (?, ?)",
        params![key, new],
    )?;
    Ok(true)
}
