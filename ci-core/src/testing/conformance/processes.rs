//! Whether processes that a check started still live.

use std::sync::atomic::{AtomicU32, Ordering};

use super::bench::Bench;
use super::check::{Trouble, ensure};

/// A shell function: whether the process lives. One that has ended but was not yet waited for does not.
const LIVES: &str = r#"lives() {
  if [ -r /proc/self/stat ]; then
    state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || state=
  else
    state=$(ps -o stat= -p "$1" 2>/dev/null) || state=
  fi
  case $state in ''|Z*|X*) return 1 ;; *) return 0 ;; esac
}
"#;

/// A command that sleeps for ever and that no other process in the world has: the words to look for
/// and the command at once.
pub(super) fn endless() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % 1000;
    let process = std::process::id() % 1_000_000;
    // Never shorter than three years, and with the same number of digits for all.
    format!("sleep 1{process:06}{number:03}")
}

impl Bench {
    /// Those of the processes that live, as their session sees them.
    pub(super) async fn living(&self, pids: &[String]) -> Result<Vec<String>, Trouble> {
        for pid in pids {
            let number = pid.parse::<u32>().is_ok();
            ensure(number, || format!("`{pid}` is no process number"))?;
        }
        let script = format!(
            "{LIVES}for pid in {}; do if lives $pid; then echo $pid; fi; done",
            pids.join(" ")
        );
        let living = self.sh(&script).await?;
        Ok(living.lines().map(ToOwned::to_owned).collect())
    }

    /// Fails unless all these processes live.
    pub(super) async fn all_live(&self, pids: &[String]) -> Result<(), Trouble> {
        let living = self.living(pids).await?;
        ensure(living == pids, || {
            format!("of the processes {pids:?} only {living:?} live")
        })
    }

    /// Fails unless none of these processes lives.
    pub(super) async fn none_lives(&self, pids: &[String]) -> Result<(), Trouble> {
        let living = self.living(pids).await?;
        ensure(living.is_empty(), || {
            format!("of the processes {pids:?} {living:?} still live")
        })
    }

    /// Starts a process in the background of the session, and waits until it is there. Gives the words
    /// to look for from outside.
    pub(super) async fn leave_running(&self) -> Result<String, Trouble> {
        if self.options.still_running.is_none() {
            let reason = "nothing looks for processes from outside (`still_running`)";
            return Err(Trouble::skipped(reason));
        }
        let words = endless();
        self.sh(&format!("{words} >/dev/null 2>&1 &")).await?;
        self.until("a background process to be seen from outside", || {
            self.runs(&words)
        })
        .await?;
        Ok(words)
    }

    /// Whether a process with these words runs on the machine of the session.
    pub(super) fn runs(&self, words: &str) -> bool {
        let look = self.options.still_running.as_ref();
        look.is_some_and(|look| look(words))
    }

    /// Fails if a process with these words runs: whoever ended it has waited for its end.
    pub(super) fn gone(&self, words: &str, after: &str) -> Result<(), Trouble> {
        ensure(!self.runs(words), || {
            format!("a background process still runs after {after}")
        })
    }
}
