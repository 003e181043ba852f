//! Waits for schedules, and lets one process start the run of a moment.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::{Due, Schedule, Timetable, TriggerError};
use crate::clock::{Clock, Timestamp};
use crate::store::RunStore;

/// The longest it sleeps: a machine that slept, or whose clock was set, is noticed within it.
const NAP: Duration = Duration::from_secs(30);

/// Waits for the moments of schedules. Positions are in the store: of all processes that share it, one
/// is told of a moment, and a moment at which no process waited is made up for as the schedule says.
///
/// A process that dies between being told and starting the run takes the moment with it: better no
/// nightly deployment than two.
pub struct Timer {
    store: Arc<dyn RunStore>,
    clock: Clock,
    entries: Vec<Entry>,
    fired: VecDeque<Fired>,
}

/// A moment of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// What the schedule belongs to, as it was given to [`Timer::add`].
    pub scope: String,
    /// The schedule.
    pub schedule: Schedule,
    /// The moment, which may have passed a while ago.
    pub moment: Timestamp,
}

#[derive(Debug)]
struct Entry {
    scope: String,
    schedule: Schedule,
    table: Timetable,
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timer")
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}

impl Timer {
    /// No schedule yet.
    #[must_use]
    pub fn new(store: Arc<dyn RunStore>, clock: Clock) -> Self {
        Self {
            store,
            clock,
            entries: Vec::new(),
            fired: VecDeque::new(),
        }
    }

    /// Adds a schedule. `scope` tells apart those of the same name, such as the repository that they
    /// are for. A schedule whose times changed begins anew.
    ///
    /// # Errors
    /// See [`Schedule::timetable`].
    pub fn add(
        &mut self,
        scope: impl Into<String>,
        schedule: Schedule,
    ) -> Result<(), TriggerError> {
        let table = schedule.timetable()?;
        self.entries.push(Entry {
            scope: scope.into(),
            schedule,
            table,
        });
        Ok(())
    }

    /// Forgets the schedules of a scope; their positions stay.
    pub fn remove(&mut self, scope: &str) {
        self.entries.retain(|entry| entry.scope != scope);
        self.fired.retain(|fired| fired.scope != scope);
    }

    /// Waits for the next moment. Without a schedule it waits for ever. A moment that it was about to
    /// give when its future is dropped is lost; [`look`](Self::look) waits for nothing but the store.
    pub async fn next(&mut self) -> Result<Fired, TriggerError> {
        loop {
            if let Some(fired) = self.fired.pop_front() {
                return Ok(fired);
            }
            let (fired, pause) = self.look().await?;
            self.fired.extend(fired);
            if self.fired.is_empty() {
                self.clock.sleep(pause).await;
            }
        }
    }

    /// The moments that have come since somebody looked, and how long to wait before looking again: at
    /// most half a minute.
    pub async fn look(&self) -> Result<(Vec<Fired>, Duration), TriggerError> {
        let (mut fired, mut pause) = (Vec::new(), NAP);
        for entry in &self.entries {
            pause = pause.min(self.look_at(entry, &mut fired).await?);
        }
        Ok((fired, pause))
    }

    /// Looks whether a schedule is due, and says how long it is until it may be.
    async fn look_at(
        &self,
        entry: &Entry,
        fired: &mut Vec<Fired>,
    ) -> Result<Duration, TriggerError> {
        let (key, now) = (entry.key(), self.clock.wall());
        let marked = self.store.mark(&key).await?;
        let position = marked.as_deref().and_then(|text| text.parse().ok());
        let due = match position {
            Some(millis) => {
                let position = Timestamp::from_millis(millis);
                entry.table.due(position, now, entry.schedule.missed)
            }
            // Nobody has seen the schedule before: it begins now.
            None => Due {
                moments: Vec::new(),
                position: now,
            },
        };
        let text = due.position.as_millis().to_string();
        let moved = marked.as_deref() != Some(text.as_str());
        if moved && !self.store.set_mark(&key, marked.as_deref(), &text).await? {
            // Another process was faster.
            return Ok(Duration::ZERO);
        }
        fired.extend(due.moments.into_iter().map(|moment| Fired {
            scope: entry.scope.clone(),
            schedule: entry.schedule.clone(),
            moment,
        }));
        let next = entry.table.after(now.max(due.position));
        Ok(next.map_or(NAP, |next| next.since(now)))
    }
}

impl Entry {
    /// Where its position is marked. New times are a new schedule.
    fn key(&self) -> String {
        let Self {
            scope, schedule, ..
        } = self;
        let Schedule {
            name,
            cron,
            time_zone,
            ..
        } = schedule;
        format!("schedule\n{scope}\n{name}\n{cron}\n{time_zone}")
    }
}
