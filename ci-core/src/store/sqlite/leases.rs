//! Places in groups, as rows that die with their owner.

use std::collections::BTreeSet;
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

/// The owners that died with places in a group.
fn dead_holders(
    connection: &Connection,
    group: &str,
    now: Timestamp,
    ttl: Duration,
) -> rusqlite::Result<Vec<String>> {
    let mut select =
        connection.prepare_cached("SELECT DISTINCT owner FROM leases WHERE pool = ?")?;
    let holders: Vec<String> = select
        .query_map([group], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut dead = Vec::new();
    for holder in holders {
        if !queries::lives(connection, &holder, now, ttl)? {
            dead.push(holder);
        }
    }
    Ok(dead)
}

/// The runs of owners that died with places in a group.
pub(super) fn abandoned(
    connection: &Connection,
    group: &str,
    now: Timestamp,
    ttl: Duration,
) -> rusqlite::Result<Vec<RunId>> {
    let mut runs = BTreeSet::new();
    let mut select = connection.prepare_cached("SELECT run FROM leases WHERE owner = ?")?;
    for owner in dead_holders(connection, group, now, ttl)? {
        for run in select.query_map([owner], |row| row.get::<_, String>(0))? {
            runs.extend(run?.parse::<RunId>());
        }
    }
    Ok(runs.into_iter().collect())
}

/// Takes a place in a group, after taking everything from holders that died; `None` if it is full.
pub(super) fn acquire(
    connection: &Connection,
    request: &LeaseRequest,
    now: Timestamp,
    ttl: Duration,
) -> rusqlite::Result<Option<Lease>> {
    for holder in dead_holders(connection, &request.group, now, ttl)? {
        // Not only the lease: its next heartbeat has to say that it lost something.
        queries::disown(connection, &holder)?;
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
    }))
}

/// Hands the places of a run to its new owner.
pub(super) fn hand_on(connection: &Connection, run: RunId, new: &OwnerId) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE leases SET owner = ?2 WHERE run = ?1",
        [&*run.to_string(), &*new.0],
    )?;
    Ok(())
}

/// The places that an owner has.
pub(super) fn of(connection: &Connection, owner: &OwnerId) -> rusqlite::Result<Vec<Lease>> {
    let mut select = connection
        .prepare_cached("SELECT pool, fence FROM leases WHERE owner = ? ORDER BY fence")?;
    let places = select.query_map([&*owner.0], |row| {
        let (group, fence): (String, i64) = (row.get(0)?, row.get(1)?);
        Ok(Lease {
            group: group.into(),
            fence: u64::try_from(fence).unwrap_or(0),
            owner: owner.clone(),
        })
    })?;
    places.collect()
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
