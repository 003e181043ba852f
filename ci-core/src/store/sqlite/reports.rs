//! The tables of tests and coverage.

use std::fmt::Write as _;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::queries::timestamp;
use crate::event::{CoverageRatio, CoverageTotals, EventRecord, RunEvent, TestOutcome, TestRecord};
use crate::store::{CoverageEntry, LogKey, TestEntry, TestQuery};

/// Keeps the tests of a step in the place of those that were kept for it before.
pub(super) fn keep_tests(
    connection: &Connection,
    key: &LogKey,
    tests: &[TestRecord],
) -> rusqlite::Result<()> {
    let run = key.run.to_string();
    connection
        .prepare_cached("DELETE FROM tests WHERE run = ? AND job = ? AND attempt = ? AND step = ?")?
        .execute(params![run, &*key.job, key.attempt, key.step])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO tests
         (run, job, attempt, step, position, suite, class, name, file, outcome, flaky, time,
          message, quarantined)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for (position, test) in (0_i64..).zip(tests) {
        insert.execute(params![
            run,
            &*key.job,
            key.attempt,
            key.step,
            position,
            test.suite,
            test.class,
            test.name,
            test.file,
            test.outcome.as_str(),
            test.flaky,
            test.time,
            test.message,
            test.quarantined,
        ])?;
    }
    Ok(())
}

/// Keeps what an event says of coverage.
pub(super) fn note(connection: &Connection, record: &EventRecord) -> rusqlite::Result<()> {
    let RunEvent::Coverage {
        job,
        attempt,
        step,
        totals,
        ..
    } = &record.event
    else {
        return Ok(());
    };
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let run = record.run.to_string();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO coverage
             (run, job, attempt, step, lines_covered, lines, branches_covered, branches,
              functions_covered, functions, stated)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            run,
            &**job,
            attempt,
            step,
            number(totals.lines.covered),
            number(totals.lines.total),
            number(totals.branches.covered),
            number(totals.branches.total),
            number(totals.functions.covered),
            number(totals.functions.total),
            totals.stated,
        ])?;
    Ok(())
}

/// Removes what is kept of a run.
pub(super) fn remove(connection: &Connection, run: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM tests WHERE run = ?", [run])?;
    connection.execute("DELETE FROM coverage WHERE run = ?", [run])?;
    Ok(())
}

/// The tests that a query asks for.
pub(super) fn tests(
    connection: &Connection,
    query: &TestQuery,
) -> rusqlite::Result<Vec<TestEntry>> {
    let order = "run DESC, job, attempt, step, position";
    let (text, values) = select("tests", order, query);
    let mut select = connection.prepare(&text)?;
    let rows = select.query_map(params_from_iter(values), |row| {
        let word: String = row.get("outcome")?;
        let outcome = TestOutcome::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word);
        Ok(TestEntry {
            key: key(row)?,
            revision: row.get("revision")?,
            created: timestamp(row.get("created")?),
            test: TestRecord {
                suite: row.get("suite")?,
                class: row.get("class")?,
                name: row.get("name")?,
                file: row.get("file")?,
                outcome: outcome.unwrap_or_default(),
                flaky: row.get("flaky")?,
                time: row.get("time")?,
                message: row.get("message")?,
                quarantined: row.get("quarantined")?,
            },
        })
    })?;
    rows.collect()
}

/// The coverage that a query asks for.
pub(super) fn coverage(
    connection: &Connection,
    query: &TestQuery,
) -> rusqlite::Result<Vec<CoverageEntry>> {
    let (text, values) = select("coverage", "run DESC, job, attempt, step", query);
    let mut select = connection.prepare(&text)?;
    let rows = select.query_map(params_from_iter(values), |row| {
        let ratio = |covered: &str, total: &str| {
            let number = |name: &str| -> rusqlite::Result<u64> {
                Ok(u64::try_from(row.get::<_, i64>(name)?).unwrap_or(0))
            };
            Ok::<_, rusqlite::Error>(CoverageRatio {
                covered: number(covered)?,
                total: number(total)?,
            })
        };
        Ok(CoverageEntry {
            key: key(row)?,
            revision: row.get("revision")?,
            created: timestamp(row.get("created")?),
            totals: CoverageTotals {
                lines: ratio("lines_covered", "lines")?,
                branches: ratio("branches_covered", "branches")?,
                functions: ratio("functions_covered", "functions")?,
                stated: row.get("stated")?,
            },
        })
    })?;
    rows.collect()
}

fn key(row: &Row<'_>) -> rusqlite::Result<LogKey> {
    let run: String = row.get("run")?;
    let run = run.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(LogKey {
        run,
        job: row.get::<_, String>("job")?.into(),
        attempt: row.get("attempt")?,
        step: row.get("step")?,
    })
}

/// The statement of a query: the newest runs first that fit and have a row in `table`.
fn select(table: &str, order: &str, query: &TestQuery) -> (String, Vec<Value>) {
    let mut conditions = format!("EXISTS (SELECT 1 FROM {table} WHERE run = runs.id");
    let mut values: Vec<Value> = Vec::new();
    if let Some(job) = &query.job {
        conditions.push_str(" AND job = ?");
        values.push(job.clone().into());
    }
    conditions.push(')');
    let before = "finished <= (SELECT created FROM runs AS this WHERE this.id = ?)";
    for (condition, value) in [
        ("id = ?", query.run.map(|run| run.to_string())),
        ("workflow = ?", query.workflow.clone()),
        ("branch = ?", query.branch.clone()),
        (before, query.before.map(|run| run.to_string())),
    ] {
        if let Some(value) = value {
            // Writing to a text cannot fail.
            let _ = write!(conditions, " AND {condition}");
            values.push(value.into());
        }
    }
    let most = query
        .runs
        .map_or(-1, |runs| i64::try_from(runs).unwrap_or(i64::MAX));
    values.push(most.into());
    let mut text = format!(
        "SELECT {table}.*, chosen.revision, chosen.created FROM {table} JOIN
         (SELECT id, revision, created FROM runs WHERE {conditions} ORDER BY id DESC LIMIT ?)
         AS chosen ON chosen.id = {table}.run"
    );
    if let Some(job) = &query.job {
        text.push_str(" WHERE job = ?");
        values.push(job.clone().into());
    }
    let _ = write!(text, " ORDER BY {order}");
    (text, values)
}
