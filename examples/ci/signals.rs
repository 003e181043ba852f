//! The signals that end a run in order.

#[cfg(unix)]
use std::sync::LazyLock;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ready when somebody orders the process to end, or closes its terminal.
pub(crate) async fn any() {
    tokio::select! {
        () = order() => {}
        () = hangup() => {}
    }
}

/// Ready when somebody orders the process to end: Ctrl-C, or a request of the system.
#[cfg(unix)]
pub(crate) async fn order() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Ready when the terminal was closed, unless whoever started this process wants it to live on.
#[cfg(unix)]
async fn hangup() {
    // To listen once would end that: a signal that is listened to is not ignored.
    let listened: Option<Signal> = (!*OUTLIVES_TERMINAL)
        .then(|| signal(SignalKind::hangup()).ok())
        .flatten();
    match listened {
        Some(mut hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether the signal was ignored when the process began, as nohup(1) has it. Where proc(5) does not tell,
/// it stays as it is.
#[cfg(unix)]
static OUTLIVES_TERMINAL: LazyLock<bool> = LazyLock::new(|| {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask & 1 == 1)
});

/// Ready when somebody orders the process to end.
#[cfg(not(unix))]
pub(crate) async fn order() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
async fn hangup() {
    std::future::pending::<()>().await;
}
