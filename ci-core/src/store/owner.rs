//! Who drives a run, and whether it lives.

use std::sync::{Arc, LazyLock, OnceLock};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A process that drives a run and holds leases. Made anew for each run, so that two runs of one
/// process do not share a life.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(pub Arc<str>);

impl OwnerId {
    /// A new owner in this process. The id holds the machine's boot, the process and its start, so
    /// that other processes of the machine can tell whether it lives.
    #[must_use]
    pub fn for_this_process() -> Self {
        static OWN: OnceLock<(u32, String)> = OnceLock::new();
        let pid = std::process::id();
        let looked_up = || process_start(pid).unwrap_or_default();
        let start = match OWN.get_or_init(|| (pid, looked_up())) {
            (known, start) if *known == pid => start.clone(),
            // This is a fork of the process that looked.
            _ => looked_up(),
        };
        Self(format!("{}:{pid}:{start}:{}", machine(), Uuid::now_v7()).into())
    }

    /// Whether the owner's process is known to live or to be gone; `None` if it is on another machine
    /// or the system does not say.
    #[must_use]
    pub fn lives(&self) -> Option<bool> {
        let mut parts = self.0.split(':');
        let (Some(on), Some(pid), Some(start)) = (parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        if on != machine() || start.is_empty() {
            return None;
        }
        let now = process_start(pid.parse().ok()?);
        Some(now.is_some_and(|now| now == start))
    }
}

/// Names this machine since it was started, and on it the namespace in which process ids hold: two
/// containers may share a store. Empty where the system does not say.
fn machine() -> &'static str {
    static MACHINE: LazyLock<String> = LazyLock::new(|| {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let digits = namespace
            .to_string_lossy()
            .replace(|c: char| !c.is_ascii_digit(), "");
        format!("{}-{digits}", boot.trim())
    });
    &MACHINE
}

/// When a process was started, in the system's own unit (proc(5), `stat`, field 22): with the id it
/// names a process for good. `None` for one that is gone or only waits to be reaped.
fn process_start(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_that_ended_does_not() {
        let own = OwnerId::for_this_process();
        assert_eq!(own.lives(), Some(true));
        let later = own
            .0
            .replacen(&format!(":{}:", std::process::id()), ":1:", 1);
        assert_eq!(OwnerId(later.into()).lives(), Some(false));
        assert_eq!(OwnerId("elsewhere:1:2:x".into()).lives(), None);
    }
}
