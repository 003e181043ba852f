//! The workers of a driver: each runs one job after the other.

use std::pin::pin;
use std::sync::Arc;

use super::Ticket;
use super::drive::{AttemptEnd, Drive, Host, Started};

/// After so many jobs in a row a worker lets other tasks of its thread run.
const JOBS_BEFORE_YIELD: u32 = 1024;

/// The end of a worker's job that is not known yet.
struct Ending<R> {
    turn: u64,
    receipt: R,
    /// The jobs that are to start then.
    others: Vec<Ticket>,
}

/// Runs jobs one after the other until none may start.
pub(super) async fn work<H: Host>(drive: Arc<Drive<H>>, first: Ticket) {
    // What starts next stays where the turn puts it: to hand it on would cost more than to find it.
    let mut started = Started::one(first);
    let mut since_yield = 0;
    let mut spare = H::Spare::default();
    let mut ending: Option<Ending<H::Receipt>> = None;
    while let Some(ticket) = &mut started.first {
        let job = ticket.job;
        let mut at = None;
        let end = {
            let attempt = pin!(drive.host.attempt(ticket, drive.origin, &mut spare));
            match ending.take() {
                // The time that is waited for the former's end is not this job's.
                Some(ending) => {
                    let attempt = async {
                        let end = attempt.await;
                        at = Some(drive.now());
                        end
                    };
                    tokio::join!(drive.end(ending), attempt).1
                }
                None => attempt.await,
            }
        };
        let begun = ticket.at;
        let turn = drive.turn(1, &mut started, |machine, now| match end {
            AttemptEnd::Ended(verdict) => {
                let spent = at.unwrap_or(now).saturating_sub(begun);
                let random = || drive.host.random();
                machine.finish(job, verdict.into(), spent, now, random)
            }
            AttemptEnd::Postponed(lack) => machine.postpone(job, lack.what, lack.pause, now),
        });
        let others = std::mem::take(&mut started.others);
        if let Some(receipt) = turn.receipt {
            let new = Ending {
                turn: turn.number,
                receipt,
                others,
            };
            if turn.is_free {
                ending = Some(new);
            } else {
                drive.end(new).await;
                // Publishing took time that is not the job's.
                if let Some(next) = &mut started.first {
                    next.at = drive.now();
                }
            }
        } else {
            for ticket in others {
                drive.spawn(ticket);
            }
        }
        since_yield += 1;
        if since_yield == JOBS_BEFORE_YIELD {
            since_yield = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Counts a job as done when its end has been published, also if publishing panics: only then may the
/// run be over.
struct Leaving<'a, H: Host>(&'a Drive<H>);

impl<H: Host> Drop for Leaving<'_, H> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.workers -= 1;
        let idle = state.workers == 0;
        drop(state);
        if idle {
            self.0.wake.notify_one();
        }
    }
}

impl<H: Host> Drive<H> {
    /// Makes known how a worker's job ended, and lets go the jobs that waited for it.
    async fn end(self: &Arc<Self>, ending: Ending<H::Receipt>) {
        let Ending {
            turn,
            receipt,
            others,
        } = ending;
        let leaving = Leaving(self);
        self.make_known(turn, receipt).await;
        drop(leaving);
        for ticket in others {
            self.spawn(ticket);
        }
    }
}
