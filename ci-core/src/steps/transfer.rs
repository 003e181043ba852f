//! Moving trees between a session and the storage, off the async threads and until canceled.

use std::io::{self, Read};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::files::{Base, Place};
use super::links;
use crate::outcome::{CancelReason, Outcome};
use crate::session::{SessionErrorKind, TreeReader};
use crate::step::{StepContext, StepError, StepRecord};
use crate::storage::{OutsideLink, Storage, StorageError};

/// The storage of the run.
pub(super) fn storage(cx: &StepContext) -> Result<Arc<Storage>, StepError> {
    cx.services().storage().ok_or_else(|| {
        StepError::new(
            "this run has no storage for caches, workspaces and artifacts: \
             open a `Storage` and give it to the run's options",
        )
    })
}

/// Where relative paths of the job start.
pub(super) async fn base(cx: &StepContext) -> Result<Base, StepError> {
    let session = cx.session().await?;
    let working_dir = cx.job().options.working_dir.as_deref();
    Ok(Base::new(session.info(), working_dir))
}

/// The files of a place as an archive; `None` if its directory does not exist.
pub(super) async fn copy_out(
    cx: &StepContext,
    place: &Place,
) -> Result<Option<TreeReader>, StepError> {
    let session = cx.session().await?;
    match session.copy_out(&place.selection()).await {
        Ok(reader) => Ok(Some(until(reader, cx.cancellation()))),
        Err(error) if error.kind() == SessionErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Unpacks an archive below `dir` and makes the links that lead out of it.
pub(super) async fn copy_in(
    cx: &StepContext,
    reader: TreeReader,
    dir: &str,
    outside: &[OutsideLink],
) -> Result<(), StepError> {
    let session = cx.session().await?;
    let reader = until(reader, cx.cancellation());
    session.copy_in(reader, dir).await?;
    links::make(cx, dir, outside).await
}

/// Does what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StepError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            let hints = error.hints().join("; ");
            let message = if hints.is_empty() {
                format!("could not {what}")
            } else {
                format!("could not {what} (hint: {hints})")
            };
            Err(StepError::new(message).with_source(error))
        }
        Err(error) => Err(StepError::new(format!("could not {what}")).with_source(error)),
    }
}

/// The end of a step: what went wrong because it was canceled is no error.
pub(super) fn ended(
    cx: &StepContext,
    result: Result<Outcome, StepError>,
) -> Result<Outcome, StepError> {
    match result {
        Err(_) if cx.cancellation().is_cancelled() => {
            Ok(Outcome::Canceled(CancelReason::Requested))
        }
        other => other,
    }
}

/// Says something that a person should look at.
pub(super) async fn warn(cx: &StepContext, words: String) {
    cx.say(format!("warning: {words}")).await;
    cx.record(StepRecord::Warning(words));
}

/// A size for people.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut tenths = bytes / 1024 * 10 + bytes % 1024 * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

fn until(inner: TreeReader, cancel: &CancellationToken) -> TreeReader {
    Box::new(Until {
        inner,
        cancel: cancel.clone(),
    })
}

/// Ends with an error once the step is canceled: a blocking thread sees no future that is dropped.
struct Until {
    inner: TreeReader,
    cancel: CancellationToken,
}

impl Read for Until {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("canceled"));
        }
        self.inner.read(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, expected) in [
            (17, "17 bytes"),
            (1024, "1.0 KiB"),
            (1_572_864, "1.5 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
