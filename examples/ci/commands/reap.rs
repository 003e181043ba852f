//! `ci reap`: ends and removes what dead runs left behind.

use std::path::Path;

use ci_core::executor::{ReapReport, ReapScope};
use serde_json::json;

use crate::args::{Format, Global, ReapArgs};
use crate::failure::{Failure, chain};
use crate::{executors, open, output};

/// Removes what nobody owns any more.
pub(crate) async fn reap(global: &Global, args: &ReapArgs) -> Result<u8, Failure> {
    let settings = open::settings(args.settings.as_deref(), Path::new("."))?;
    let mut all = ReapReport::default();
    for executor in executors::reaping(&settings, args)? {
        match executor.reap(&ReapScope::Abandoned).await {
            Ok(report) => {
                all.removed.extend(report.removed);
                all.left.extend(report.left);
            }
            // Who runs no containers has none to remove.
            Err(error) if args.docker || args.aws => {
                let failure = Failure::engine(format!("`{}`: {}", executor.name(), chain(&error)));
                let hints = error.hints().iter();
                return Err(hints.fold(failure, |failure, hint| failure.hint(hint.clone())));
            }
            Err(error) => output::say(format!(
                "`{}` was not looked at: {}",
                executor.name(),
                chain(&error)
            )),
        }
    }
    if global.format == Format::Json {
        output::json(&json!({ "removed": all.removed, "left": all.left }))?;
    } else {
        for removed in &all.removed {
            output::line(format!("removed {removed}"))?;
        }
        if all == ReapReport::default() {
            output::say("nothing was left behind");
        }
    }
    if all.left.is_empty() {
        return Ok(0);
    }
    Err(Failure::engine(all.left.join("\n")))
}
