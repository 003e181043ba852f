//! Checks of how an executor finds what dead engines left behind.

use super::bench::{Bench, within};
use super::check::{Check, Trouble, Verdict, check, ensure, same};
use super::life::second_session;
use super::processes::endless;
use crate::executor::{ReapReport, ReapScope};
use crate::id::RunId;

pub(super) const CHECKS: &[Check] = &[
    check!("reap: the sessions of a run that nobody tore down", leaked),
    check!("reap: what belongs to others is left alone", others),
];

impl Bench {
    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, Trouble> {
        let most = self.options.grace + self.options.patience;
        Ok(within(most, "cleaning up", self.executor.reap(scope)).await??)
    }
}

async fn leaked(bench: Bench) -> Verdict {
    second_session(&bench)?;
    let run = RunId::new();
    let other = bench.prepare(run, "leaked").await?;
    let words = match other.leave_running().await {
        Ok(words) => words,
        Err(trouble) => {
            other.teardown().await?;
            return Err(trouble);
        }
    };
    // As the session of an engine that was killed: nothing of it runs, not even `Drop`.
    std::mem::forget(other);
    let report = bench.reap(&ReapScope::Run(run)).await?;
    bench.gone(&words, "cleaning up")?;
    ensure(!report.removed.is_empty(), || {
        format!("nothing was reported: {report:?}")
    })?;
    ensure(report.left.is_empty(), || {
        format!("left: {:?}", report.left)
    })?;
    let again = bench.reap(&ReapScope::Run(run)).await?;
    same(
        "what was found the second time",
        &again,
        &ReapReport::default(),
    )?;
    Ok(report.removed.join(", "))
}

async fn others(bench: Bench) -> Verdict {
    let pid = bench
        .sh(&format!("{} >/dev/null 2>&1 & echo $!", endless()))
        .await?;
    let pid = vec![pid.trim().to_owned()];
    for scope in [ReapScope::Run(RunId::new()), ReapScope::Abandoned] {
        bench.reap(&scope).await?;
        let living = bench.all_live(&pid).await;
        living.map_err(|trouble| trouble.at(format!("after {scope:?}")))?;
    }
    bench.sh(&format!("kill -9 {}", pid[0])).await?;
    Ok(String::new())
}
