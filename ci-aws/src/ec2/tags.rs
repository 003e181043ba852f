//! The tags by which everything of ours is known, and what their values mean.

use std::collections::BTreeMap;
use std::time::Duration;

use ci_core::clock::Timestamp;

/// The run that an instance was launched for. Whatever has this tag is ours.
pub const RUN: &str = "ci-core:run";
/// Who launched it: the owner of the options.
pub const OWNER: &str = "ci-core:owner";
/// The client token of the launch, which is one of a kind.
pub const LAUNCH: &str = "ci-core:launch";
/// The public host key that it got with its user data.
pub const HOST_KEY: &str = "ci-core:host-key";
/// Seconds since 1970 after which nobody uses it any more, unless somebody has put that off.
pub const EXPIRES: &str = "ci-core:expires";
/// Who uses an existing instance, and until when: `<token>/<seconds>`.
pub const LOCK: &str = "ci-core:lock";
/// The token of the lock under which a stopped instance was started, so that it has to be stopped.
pub const STARTED: &str = "ci-core:started";

/// The tags of a launch.
pub(super) fn of_launch(
    run: &str,
    owner: &str,
    token: &str,
    expires: u64,
) -> BTreeMap<String, String> {
    BTreeMap::from([
        (RUN.to_owned(), run.to_owned()),
        (OWNER.to_owned(), owner.to_owned()),
        (LAUNCH.to_owned(), token.to_owned()),
        (EXPIRES.to_owned(), expires.to_string()),
        ("Name".to_owned(), format!("ci-core {run}")),
    ])
}

/// Seconds since 1970, so much after `now`.
pub(super) fn after(now: Timestamp, time: Duration) -> u64 {
    // Rounded up: a lease of half a second shall not have expired when it is made.
    now.as_millis().div_ceil(1000) + time.as_secs().max(1)
}

/// Whether the time of the tag value has passed. A value that says nothing never passes by itself.
pub(super) fn is_past(value: &str, now: Timestamp) -> bool {
    value
        .parse::<u64>()
        .is_ok_and(|seconds| seconds.saturating_mul(1000) < now.as_millis())
}

/// The lock that a tag value stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) token: String,
    /// Seconds since 1970.
    pub(super) until: u64,
}

impl Lock {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (token, until) = value.rsplit_once('/')?;
        Some(Self {
            token: token.to_owned(),
            until: until.parse().ok()?,
        })
    }

    pub(super) fn value(&self) -> String {
        format!("{}/{}", self.token, self.until)
    }

    pub(super) fn is_past(&self, now: Timestamp) -> bool {
        self.until.saturating_mul(1000) < now.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_read_as_they_are_written() {
        let lock = Lock {
            token: "own/er/1".to_owned(),
            until: 12,
        };
        assert_eq!(Lock::parse(&lock.value()), Some(lock.clone()));
        assert!(lock.is_past(Timestamp::from_millis(12_001)));
        assert!(!lock.is_past(Timestamp::from_millis(12_000)));
        assert_eq!(Lock::parse("nobody"), None);
        assert_eq!(Lock::parse("a/b"), None);
    }

    #[test]
    fn what_says_nothing_never_expires() {
        let now = Timestamp::from_millis(10_000);
        assert!(is_past("9", now));
        assert!(!is_past("10", now));
        assert!(!is_past("soon", now));
        assert_eq!(after(now, Duration::from_millis(1)), 11);
    }
}
