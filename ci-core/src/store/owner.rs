//! Who drives a run, and whether it lives.

use std::io::ErrorKind;
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
        let looked_up = || match process_start(pid) {
            Life::Since(start) => start,
            Life::Over | Life::Unknown => String::new(),
        };
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
        match process_start(pid.parse().ok()?) {
            Life::Since(now) => Some(now == start),
            Life::Over => Some(false),
            Life::Unknown => None,
        }
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

/// What the system says of a process.
enum Life {
    /// When it was started, in the system's own unit (proc(5), `stat`, field 22): with the id it names a
    /// process for good.
    Since(String),
    /// It is gone, or only waits to be reaped.
    Over,
    /// The system does not say, as when this process has too many files open: nobody counts as dead then.
    Unknown,
}

fn process_start(pid: u32) -> Life {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => start_of(&stat).unwrap_or(Life::Unknown),
        // Processes that end while they are looked at are no longer found, too.
        Err(error) if error.kind() == ErrorKind::NotFound || is_gone(&error) => Life::Over,
        Err(_) => Life::Unknown,
    }
}

fn start_of(stat: &str) -> Option<Life> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return Some(Life::Over);
    }
    fields.nth(18).map(|start| Life::Since(start.to_owned()))
}

/// ESRCH: a process that ends while its file is read.
fn is_gone(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(3)
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
