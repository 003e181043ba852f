//! A place that messages go to.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Notice;
use crate::job::Backoff;

/// A place that messages go to, such as a chat.
///
/// # Contract
/// - A message is sent at most once at a time; after an error of kind
///   [`Temporary`](SendErrorKind::Temporary) the same message comes again, with the same id.
/// - Dropping the future gives the message up: a channel that hangs is left.
/// - Errors hold no secrets.
#[async_trait]
#[diagnostic::on_unimplemented(message = "`{Self}` is no channel for notices")]
pub trait Channel: Send + Sync {
    /// Sends one message.
    async fn send(&self, message: &Message) -> Result<(), SendError>;

    /// Whether it shows states, such as a commit status: then it also gets what begins, one notice in a
    /// message, and of several about one thing only the last.
    fn shows_states(&self) -> bool {
        false
    }
}

#[async_trait]
impl<C: Channel + ?Sized> Channel for Arc<C> {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        (**self).send(message).await
    }

    fn shows_states(&self) -> bool {
        (**self).shows_states()
    }
}

/// What goes out at once.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// The same for every try, and no other message's.
    pub id: String,
    /// What happened, oldest first; at least one.
    pub notices: Vec<Arc<Notice>>,
    /// How many older ones were left out because too many waited.
    pub left_out: u64,
}

/// How messages of a channel go out.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// How long notices are collected to go out as one message. The end of the run sends what is left.
    pub batch: Duration,
    /// How many messages go out in [`per`](Self::per). More notices are collected and go out as one.
    pub limit: NonZeroU32,
    /// The time that the limit is about.
    pub per: Duration,
    /// How many times a message is tried.
    pub attempts: NonZeroU32,
    /// How long one try may take.
    pub timeout: Duration,
    /// The pauses between tries.
    pub backoff: Backoff,
    /// How long a message may be on its way at the end of the run, all tries together.
    pub patience: Duration,
}

impl Default for Delivery {
    /// No batching, 20 messages a minute, five tries of ten seconds with pauses from a second, and half
    /// a minute at the end of the run.
    fn default() -> Self {
        Self {
            batch: Duration::ZERO,
            limit: NonZeroU32::MIN.saturating_add(19),
            per: Duration::from_mins(1),
            attempts: NonZeroU32::MIN.saturating_add(4),
            timeout: Duration::from_secs(10),
            backoff: Backoff::exponential(Duration::from_secs(1)).jitter(0.2),
            patience: Duration::from_secs(30),
        }
    }
}

/// A message did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    kind: SendErrorKind,
    message: String,
    retry_after: Option<Duration>,
}

/// What to do about a message that did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// It may arrive later: nobody answered, or the server is busy.
    Temporary,
    /// It will not: the server refused it, or there is nothing to send it to.
    Refused,
}

impl SendError {
    /// A message that did not arrive, with the reason as a lower-case fragment.
    #[must_use]
    pub fn new(kind: SendErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
        }
    }

    /// Says how long the server asks to be left alone.
    #[must_use]
    pub fn retry_after(mut self, pause: Option<Duration>) -> Self {
        self.retry_after = pause;
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn kind(&self) -> SendErrorKind {
        self.kind
    }

    /// How long the server asks to be left alone, if it says so.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        self.retry_after
    }

    pub(super) fn temporary(message: impl Into<String>) -> Self {
        Self::new(SendErrorKind::Temporary, message)
    }

    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::new(SendErrorKind::Refused, message)
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SendError {}
