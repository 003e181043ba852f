//! Points at which a test kills this process, to see what a dead one leaves behind.

/// Every point between the intent to use a machine and its end, in the order they are passed.
#[cfg(feature = "testing")]
pub const POINTS: [&str; 13] = [
    "intent",
    "launched",
    "recorded",
    "locked",
    "marked",
    "started",
    "addressed",
    "connected",
    "session-over",
    "ending",
    "ended",
    "unlocked",
    "forgotten",
];

/// Kills this process without a word if `CI_AWS_FAIL_POINT` names this point.
#[cfg(feature = "testing")]
pub(crate) fn point(name: &str) {
    debug_assert!(POINTS.contains(&name), "the point `{name}` is in no list");
    if std::env::var("CI_AWS_FAIL_POINT").is_ok_and(|wanted| wanted == name) {
        let me = rustix::process::getpid();
        let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
    }
}

#[cfg(not(feature = "testing"))]
pub(crate) fn point(_name: &str) {}
