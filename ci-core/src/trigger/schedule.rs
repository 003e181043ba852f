//! Times at which runs start: cron patterns in a time zone.

use std::collections::BTreeMap;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Event, EventKind, TriggerError, TriggerErrorKind};
use crate::clock::Timestamp;

/// How late a moment may be noticed and still not count as missed.
const LATE: Duration = Duration::from_mins(2);

/// The most moments that are made up for at once, the latest ones.
const MOST: usize = 100;

/// Times at which a run starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Its name, unique in the trigger.
    pub name: String,
    /// Minute, hour, day of the month, month and day of the week, as in crontab(5); `@daily` and the
    /// like too.
    pub cron: String,
    /// The time zone that the times are in, by its IANA name.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// What happens with moments at which nobody watched.
    #[serde(default)]
    pub missed: Missed,
    /// The branch that the run is for; the default branch if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Arguments of the trigger's parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What happens with moments at which nobody watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missed {
    /// Nothing.
    Skip,
    /// One run for all of them, at once.
    #[default]
    Once,
    /// A run for each, at most a hundred.
    All,
}

impl Schedule {
    /// Times as a cron pattern in UTC.
    #[must_use]
    pub fn new(name: impl Into<String>, cron: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            cron: cron.into(),
            time_zone: utc(),
            missed: Missed::default(),
            branch: None,
            arguments: BTreeMap::new(),
        }
    }

    /// The times, ready to be asked.
    ///
    /// # Errors
    /// Of kind [`Schedule`](TriggerErrorKind::Schedule) if the pattern or the time zone cannot be read,
    /// or the pattern never comes true.
    pub fn timetable(&self) -> Result<Timetable, TriggerError> {
        let wrong = |message: String| {
            let message = format!("the schedule `{}`: {message}", self.name);
            TriggerError::new(TriggerErrorKind::Schedule, message)
        };
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(&self.cron).map_err(|error| {
            wrong(format!("`{}` is no cron pattern: {error}", self.cron))
                .hint("minute hour day month weekday: `30 2 * * 1-5`")
        })?;
        let zone = TimeZone::get(&self.time_zone).map_err(|error| {
            wrong(format!("`{}` is no time zone: {error}", self.time_zone))
                .hint("names look like `Europe/Berlin` or `UTC`")
        })?;
        let table = Timetable { cron, zone };
        if table.after(Timestamp::from_millis(0)).is_none() {
            return Err(wrong(format!("`{}` never comes", self.cron)));
        }
        Ok(table)
    }

    /// The event of a moment of the schedule.
    #[must_use]
    pub fn event(&self) -> Event {
        let mut event = Event::new(EventKind::Schedule {
            name: self.name.clone(),
            branch: self.branch.clone(),
        });
        event.arguments.clone_from(&self.arguments);
        event
    }
}

/// The moments of a schedule.
///
/// Where a clock goes forward, a fixed time that does not exist comes right after the gap; where it
/// goes back, a fixed time comes once, and one that repeats (`*/10 * * * *`) goes on through both
/// hours.
#[derive(Debug, Clone)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
}

/// What of a schedule is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The moments to start a run for, oldest first.
    pub moments: Vec<Timestamp>,
    /// How far the schedule is then.
    pub position: Timestamp,
}

impl Timetable {
    /// The first moment after `moment`; `None` if there is none.
    #[must_use]
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let start = self.zoned(moment)?;
        let next = self.cron.find_next_occurrence(&start, false).ok()?;
        let millis = u64::try_from(next.timestamp().as_millisecond()).ok()?;
        // What does not move on would be due for ever.
        (millis > moment.as_millis()).then(|| Timestamp::from_millis(millis))
    }

    /// The last moment up to `moment`.
    fn before(&self, moment: Timestamp, inclusive: bool) -> Option<Timestamp> {
        let start = self.zoned(moment)?;
        let previous = self.cron.find_previous_occurrence(&start, inclusive).ok()?;
        let millis = u64::try_from(previous.timestamp().as_millisecond()).ok()?;
        let is_before = millis < moment.as_millis() || inclusive;
        is_before.then(|| Timestamp::from_millis(millis))
    }

    fn zoned(&self, moment: Timestamp) -> Option<jiff::Zoned> {
        let millis = i64::try_from(moment.as_millis()).ok()?;
        let moment = jiff::Timestamp::from_millisecond(millis).ok()?;
        Some(moment.to_zoned(self.zone.clone()))
    }

    /// What is due at `now`, when everything up to `position` was done.
    #[must_use]
    pub fn due(&self, position: Timestamp, now: Timestamp, missed: Missed) -> Due {
        let most = if missed == Missed::All { MOST } else { 1 };
        let mut moments = Vec::new();
        // Backwards, so that a position of years ago costs nothing.
        let mut next = self.before(now, true);
        while let Some(moment) = next.filter(|moment| *moment > position && moments.len() < most) {
            moments.push(moment);
            next = self.before(moment, false);
        }
        moments.reverse();
        let position = moments.last().copied().unwrap_or(position);
        if missed == Missed::Skip {
            moments.retain(|moment| now.since(*moment) <= LATE);
        }
        Due { moments, position }
    }
}
