//! Tells that a repository may have changed: by events of the file system, else by time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{EventKind, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Wakes a waiter when the references of a repository may have changed. What the system does not tell,
/// as on network disks, is found by looking again from time to time.
pub(super) struct Bell {
    rings: Arc<Notify>,
    watcher: Option<notify::RecommendedWatcher>,
}

impl Bell {
    /// A bell that nothing rings yet. Without events of the file system it never rings by itself.
    pub(super) fn new() -> Self {
        let rings = Arc::new(Notify::new());
        let ring = Arc::clone(&rings);
        let tell = move |event: notify::Result<notify::Event>| {
            // Reading is no change; an error may hide one.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                ring.notify_one();
            }
        };
        Self {
            rings,
            watcher: notify::recommended_watcher(tell).ok(),
        }
    }

    /// Lets the repository whose shared directory this is ring the bell. False where the system has no
    /// events for it.
    pub(super) fn add(&mut self, common_dir: &Path) -> bool {
        let Some(watcher) = &mut self.watcher else {
            return false;
        };
        // `packed-refs` and `HEAD` are replaced in the directory itself; the objects beside them come
        // by the thousand and say nothing that a reference does not say.
        let own = watcher.watch(common_dir, RecursiveMode::NonRecursive);
        let refs = watcher.watch(&common_dir.join("refs"), RecursiveMode::Recursive);
        own.is_ok() && refs.is_ok()
    }

    /// Waits until it rings. A ring while nobody waited counts.
    pub(super) async fn wait(&self) {
        self.rings.notified().await;
    }
}

/// The directory that all working trees of a repository share: where its references are.
pub(super) fn common_dir(repository: &Path) -> Option<PathBuf> {
    let git = crate::vcs::open(repository).ok()?;
    Some(git.commondir().to_path_buf())
}
