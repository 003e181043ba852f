//! Runs the checks in their order, each in a task of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::bench::{Bench, prepare, within};
use super::check::{Check, Trouble, Verdict};
use super::options::ConformanceOptions;
use super::report::{CheckOutcome, CheckReport, ConformanceReport};
use super::{copy, exec, globs, hostile, life, output, reap, stop};
use crate::executor::Executor;
use crate::id::RunId;

/// The check that comes before all others.
const PREPARE: &str = "life: a session is prepared";

/// Whether `executor` keeps the contracts of [`Executor`] and
/// [`Session`](crate::session::Session).
///
/// One session is shared by most checks, four more are prepared at most. What goes wrong in one check
/// (an error, a panic, a wait without end) does not stop the others.
pub async fn conformance(
    executor: Arc<dyn Executor>,
    options: ConformanceOptions,
) -> ConformanceReport {
    let options = Arc::new(options);
    let mut report = ConformanceReport {
        executor: executor.name().to_owned(),
        checks: unknown_names(&options),
    };
    let (run, began) = (RunId::new(), Instant::now());
    let session = within(
        options.start_up,
        "preparing a session",
        prepare(
            executor.as_ref(),
            &options,
            (run, "conformance"),
            CancellationToken::new(),
        ),
    );
    let session = session.await.and_then(|session| Ok(session?));
    let (session, verdict) = match session {
        Ok(session) => (Some(session), Ok(String::new())),
        Err(trouble) => (None, Err(trouble)),
    };
    report.checks.push(row(PREPARE, verdict, began.elapsed()));
    let Some(session) = session else {
        for check in all() {
            let verdict = Err(Trouble::skipped("there is no session"));
            report.checks.push(row(check.name, verdict, Duration::ZERO));
        }
        return report;
    };
    let bench = Bench {
        executor,
        options,
        run,
        session: Arc::from(session),
    };
    for check in all() {
        report.checks.push(one(check, &bench).await);
    }
    report
}

/// All checks but the first, in their order. The teardown of the shared session is the last.
fn all() -> impl Iterator<Item = &'static Check> {
    [
        exec::CHECKS,
        output::CHECKS,
        stop::CHECKS,
        copy::CHECKS,
        globs::CHECKS,
        hostile::CHECKS,
        life::CHECKS,
        reap::CHECKS,
        life::LAST,
    ]
    .into_iter()
    .flatten()
}

/// A failure for each name in the options that no check has: a check that is silently not left out or
/// silently never run.
fn unknown_names(options: &ConformanceOptions) -> Vec<CheckReport> {
    let skipped = options.skip.iter().map(|(name, _)| name);
    skipped
        .chain(&options.only)
        .filter(|name| !all().any(|check| check.name == name.as_str()))
        .map(|name| {
            row(
                name,
                Err(Trouble::failed("there is no check of this name")),
                Duration::ZERO,
            )
        })
        .collect()
}

async fn one(check: &Check, bench: &Bench) -> CheckReport {
    let skip = bench
        .options
        .skip
        .iter()
        .find(|(name, _)| name == check.name);
    let only = &bench.options.only;
    let left_out = !only.is_empty() && !only.iter().any(|name| name == check.name);
    let reason = match skip {
        Some((_, reason)) => Some(reason.as_str()),
        None => left_out.then_some("not asked for"),
    };
    if let Some(reason) = reason {
        // The shared session has to end in any case.
        if life::LAST.iter().any(|last| last.name == check.name) {
            let _ = bench.teardown().await;
        }
        return row(check.name, Err(Trouble::skipped(reason)), Duration::ZERO);
    }
    let began = Instant::now();
    let task = tokio::spawn((check.run)(bench.clone()));
    let stop = task.abort_handle();
    let verdict = match tokio::time::timeout(bench.options.longest, task).await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => Err(Trouble::failed(format!("it did not end well: {error}"))),
        Err(_) => {
            stop.abort();
            let most = bench.options.longest;
            Err(Trouble::failed(format!("it did not end within {most:?}")))
        }
    };
    row(check.name, verdict, began.elapsed())
}

fn row(name: &str, verdict: Verdict, duration: Duration) -> CheckReport {
    let (outcome, detail) = match verdict {
        Ok(detail) => (CheckOutcome::Passed, detail),
        Err(Trouble::Failed(detail)) => (CheckOutcome::Failed, detail),
        Err(Trouble::Skipped(detail)) => (CheckOutcome::Skipped, detail),
    };
    CheckReport {
        name: name.to_owned(),
        outcome,
        detail,
        duration,
    }
}
