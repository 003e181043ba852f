//! A checkout that an earlier job of the run was given and left untouched is as good as a new one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bring::{Wanted, blocking, bring};
use super::error::CheckoutError;
use super::monitor::Monitor;
use super::source::is_full_hash;
use crate::session::KeptTrees;

/// Takes what is wanted from the kept trees, or brings it into `dir` and has it noted there. Gives the
/// commit.
pub(super) async fn take_or_bring(
    wanted: Wanted,
    dir: PathBuf,
    kept: Option<Arc<dyn KeptTrees>>,
    monitor: &Arc<Monitor>,
) -> Result<String, CheckoutError> {
    let Some((kept, key)) = kept.zip(key(&wanted)) else {
        return bring(wanted, dir, monitor).await;
    };
    if kept.take(&key, &dir) {
        return Ok(wanted.revision);
    }
    let is_empty = is_empty(&dir);
    let commit = bring(wanted, dir.clone(), monitor).await?;
    if is_empty {
        blocking(move || {
            // Objects are named by what is in them: more of them change nothing.
            kept.note(&key, &dir, ".git/objects");
            Ok(())
        })
        .await?;
    }
    Ok(commit)
}

/// What names a checkout; `None` for one that may be another the next time.
fn key(wanted: &Wanted) -> Option<String> {
    is_full_hash(&wanted.revision).then(|| format!("{wanted:?}"))
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none())
}
