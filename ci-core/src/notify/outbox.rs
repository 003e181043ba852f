//! The notices that wait for one channel, and when they go: batching and the rate limit, without a clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Delivery, Notice};

/// How many notices wait for a channel at most; the oldest above that are counted and left out.
const MOST_WAITING: usize = 1000;

/// The notices that wait for one channel. Moments are durations from any one origin.
#[derive(Debug)]
pub(super) struct Outbox {
    delivery: Delivery,
    /// One notice in a message, and of several about one thing the last.
    states: bool,
    waiting: VecDeque<Arc<Notice>>,
    left_out: u64,
    /// When the oldest of those that wait came.
    since: Duration,
    /// When messages went out in the last `per`.
    sent: VecDeque<Duration>,
    closed: bool,
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Send these as one message; so many older ones were left out.
    Send(Vec<Arc<Notice>>, u64),
    /// Ask again at that moment, or when something comes.
    WaitUntil(Duration),
    /// Ask again when something comes.
    Wait,
    /// Nothing comes any more, and all is sent.
    Done,
}

impl Outbox {
    pub(super) fn new(delivery: Delivery, states: bool) -> Self {
        Self {
            delivery,
            states,
            waiting: VecDeque::new(),
            left_out: 0,
            since: Duration::ZERO,
            sent: VecDeque::new(),
            closed: false,
        }
    }

    /// Takes a notice.
    pub(super) fn push(&mut self, now: Duration, notice: Arc<Notice>) {
        if self.states {
            self.waiting.retain(|other| other.job() != notice.job());
        }
        if self.waiting.is_empty() {
            self.since = now;
        }
        self.waiting.push_back(notice);
        if self.waiting.len() > MOST_WAITING {
            self.waiting.pop_front();
            self.left_out += 1;
        }
    }

    /// Nothing comes any more: what waits goes without waiting for more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// How many notices wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// What to do at the moment `now`.
    pub(super) fn next(&mut self, now: Duration) -> Next {
        if self.waiting.is_empty() {
            return if self.closed { Next::Done } else { Next::Wait };
        }
        let per = self.delivery.per;
        while self.sent.front().is_some_and(|sent| *sent + per <= now) {
            self.sent.pop_front();
        }
        let limit = self.delivery.limit.get() as usize;
        let free = match self.sent.front() {
            Some(first) if self.sent.len() >= limit => *first + per,
            _ => Duration::ZERO,
        };
        let moment = if self.closed {
            // The end of the run is what people wait for: one message more than the limit allows.
            Duration::ZERO
        } else {
            free.max(self.since + self.delivery.batch)
        };
        if moment > now {
            return Next::WaitUntil(moment);
        }
        self.sent.push_back(now);
        let left_out = std::mem::take(&mut self.left_out);
        let count = if self.states { 1 } else { self.waiting.len() };
        Next::Send(self.waiting.drain(..count).collect(), left_out)
    }
}
