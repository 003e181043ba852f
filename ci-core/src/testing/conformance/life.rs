//! Checks of how sessions begin and end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::bench::{Bench, prepare, within};
use super::check::{Check, Trouble, Verdict, check, ensure, same};
use super::processes::endless;
use crate::executor::{ExecutorErrorKind, ReapReport, ReapScope};
use crate::id::RunId;
use crate::session::{ExitStatus, Session};

/// Checks that prepare sessions of their own.
pub(super) const CHECKS: &[Check] = &[
    check!("life: a teardown leaves other sessions alone", neighbors),
    check!("life: teardown after a panic", panic),
    check!("life: preparing that is canceled leaves nothing", canceled),
];

/// The end of the session that the other checks shared.
pub(super) const LAST: &[Check] = &[check!("life: teardown ends all that still runs", teardown)];

/// Whether the executor lets more than one session exist at once.
pub(super) fn second_session(bench: &Bench) -> Result<(), Trouble> {
    if bench.executor.limit() == Some(1) {
        return Err(Trouble::skipped("the executor has one session at a time"));
    }
    Ok(())
}

async fn neighbors(bench: Bench) -> Verdict {
    second_session(&bench)?;
    let mine = bench
        .sh(&format!("{} >/dev/null 2>&1 & echo $!", endless()))
        .await?;
    let mine = vec![mine.trim().to_owned()];
    let other = bench.prepare(bench.run, "neighbor").await?;
    other.sh("true").await?;
    other.teardown().await?;
    bench.all_live(&mine).await?;
    bench.sh(&format!("kill -9 {}", mine[0])).await?;
    Ok("two jobs of one run".to_owned())
}

async fn panic(bench: Bench) -> Verdict {
    second_session(&bench)?;
    let other = bench.prepare(RunId::new(), "panic").await?;
    let words = other.leave_running().await;
    let session = Arc::clone(&other.session);
    let step = tokio::spawn(async move { stumble(session).await });
    let panicked = step.await.is_err_and(|error| error.is_panic());
    // Torn down in any case; what went wrong before is told after.
    let torn = other.teardown().await;
    let words = words?;
    ensure(panicked, || "the step did not panic".to_owned())?;
    torn?;
    bench.gone(&words, "the teardown")?;
    Ok(String::new())
}

/// A step that panics while it holds the session and a command of it runs.
#[expect(clippy::panic, reason = "the step has to panic")]
async fn stumble(session: Arc<dyn Session>) {
    let _held = session;
    tokio::task::yield_now().await;
    panic!("this panic is part of the conformance check");
}

async fn canceled(bench: Bench) -> Verdict {
    let mut given_up = 0;
    let mut too_late = 0;
    for delay in [None, Some(0), Some(2), Some(20), Some(100), Some(300)] {
        let (run, cancel) = (RunId::new(), CancellationToken::new());
        match delay {
            None => cancel.cancel(),
            Some(millis) => {
                let cancel = cancel.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    cancel.cancel();
                });
            }
        }
        let ask = prepare(
            bench.executor.as_ref(),
            &bench.options,
            (run, "canceled"),
            cancel,
        );
        let most = bench.options.grace + bench.options.patience;
        let answer = within(most, "giving up", ask).await?;
        match answer {
            Err(error) if error.kind() == ExecutorErrorKind::Canceled => given_up += 1,
            Err(error) => return Err(Trouble::from(error).at("another error than Canceled")),
            Ok(_) if delay.is_none() => {
                return Err(Trouble::failed("a request canceled before gave a session"));
            }
            Ok(session) => {
                too_late += 1;
                session.teardown().await?;
            }
        }
        let left = bench.executor.reap(&ReapScope::Run(run)).await?;
        same("what was left to reap", &left, &ReapReport::default())?;
    }
    Ok(format!("{given_up} given up, {too_late} already done"))
}

async fn teardown(bench: Bench) -> Verdict {
    let words = bench.leave_running().await;
    let sleep = endless();
    let running = bench.start(bench.command(&format!("echo started; {sleep}")));
    bench
        .soon("the command's start", running.log.lines(1))
        .await?;
    let began = Instant::now();
    bench.teardown().await?;
    let took = began.elapsed();

    let ended = running.end(bench.options.patience).await;
    if let Ok(ran) = &ended {
        ensure(ran.status != ExitStatus::Code(0), || {
            "a command that the teardown ended counts as a success".to_owned()
        })?;
    }
    let after = bench
        .start(bench.command("true"))
        .end(bench.options.patience)
        .await;
    ensure(after.is_err(), || {
        format!("a command after the teardown gave {after:?}")
    })?;
    let words = words?;
    bench.gone(&words, "the teardown")?;
    bench.gone(&sleep, "the teardown")?;
    let ended = ended.map_or_else(|_| "an error".to_owned(), |ran| format!("{:?}", ran.status));
    Ok(format!(
        "after {took:.2?}; the command that ran gave {ended}"
    ))
}
