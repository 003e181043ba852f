//! `ci cancel` and `ci approve`: what is asked of the process that drives a run.

use ci_core::id::RunId;
use ci_core::outcome::CancelReason;
use ci_core::store::{Request, RequestKind, RunStore};
use serde_json::{Value, json};

use crate::args::{ApproveArgs, CancelArgs, Format, Global};
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
    let document = json!({ "request": "cancel", "job": args.job });
    let kind = RequestKind::Cancel {
        job: args.job,
        reason: CancelReason::Requested,
    };
    ask(global, &*store, (run, kind, None), document).await
}

/// Decides about a held job.
pub(crate) async fn approve(global: &Global, args: ApproveArgs) -> Result<u8, Failure> {
    let store = Kept::here(global)?.store()?;
    let run = open::run_id(&*store, &args.run).await?;
    let stored = store.load(run).await?;
    open::known_job(&stored, &args.job)?;
    let active = stored.summary.active;
    let approved = !args.reject;
    let document = json!({
        "request": "approve",
        "job": args.job,
        "approved": approved,
        "active": active,
    });
    let kind = RequestKind::Approve {
        job: args.job,
        approved,
    };
    let code = ask(global, &*store, (run, kind, args.by), document).await?;
    if !active {
        output::say(global.typed(&format!(
            "nothing drives the run now; `ci resume {run}` goes on with it"
        )));
    }
    Ok(code)
}

/// Leaves a request for the process that drives the run. `document` says the same for programs, and gets
/// the run and who asks.
async fn ask(
    global: &Global,
    store: &dyn RunStore,
    (run, kind, by): (RunId, RequestKind, Option<String>),
    mut document: Value,
) -> Result<u8, Failure> {
    let by = by.unwrap_or_else(|| "the command line".to_owned());
    document["run"] = json!(run);
    document["by"] = json!(by);
    store.request(Request { run, kind, by }).await?;
    if global.format == Format::Json {
        output::json(&document)?;
    }
    Ok(0)
}
