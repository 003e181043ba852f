//! `ci cancel` and `ci approve`: what is asked of the process that drives a run.

use ci_core::event::RunEvent;
use ci_core::id::RunId;
use ci_core::outcome::CancelReason;
use ci_core::store::{Request, RequestKind, RunStore, StoredRun};
use serde_json::{Value, json};

use crate::args::{ApproveArgs, CancelArgs, Format, Global};
use crate::failure::Failure;
use crate::kept::Kept;
use crate::{open, output};

/// Asks a run or a job to stop.
pub(crate) async fn cancel(global: &Global, args: CancelArgs) -> Result<u8, Failure> {
    let store = Kept::here(global)?.store_to_read()?;
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
    let store = Kept::here(global)?.store_to_read()?;
    let run = open::run_id(&*store, &args.run).await?;
    let stored = store.load(run).await?;
    open::known_job(&stored, &args.job)?;
    let is_held = is_held(&stored, &args.job)?;
    let active = stored.summary.active;
    let approved = !args.reject;
    let document = json!({
        "request": "approve",
        "job": args.job,
        "approved": approved,
        "active": active,
    });
    if !is_held {
        output::say(early(&args.job));
    }
    let kind = RequestKind::Approve {
        job: args.job,
        approved,
    };
    let code = ask(global, &*store, (run, kind, args.by), document).await?;
    // It may have ended on hold just before it could hear of this.
    if !active || !store.load(run).await?.summary.active {
        output::say(global.typed(&format!(
            "nothing drives the run now; `ci resume {run}` goes on with it"
        )));
    }
    Ok(code)
}

/// Whether a job waits for a decision now.
///
/// # Errors
/// When no decision about it can count any more: it has ended, or the run has.
pub(super) fn is_held(stored: &StoredRun, job: &str) -> Result<bool, Failure> {
    let run = stored.summary.id;
    if let Some(outcome) = stored.summary.outcome.filter(|it| !it.can_go_on()) {
        let words = format!("the run `{run}` has ended as {outcome}: `{job}` is not held");
        return Err(Failure::input(words).hint(format!("`ci show {run}` shows how it ended")));
    }
    let mut held = false;
    let events = stored.journal.iter().map(|record| &record.event);
    for event in events.filter(|event| event.job().is_some_and(|it| **it == *job)) {
        match event {
            RunEvent::JobHeld { .. } => held = true,
            RunEvent::JobFinished { result, .. } => {
                let words = format!(
                    "the job `{job}` is not held: it has ended as {}",
                    result.kind()
                );
                return Err(
                    Failure::input(words).hint(format!("`ci show {run}` shows how the run goes"))
                );
            }
            RunEvent::JobApproved { .. }
            | RunEvent::JobStarted { .. }
            | RunEvent::StepFinished { .. } => held = false,
            _ => {}
        }
    }
    Ok(held)
}

/// That a decision came before it was asked for.
pub(super) fn early(job: &str) -> String {
    format!("`{job}` is not held now; the decision counts once it is")
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
