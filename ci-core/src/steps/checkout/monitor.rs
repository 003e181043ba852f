//! Carries progress out of a blocking checkout and cancellation into it.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::step::StepContext;

/// The blocking side's link to the step. Progress is passed on at most once a second.
#[derive(Debug)]
pub(super) struct Monitor {
    cancel: CancellationToken,
    lines: mpsc::UnboundedSender<String>,
    said: Mutex<Instant>,
}

const EVERY: Duration = Duration::from_secs(1);

impl Monitor {
    /// A monitor, and the lines that are said through it. Progress is limited in time and other lines
    /// are few, so the channel needs no bound.
    pub(super) fn new(cx: &StepContext) -> (Self, mpsc::UnboundedReceiver<String>) {
        let (lines, receiver) = mpsc::unbounded_channel();
        let monitor = Self {
            cancel: cx.cancellation().clone(),
            lines,
            said: Mutex::new(Instant::now()),
        };
        (monitor, receiver)
    }

    pub(super) fn is_canceled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    pub(super) fn cancellation(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Says a line that must not be missed.
    pub(super) fn say(&self, line: impl Into<String>) {
        let _ = self.lines.send(line.into());
    }

    /// Says how far it is, unless something was said within the last second.
    pub(super) fn progress(&self, line: impl FnOnce() -> String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= EVERY {
            *said = Instant::now();
            self.say(line());
        }
    }
}

/// Drives `work` to its end while what it says goes to the log.
pub(super) async fn narrate<T>(
    cx: &StepContext,
    mut lines: mpsc::UnboundedReceiver<String>,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            biased;
            Some(line) = lines.recv() => cx.say(line).await,
            done = &mut work => break done,
        }
    };
    while let Ok(line) = lines.try_recv() {
        cx.say(line).await;
    }
    done
}
