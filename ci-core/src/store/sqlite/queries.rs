//! What is asked of the tables.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::reports;
use super::trouble::{trouble, unreadable};
use crate::clock::Timestamp;
use crate::event::{EventRecord, JobResult, RunEvent};
use crate::id::RunId;
use crate::outcome::OutcomeKind;
use crate::store::{
    NewRun, OwnerId, Request, RequestRecord, RunQuery, RunSummary, StoreError, StoreErrorKind,
};

/// Of how many of its latest successes the usual duration of a job is the median.
const LATEST: usize = 20;

fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| {
        StoreError::new(StoreErrorKind::Other, "a value cannot be kept").with_source(error)
    })
}

/// Keeps a new run.
pub(super) fn create(
    connection: &Connection,
    path: &Path,
    run: &NewRun,
    owner: &OwnerId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (spec, facts) = (json(&*run.workflow)?, json(&run.facts)?);
    let id = run.id.to_string();
    connection
        .prepare_cached(
            "INSERT INTO runs (id, workflow, branch, revision, created, owner, rerun_of)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                id,
                &*run.workflow.name,
                run.facts.branch,
                run.facts.revision,
                millis(run.created),
                &*owner.0,
                run.rerun_of.map(|id| id.to_string()),
            ])
        })
        .map_err(|error| trouble(path, error))?;
    connection
        .execute(
            "INSERT INTO specs (run, spec, facts) VALUES (?, ?, ?)",
            params![id, spec, facts],
        )
        .map_err(|error| trouble(path, error))?;
    beat(connection, owner, now, true)
        .map(drop)
        .map_err(|error| trouble(path, error))
}

/// Notes that an owner lives. False if it is not known (any more) and `begin` does not make it so.
pub(super) fn beat(
    connection: &Connection,
    owner: &OwnerId,
    now: Timestamp,
    begin: bool,
) -> rusqlite::Result<bool> {
    let text = if begin {
        "INSERT INTO owners (id, heartbeat) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET heartbeat = ?2"
    } else {
        "UPDATE owners SET heartbeat = ?2 WHERE id = ?1"
    };
    let changed = connection
        .prepare_cached(text)?
        .execute(params![&*owner.0, millis(now)])?;
    Ok(changed > 0)
}

/// Whether a run belongs to this owner.
pub(super) fn is_owner(
    connection: &Connection,
    run: RunId,
    owner: &OwnerId,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM runs WHERE id = ? AND owner = ?")?
        .exists(params![run.to_string(), &*owner.0])
}

/// Whether a run is there, and its owner: empty for none.
pub(super) fn owner_of(connection: &Connection, run: RunId) -> rusqlite::Result<Option<String>> {
    connection
        .query_row(
            "SELECT coalesce(owner, '') FROM runs WHERE id = ?",
            [run.to_string()],
            |row| row.get(0),
        )
        .optional()
}

/// Whether an owner counts as living: by its process on this machine, else by its heartbeat.
pub(super) fn lives(
    connection: &Connection,
    owner: &str,
    now: Timestamp,
    ttl: Duration,
) -> rusqlite::Result<bool> {
    let beat: Option<i64> = connection
        .prepare_cached("SELECT heartbeat FROM owners WHERE id = ?")?
        .query_row([owner], |row| row.get(0))
        .optional()?;
    let Some(beat) = beat else { return Ok(false) };
    Ok(OwnerId(owner.into())
        .lives()
        .unwrap_or_else(|| now.since(timestamp(beat)) < ttl))
}

/// Gives a run to an owner. It goes on, unless it has ended for good.
pub(super) fn own(
    connection: &Connection,
    run: RunId,
    owner: &OwnerId,
    now: Timestamp,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE runs SET owner = ?2 WHERE id = ?1",
        params![run.to_string(), &*owner.0],
    )?;
    connection.execute(
        "UPDATE runs SET outcome = NULL, finished = NULL
         WHERE id = ?1 AND outcome IN (?2, ?3)",
        params![
            run.to_string(),
            OutcomeKind::OnHold.as_str(),
            OutcomeKind::Interrupted.as_str()
        ],
    )?;
    beat(connection, owner, now, true).map(drop)
}

/// Takes everything from an owner.
pub(super) fn disown(connection: &Connection, owner: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM leases WHERE owner = ?", [owner])?;
    connection.execute("DELETE FROM owners WHERE id = ?", [owner])?;
    connection.execute("UPDATE runs SET owner = NULL WHERE owner = ?", [owner])?;
    Ok(())
}

/// Adds an event to the journal, and to the tables that sum the journal up.
pub(super) fn append(
    connection: &Connection,
    path: &Path,
    record: &EventRecord,
) -> Result<(), StoreError> {
    let failed = |error| trouble(path, error);
    let seq = i64::try_from(record.seq).unwrap_or(i64::MAX);
    let run = record.run.to_string();
    let event = json(record)?;
    connection
        .prepare_cached("INSERT INTO journal (run, seq, event) VALUES (?, ?, ?)")
        .and_then(|mut insert| insert.execute(params![run, seq, event]))
        .map_err(failed)?;
    if let Some((ended, reused)) = JobResult::of(&record.event) {
        let spent = i64::try_from(ended.duration.as_millis()).unwrap_or(i64::MAX);
        let (outcome, kept) = (ended.outcome.as_str(), json(&ended)?);
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO jobs
                 (run, name, workflow, position, outcome, duration, result, reused)
                 SELECT ?1, ?2, workflow, ?3, ?4, ?5, ?6, ?7 FROM runs WHERE id = ?1",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    run,
                    &*ended.name,
                    seq,
                    outcome,
                    spent,
                    kept,
                    reused
                ])
            })
            .map_err(failed)?;
    } else if let RunEvent::Coverage { .. } = &record.event {
        reports::note(connection, record).map_err(failed)?;
    } else if let RunEvent::RunFinished { outcome, .. } = &record.event {
        connection
            .execute(
                "UPDATE runs SET outcome = ?2, finished = ?3 WHERE id = ?1",
                params![run, outcome.as_str(), millis(record.time)],
            )
            .map_err(failed)?;
    }
    Ok(())
}

/// A run with what it runs and what it is for, both as JSON.
pub(super) fn run(
    connection: &Connection,
    path: &Path,
    id: RunId,
) -> Result<Option<(RunRow, String, String)>, StoreError> {
    connection
        .query_row(
            &format!("SELECT {COLUMNS}, spec, facts FROM runs JOIN specs ON run = id WHERE id = ?"),
            [id.to_string()],
            |row| Ok((RunRow::read(row)?, row.get("spec")?, row.get("facts")?)),
        )
        .optional()
        .map_err(|error| trouble(path, error))
}

/// The journal of a run, oldest first.
pub(super) fn journal(
    connection: &Connection,
    path: &Path,
    id: RunId,
) -> Result<Vec<EventRecord>, StoreError> {
    let failed = |error| trouble(path, error);
    let mut select = connection
        .prepare_cached("SELECT event FROM journal WHERE run = ? ORDER BY seq")
        .map_err(failed)?;
    let rows = select
        .query_map([id.to_string()], |row| row.get::<_, String>(0))
        .map_err(failed)?;
    rows.map(|text| {
        serde_json::from_str(&text.map_err(failed)?)
            .map_err(|error| unreadable(path, "an event", &id, error))
    })
    .collect()
}

const COLUMNS: &str = "id, workflow, outcome, branch, revision, created, finished, rerun_of, owner";

/// A run as its table has it.
#[derive(Debug)]
pub(super) struct RunRow {
    id: String,
    workflow: String,
    outcome: Option<String>,
    branch: Option<String>,
    revision: Option<String>,
    created: i64,
    finished: Option<i64>,
    rerun_of: Option<String>,
    owner: Option<String>,
}

impl RunRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            workflow: row.get("workflow")?,
            outcome: row.get("outcome")?,
            branch: row.get("branch")?,
            revision: row.get("revision")?,
            created: row.get("created")?,
            finished: row.get("finished")?,
            rerun_of: row.get("rerun_of")?,
            owner: row.get("owner")?,
        })
    }

    /// The run with its jobs, and whether its owner lives.
    pub(super) fn summary(
        self,
        connection: &Connection,
        path: &Path,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<RunSummary, StoreError> {
        let failed = |error| trouble(path, error);
        let active = match &self.owner {
            Some(owner) => lives(connection, owner, now, ttl).map_err(failed)?,
            None => false,
        };
        let id = |text: &str| {
            text.parse()
                .map_err(|error| unreadable(path, "an id", &self.id, error))
        };
        Ok(RunSummary {
            jobs: jobs(connection, path, &self.id)?,
            id: id(&self.id)?,
            workflow: self.workflow.into(),
            outcome: self.outcome.as_deref().and_then(kind),
            active,
            branch: self.branch,
            revision: self.revision,
            created: timestamp(self.created),
            finished: self.finished.map(timestamp),
            rerun_of: self.rerun_of.as_deref().map(id).transpose()?,
        })
    }
}

fn kind(text: &str) -> Option<OutcomeKind> {
    OutcomeKind::ALL
        .into_iter()
        .find(|kind| kind.as_str() == text)
}

/// The jobs of a run that have ended, in the order in which they did.
fn jobs(connection: &Connection, path: &Path, run: &str) -> Result<Vec<JobResult>, StoreError> {
    let failed = |error| trouble(path, error);
    let mut select = connection
        .prepare_cached("SELECT result FROM jobs WHERE run = ? ORDER BY position")
        .map_err(failed)?;
    let rows = select
        .query_map([run], |row| row.get::<_, String>(0))
        .map_err(failed)?;
    rows.map(|text| {
        serde_json::from_str(&text.map_err(failed)?)
            .map_err(|error| unreadable(path, "a job", &run, error))
    })
    .collect()
}

/// How many runs match a query, and the rows of the asked part, newest first.
pub(super) fn runs(
    connection: &Connection,
    query: &RunQuery,
) -> rusqlite::Result<(u64, Vec<RunRow>)> {
    let mut conditions = vec!["1"];
    let mut values: Vec<Value> = Vec::new();
    let wanted = [
        ("workflow = ?", query.workflow.clone()),
        ("branch = ?", query.branch.clone()),
        ("revision = ?", query.revision.clone()),
        (
            "outcome = ?",
            query.outcome.map(|kind| kind.as_str().to_owned()),
        ),
    ];
    for (condition, value) in wanted {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value.into());
        }
    }
    let conditions = conditions.join(" AND ");
    let total: i64 = connection.query_row(
        &format!("SELECT count(*) FROM runs WHERE {conditions}"),
        params_from_iter(values.iter()),
        |row| row.get(0),
    )?;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    values.push(query.limit.map_or(-1, whole).into());
    values.push(whole(query.offset).into());
    let text =
        format!("SELECT {COLUMNS} FROM runs WHERE {conditions} ORDER BY id DESC LIMIT ? OFFSET ?");
    let mut select = connection.prepare(&text)?;
    let rows = select.query_map(params_from_iter(values.iter()), RunRow::read)?;
    Ok((
        u64::try_from(total).unwrap_or(0),
        rows.collect::<Result<_, _>>()?,
    ))
}

/// The usual duration of each job of a workflow.
pub(super) fn durations(
    connection: &Connection,
    workflow: &str,
) -> rusqlite::Result<HashMap<Arc<str>, Duration>> {
    let mut select = connection.prepare_cached(
        "SELECT name, duration FROM jobs
         WHERE workflow = ? AND outcome = 'success' AND reused = 0 ORDER BY name, run DESC",
    )?;
    let mut latest: HashMap<Arc<str>, Vec<i64>> = HashMap::new();
    let mut rows = select.query([workflow])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let spent = latest.entry(name.into()).or_default();
        if spent.len() < LATEST {
            spent.push(row.get(1)?);
        }
    }
    let median = |mut spent: Vec<i64>| {
        spent.sort_unstable();
        let middle = spent.get(spent.len() / 2).copied().unwrap_or(0);
        Duration::from_millis(u64::try_from(middle).unwrap_or(0))
    };
    Ok(latest
        .into_iter()
        .map(|(name, spent)| (name, median(spent)))
        .collect())
}

/// Leaves a request.
pub(super) fn request(
    connection: &Connection,
    path: &Path,
    request: &Request,
) -> Result<(), StoreError> {
    let text = json(request)?;
    connection
        .execute(
            "INSERT INTO requests (run, request) VALUES (?, ?)",
            params![request.run.to_string(), text],
        )
        .map_err(|error| trouble(path, error))?;
    Ok(())
}

/// The requests to a run after `seq`.
pub(super) fn requests(
    connection: &Connection,
    path: &Path,
    run: RunId,
    seq: u64,
) -> Result<Vec<RequestRecord>, StoreError> {
    let failed = |error| trouble(path, error);
    let mut select = connection
        .prepare_cached("SELECT seq, request FROM requests WHERE run = ? AND seq > ? ORDER BY seq")
        .map_err(failed)?;
    let after = i64::try_from(seq).unwrap_or(i64::MAX);
    let rows = select
        .query_map(params![run.to_string(), after], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
        .map_err(failed)?;
    rows.map(|row| {
        let (seq, text) = row.map_err(failed)?;
        let request = serde_json::from_str(&text)
            .map_err(|error| unreadable(path, "a request", &run, error))?;
        Ok(RequestRecord {
            seq: u64::try_from(seq).unwrap_or(0),
            request,
        })
    })
    .collect()
}

/// The ended runs, newest first, with when they were made.
pub(super) fn ended(connection: &Connection) -> rusqlite::Result<Vec<(String, Timestamp)>> {
    let mut select = connection
        .prepare("SELECT id, created FROM runs WHERE outcome IS NOT NULL ORDER BY id DESC")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, timestamp(row.get(1)?))))?;
    rows.collect()
}

/// Removes all that the tables have of a run, if it has ended.
pub(super) fn remove_ended(connection: &Connection, run: &str) -> rusqlite::Result<bool> {
    let ended = connection
        .prepare_cached("SELECT 1 FROM runs WHERE id = ? AND outcome IS NOT NULL")?
        .exists([run])?;
    if !ended {
        return Ok(false);
    }
    connection.execute("DELETE FROM journal WHERE run = ?", [run])?;
    connection.execute("DELETE FROM jobs WHERE run = ?", [run])?;
    reports::remove(connection, run)?;
    connection.execute("DELETE FROM requests WHERE run = ?", [run])?;
    connection.execute("DELETE FROM specs WHERE run = ?", [run])?;
    connection.execute("DELETE FROM runs WHERE id = ?", [run])?;
    Ok(true)
}
