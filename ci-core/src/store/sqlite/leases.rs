//! Places in groups, as rows that die with their owner.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::queries;
use crate::clock::Timestamp;
use crate::id::RunId;
use crate::store::{Lease, LeaseRequest, OwnerId};

/// Whether an owner is known: one that is not has lost what it held.
pub(super) fn knows(connection: &Connection, owner: &OwnerId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM owners WHERE id = ?")?
        .exists([&*owner.0])
}

/// Takes a place in a group, after taking everything from holders that died; `None` if it is full.
pub(super) fn acquire(
    connection: &Connection,
    request: &LeaseRequest,
    now: Timestamp,
    ttl: Duration,
) -> rusqlite::Result<Option<Lease>> {
    let mut select =
        connection.prepare_cached("SELECT DISTINCT owner, run FROM leases WHERE pool = ?")?;
    let holders: Vec<(String, String)> = select
        .query_map([&*request.group], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut taken_from = Vec::new();
    for (holder, run) in holders {
        if !queries::lives(connection, &holder, now, ttl)? {
            taken_from.extend(run.parse::<RunId>());
            // Not only the lease: its next heartbeat has to say that it lost something.
            queries::disown(connection, &holder)?;
        }
    }
    let held: u32 = connection.query_row(
        "SELECT count(*) FROM leases WHERE pool = ?",
        [&*request.group],
        |row| row.get(0),
    )?;
    if held >= request.limit {
        return Ok(None);
    }
    connection.execute(
        "INSERT INTO leases (pool, owner, run, job) VALUES (?, ?, ?, ?)",
        params![
            &*request.group,
            &*request.owner.0,
            request.run.to_string(),
            &*request.job
        ],
    )?;
    Ok(Some(Lease {
        group: Arc::clone(&request.group),
        fence: u64::try_from(connection.last_insert_rowid()).unwrap_or(0),
        owner: request.owner.clone(),
        taken_from,
    }))
}

/// Gives a place back.
pub(super) fn release(connection: &Connection, lease: &Lease) -> rusqlite::Result<()> {
    let fence = i64::try_from(lease.fence).unwrap_or(i64::MAX);
    connection.execute(
        "DELETE FROM leases WHERE fence = ? AND owner = ?",
        params![fence, &*lease.owner.0],
    )?;
    Ok(())
}
