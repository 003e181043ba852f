//! The labels on everything that is made, and whose they say it is.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::time::Duration;

use ci_core::id::RunId;
use jiff::Timestamp;

/// The run, as its id.
pub(crate) const RUN: &str = "ci-core.run";
/// The job, as its name.
pub(crate) const JOB: &str = "ci-core.job";
/// Whether a job made it itself, through its own socket of the engine.
pub(crate) const OF_JOB: &str = "ci-core.of-job";
/// The process that made it; see [`Owner`].
const OWNER: &str = "ci-core.owner";
/// When anybody may remove it if nobody can tell whether its owner lives (RFC 3339).
const EXPIRES: &str = "ci-core.expires";

/// The labels of what is made for a job.
pub(crate) fn of_job(run: RunId, job: &str, expires: Duration) -> HashMap<String, String> {
    let owner = Owner::this_process().map_or_else(String::new, |owner| owner.to_string());
    // Beyond the end of the calendar it never expires, which an empty label says.
    let expires = Timestamp::now()
        .checked_add(expires)
        .map_or_else(|_| String::new(), |time| time.to_string());
    HashMap::from([
        (RUN.to_owned(), run.to_string()),
        (JOB.to_owned(), job.to_owned()),
        (OWNER.to_owned(), owner),
        (EXPIRES.to_owned(), expires),
    ])
}

/// The labels of a volume that stays between jobs: it is nobody's to sweep.
pub(crate) fn of_cache() -> HashMap<String, String> {
    HashMap::from([("ci-core.cache".to_owned(), "true".to_owned())])
}

/// Whether something is labelled as made for a job of a run.
pub(crate) fn is_of_job(labels: &HashMap<String, String>, job: &str) -> bool {
    labels.get(JOB).is_some_and(|name| name == job)
}

/// Whether nobody needs what has these labels any more: its owner is known to have ended, or nobody
/// can tell and its time is over.
pub(crate) fn abandoned(labels: &HashMap<String, String>, now: Timestamp) -> bool {
    let owner = labels.get(OWNER).and_then(|text| Owner::parse(text));
    match owner.and_then(|owner| owner.lives()) {
        Some(lives) => !lives,
        None => labels
            .get(EXPIRES)
            .and_then(|text| text.parse::<Timestamp>().ok())
            .is_some_and(|expires| expires <= now),
    }
}

/// A process, told apart from all others: by the boot of its machine, its PID namespace, its number
/// there and when it began, so that a number that is used again is not taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    boot: String,
    namespace: String,
    pid: u32,
    /// Clock ticks after the boot: field 22 of `/proc/<pid>/stat`, see proc(5).
    began: u64,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            boot,
            namespace,
            pid,
            began,
        } = self;
        write!(f, "{boot}/{namespace}/{pid}/{began}")
    }
}

impl Owner {
    /// None where there is no `/proc`.
    fn this_process() -> Option<Self> {
        let pid = std::process::id();
        Some(Self {
            boot: boot()?,
            namespace: namespace()?,
            pid,
            began: began(pid)?,
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let owner = Self {
            boot: parts.next()?.to_owned(),
            namespace: parts.next()?.to_owned(),
            pid: parts.next()?.parse().ok()?,
            began: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(owner)
    }

    /// Whether it still runs. None if it cannot be seen from here: it ran on another machine, in
    /// another container or before this machine was booted.
    fn lives(&self) -> Option<bool> {
        let here = boot()? == self.boot && namespace()? == self.namespace;
        if !here {
            return None;
        }
        match fs::read_to_string(format!("/proc/{}/stat", self.pid)) {
            Ok(stat) => Some(began_by(&stat) == Some(self.began)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(false),
            // Such as when this process has too many files open: then nobody counts as dead.
            Err(_) => None,
        }
    }
}

fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

fn namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_str()?.to_owned())
}

fn began(pid: u32) -> Option<u64> {
    began_by(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn began_by(stat: &str) -> Option<u64> {
    // The name of the program is in parentheses and may hold anything.
    let rest = stat.get(stat.rfind(')')? + 2..)?;
    rest.split(' ').nth(19)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn labels(owner: &str, expires: &str) -> HashMap<String, String> {
        let pairs = [(OWNER, owner), (EXPIRES, expires)];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn what_a_living_process_owns_is_not_abandoned_even_when_its_time_is_over() {
        let mut mine = of_job(RunId::new(), "job", Duration::ZERO);
        assert!(!abandoned(&mine, Timestamp::MAX));
        let owner = Owner::this_process().unwrap();
        assert_eq!(Owner::parse(&owner.to_string()), Some(owner.clone()));
        let other = Owner {
            began: owner.began + 1,
            ..owner
        };
        mine.insert(OWNER.to_owned(), other.to_string());
        assert!(abandoned(&mine, Timestamp::MIN), "the number is used again");
    }

    #[test]
    fn what_cannot_be_seen_from_here_waits_for_its_time() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        for (owner, expires, expected) in [
            ("other-boot/pid:[1]/1/1", "2029-12-31T00:00:00Z", true),
            ("other-boot/pid:[1]/1/1", "2030-01-02T00:00:00Z", false),
            ("", "2029-12-31T00:00:00Z", true),
            ("", "", false),
            ("a/b/c", "never", false),
        ] {
            let found = abandoned(&labels(owner, expires), now);
            assert_eq!(found, expected, "{owner} {expires}");
        }
    }
}
