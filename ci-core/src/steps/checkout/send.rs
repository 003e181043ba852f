//! Sends a checkout to a session that is not on this machine.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bring::{Wanted, blocking, bring};
use super::error::CheckoutError;
use super::monitor::Monitor;
use super::pack::pack;
use crate::session::{Command, ExecIo, ExitStatus, Output, Session};

/// Says whether the directory can take a checkout. An earlier checkout of the same source gives up its
/// history, which the new one brings whole.
const MAKE_ROOM: &str = r#"
mkdir -p "$CI_CHECKOUT_DIR" && cd "$CI_CHECKOUT_DIR" || exit 4
[ -n "$(ls -A)" ] || exit 0
[ -f .git/config ] && grep -qF "url = $CI_CHECKOUT_URL" .git/config || exit 3
rm -rf .git
"#;

/// Brings what is wanted to `dir` of the session, by way of a directory of this machine.
pub(super) async fn send(
    wanted: Wanted,
    session: &dyn Session,
    dir: &str,
    monitor: &Arc<Monitor>,
) -> Result<String, CheckoutError> {
    let temp = TempDir::new()?;
    let tree = temp.0.join("tree");
    let commit = bring(wanted, tree.clone(), monitor).await?;
    make_room(session, &tree, dir, monitor).await?;
    let (reader, writer) =
        std::io::pipe().map_err(|error| CheckoutError::broken("no pipe can be made", error))?;
    let watch = Arc::clone(monitor);
    let packing = blocking(move || {
        let to = BufWriter::with_capacity(1 << 16, writer);
        pack(&tree, to, || watch.is_canceled())
            .map_err(|error| CheckoutError::broken("the files cannot be packed", error))
    });
    let (packed, sent) = tokio::join!(packing, session.copy_in(Box::new(reader), dir));
    if monitor.is_canceled() {
        return Err(CheckoutError::Canceled);
    }
    // If the session gave up, packing failed only because nobody read any more.
    sent?;
    packed?;
    blocking(move || {
        drop(temp);
        Ok(())
    })
    .await?;
    Ok(commit)
}

async fn make_room(
    session: &dyn Session,
    tree: &Path,
    dir: &str,
    monitor: &Monitor,
) -> Result<(), CheckoutError> {
    let tree = tree.to_owned();
    let url = blocking(move || {
        git2::Repository::open(&tree)
            .and_then(|repository| {
                let origin = repository.find_remote("origin")?;
                Ok(origin.url().unwrap_or_default().to_owned())
            })
            .map_err(|error| CheckoutError::broken("the checkout cannot be read", error))
    })
    .await?;
    let resolved = session.info().resolve(dir);
    let script = Command::shell(["sh", "-c"], MAKE_ROOM)
        .env("CI_CHECKOUT_DIR", resolved.as_str())
        .env("CI_CHECKOUT_URL", url);
    let io = ExecIo::new(Output::discard(), monitor.cancellation().clone());
    match session.exec(&script, io).await? {
        ExitStatus::Code(0) => Ok(()),
        ExitStatus::Stopped => Err(CheckoutError::Canceled),
        ExitStatus::Code(3) => Err(CheckoutError::Refused(format!(
            "`{resolved}` is not empty and holds no checkout of this source; nothing was changed there"
        ))),
        status => Err(CheckoutError::Refused(format!(
            "`{resolved}` cannot be made ready for the files ({status:?})"
        ))),
    }
}

/// A directory that only this user may enter, removed when it is dropped.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Result<Self, CheckoutError> {
        let path = std::env::temp_dir().join(format!("ci-checkout-{}", uuid::Uuid::now_v7()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&path)
            .map_err(|error| CheckoutError::broken("no temporary directory can be made", error))?;
        Ok(Self(path))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What cannot be removed stays for the system's own cleaning; the checkout is done either way.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
