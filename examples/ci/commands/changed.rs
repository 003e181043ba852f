//! `ci changed`: what changed since a revision, and whether that is only documentation.

use ci_core::trigger::{DOCUMENTATION, only_matches};
use ci_core::vcs::{ChangeScope, changed_paths};
use serde_json::json;

use crate::args::{ChangedArgs, Format, Global};
use crate::failure::{Failure, WORKFLOW, chain};
use crate::output;

/// Prints the changed paths. With `--docs-only` the exit code is 0 if all of them are documentation,
/// else 1.
pub(crate) fn changed(global: &Global, args: &ChangedArgs) -> Result<u8, Failure> {
    let scope = if args.committed {
        ChangeScope::Commits
    } else {
        ChangeScope::WorkingTree
    };
    let paths = changed_paths(&args.project, &args.base, scope)
        .map_err(|error| Failure::input(chain(&error)))?;
    let docs_only = match &args.docs_only {
        None => None,
        Some(globs) if globs.is_empty() => Some(only_matches(&paths, &DOCUMENTATION)),
        Some(globs) => Some(only_matches(&paths, globs)),
    };
    let docs_only = docs_only
        .transpose()
        .map_err(|error| Failure::input(error.to_string()))?;
    if global.format == Format::Json {
        output::json(&json!({
            "base": args.base,
            "changed": paths,
            "docs_only": docs_only,
        }))?;
    } else {
        output::print(
            &paths
                .iter()
                .fold(String::new(), |text, path| text + path + "\n"),
        )?;
    }
    Ok(if docs_only == Some(false) {
        WORKFLOW
    } else {
        0
    })
}
