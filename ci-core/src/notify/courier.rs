//! Takes the notices of one channel there: one task, which tries, waits and tries again.

use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::outbox::{Next, Outbox};
use super::plan::Planned;
use super::{Message, Notice, NotifyFailure, SendError, SendErrorKind};
use crate::clock::Clock;
use crate::secret::SecretSet;
use crate::units::format_duration;

/// Takes the notices of one channel there.
pub(super) struct Courier {
    pub(super) name: String,
    pub(super) planned: Planned,
    pub(super) secrets: Arc<SecretSet>,
    /// The run has ended: from now on the patience of the channel runs out.
    pub(super) closing: CancellationToken,
}

/// What a courier did.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    pub(super) messages: u64,
    pub(super) failures: Vec<NotifyFailure>,
}

/// How often a message was tried, and what came of it.
type Tried = Result<(), (u32, SendError)>;

impl Courier {
    /// Sends what comes until nothing comes any more, and after the end of the run at most as long as
    /// the patience of the channel lasts.
    pub(super) async fn serve(self, mut coming: UnboundedReceiver<Arc<Notice>>) -> Delivered {
        let clock = Clock::system();
        let delivery = self.planned.delivery;
        let mut outbox = Outbox::new(delivery, self.planned.channel.shows_states());
        let mut done = Delivered::default();
        let mut number: u64 = 0;
        let mut too_late = pin!(async {
            self.closing.cancelled().await;
            clock.sleep(delivery.patience).await;
        });
        loop {
            // What came meanwhile goes along, also what came during a pause between tries.
            while let Ok(notice) = coming.try_recv() {
                outbox.push(clock.elapsed(), notice);
            }
            if coming.is_closed() && coming.is_empty() {
                outbox.close();
            }
            match outbox.next(clock.elapsed()) {
                Next::Done => return done,
                Next::Wait => tokio::select! {
                    notice = coming.recv() => if let Some(notice) = notice {
                        outbox.push(clock.elapsed(), notice);
                    },
                    // A sink that hangs never says that nothing comes any more.
                    () = &mut too_late => return done,
                },
                Next::WaitUntil(moment) => tokio::select! {
                    notice = coming.recv() => if let Some(notice) = notice {
                        outbox.push(clock.elapsed(), notice);
                    },
                    () = clock.sleep_until(moment) => {}
                },
                Next::Send(notices, left_out) => {
                    number += 1;
                    let count = notices.len() as u64 + left_out;
                    let message = self.message(number, notices, left_out);
                    tokio::select! {
                        tried = self.deliver(&message, &clock) => {
                            done.messages += u64::from(tried.is_ok());
                            done.failures.extend(tried.err().map(|why| self.failure(why, count)));
                        }
                        () = &mut too_late => {
                            let left = count + (outbox.len() + coming.len()) as u64;
                            let limit = format_duration(delivery.patience);
                            let why = format!("gave up {limit} after the end of the run");
                            done.failures.push(NotifyFailure::new(&self.name, &why, left));
                            return done;
                        }
                    }
                }
            }
        }
    }

    fn message(&self, number: u64, notices: Vec<Arc<Notice>>, left_out: u64) -> Message {
        let run = notices.first().map(|notice| notice.run);
        let run = run.map(|run| run.to_string()).unwrap_or_default();
        Message {
            // The name keeps the messages of two channels to one receiver apart.
            id: format!("{run}-{}-{number}", id_part(&self.name)),
            notices,
            left_out,
        }
    }

    /// Tries a message until it arrives, is refused, or was tried often enough.
    async fn deliver(&self, message: &Message, clock: &Clock) -> Tried {
        let delivery = self.planned.delivery;
        let mut attempt = 1;
        loop {
            let trying = self.planned.channel.send(message);
            let sent = tokio::time::timeout(delivery.timeout, trying).await;
            let error = match sent {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_) => {
                    let limit = format_duration(delivery.timeout);
                    SendError::temporary(format!("no answer within {limit}"))
                }
            };
            if error.kind() == SendErrorKind::Refused || attempt >= delivery.attempts.get() {
                return Err((attempt, error));
            }
            let pause = delivery.backoff.delay(attempt, random());
            clock
                .sleep(pause.max(error.pause().unwrap_or_default()))
                .await;
            attempt += 1;
        }
    }

    fn failure(&self, (attempts, error): (u32, SendError), notices: u64) -> NotifyFailure {
        let tried = match attempts {
            1 => String::new(),
            more => format!(" (tried {more} times)"),
        };
        let words = self.secrets.mask(&format!("{error}{tried}"));
        NotifyFailure::new(&self.name, &words, notices)
    }
}

/// A name as a part of the id of a message, which goes into headers.
fn id_part(name: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    name.chars()
        .map(|letter| if fits(letter) { letter } else { '_' })
        .collect()
}

/// Between 0 and 1; spreads the tries of several runs.
fn random() -> f64 {
    let high = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}
