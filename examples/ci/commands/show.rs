//! `ci show`: how a run went, or only what failed in it.

use ci_core::shell::word;
use ci_core::store::RunStore;
use ci_core::view::{FailureQuery, failure, failure_text};
use clap::builder::NonEmptyStringValueParser;

use super::runs;
use crate::args::{Format, Global, RunRef};
use crate::failure::Failure;
use crate::kept::Kept;
use crate::{open, output};

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) run: RunRef,
    /// The newest run, which is the default
    #[arg(long, conflicts_with = "run")]
    pub(crate) last: bool,
    /// Only what failed: the steps with their first failing lines, the tests, and what changed since
    /// the last success
    #[arg(long)]
    pub(crate) failed: bool,
    /// The newest run for this branch
    #[arg(long, value_name = "NAME", conflicts_with = "run", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) branch: Option<String>,
    /// How many lines of output are shown of each failed step
    #[arg(
        long,
        value_name = "N",
        default_value_t = 12,
        requires = "failed",
        value_parser = clap::value_parser!(u16).range(0..=1000)
    )]
    pub(crate) lines: u16,
}

/// Shows how a run went.
pub(crate) async fn show(global: &Global, args: &ShowArgs) -> Result<u8, Failure> {
    let store = Kept::here(global)?.store_to_read()?;
    let mut query = FailureQuery::default()
        .branch(args.branch.clone())
        .lines(usize::from(args.lines));
    if args.branch.is_none() {
        query = query.run(open::run_id(&*store, &args.run.run).await?);
    }
    let store: &dyn RunStore = &*store;
    let Some(view) = failure(store, &query).await? else {
        let branch = args.branch.as_deref().unwrap_or_default();
        return Err(
            Failure::input(format!("no run is for the branch `{branch}`"))
                .hint("`ci runs` lists all runs with their branches"),
        );
    };
    if !args.failed {
        return runs::show(global, store, view.run).await;
    }
    if global.format == Format::Json {
        output::json(&serde_json::to_value(&view)?)?;
        return Ok(0);
    }
    output::print(&failure_text(&view))?;
    if let Some(job) = view.jobs.first() {
        output::say(global.typed(&format!(
            "\nhint: `ci logs {} {}` shows all that `{}` printed",
            view.run,
            word(&job.name),
            job.name
        )));
    }
    Ok(0)
}
