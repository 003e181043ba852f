//! `ci cancel` and `ci approve`: what is asked of the process that drives a run.

use ci_core::id::RunId;
use ci_core::outcome::CancelReason;
use ci_core::store::{Request, RequestKind, RunStore};

use crate::args::{ApproveArgs, CancelArgs, Global};
use crate::failure::Failure;
use crate::kept::Kept;
use crate::{open, output};

/// Asks a run or a job to stop.
pub(crate) async fn cancel(global: &Global, args: CancelArgs) -> Result<u8, Failure> {
    let store = Kept::here(global)?.store()?;
    let run = open::run_id(&*store, &args.run.run).await?;
    let stored = store.load(run).await?;
    if !stored.summary.active {
        return Err(Failure::input(format!("the run `{run}` does not go on"))
            .hint(format!("`ci show {run}` shows how it ended")));
    }
    if let Some(job) = &args.job {
        open::known_job(&stored, job)?;
    }
    let kind = RequestKind::Cancel {
        job: args.job,
        reason: CancelReason::Requested,
    };
    ask(&*store, run, kind, None).await
}

/// Decides about a held job.
pub(crate) async fn approve(global: &Global, args: ApproveArgs) -> Result<u8, Failure> {
    let store = Kept::here(global)?.store()?;
    let run = open::run_id(&*store, &args.run).await?;
    let stored = store.load(run).await?;
    open::known_job(&stored, &args.job)?;
    let active = stored.summary.active;
    let kind = RequestKind::Approve {
        job: args.job,
        approved: !args.reject,
    };
    let code = ask(&*store, run, kind, args.by).await?;
    if !active {
        output::say(format!(
            "nothing drives the run now; `ci resume {run}` goes on with it"
        ));
    }
    Ok(code)
}

async fn ask(
    store: &dyn RunStore,
    run: RunId,
    kind: RequestKind,
    by: Option<String>,
) -> Result<u8, Failure> {
    let by = by.unwrap_or_else(|| "the command line".to_owned());
    store.request(Request { run, kind, by }).await?;
    Ok(0)
}
