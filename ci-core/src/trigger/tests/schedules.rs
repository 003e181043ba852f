//! When schedules are due, and that one process is told.

#![expect(
    clippy::clone_on_ref_ptr,
    reason = "the clone is of the type that is asked for"
)]

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use crate::clock::{Clock, Timestamp};
use crate::store::MemoryStore;

fn at(text: &str) -> Timestamp {
    let moment: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(u64::try_from(moment.as_millisecond()).unwrap())
}

fn table(cron: &str, zone: &str) -> Timetable {
    let mut schedule = Schedule::new("s", cron);
    schedule.time_zone = zone.to_owned();
    schedule.timetable().unwrap()
}

/// The moments after `from`, in UTC.
fn moments(table: &Timetable, from: &str, count: usize) -> Vec<String> {
    let mut last = at(from);
    let next = || {
        last = table.after(last).unwrap();
        let millis = i64::try_from(last.as_millis()).unwrap();
        jiff::Timestamp::from_millisecond(millis)
            .unwrap()
            .to_string()
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn times_are_in_their_zone() {
    let berlin = table("30 2 * * 1-5", "Europe/Berlin");
    assert_eq!(
        moments(&berlin, "2026-07-03T12:00:00Z", 2),
        ["2026-07-06T00:30:00Z", "2026-07-07T00:30:00Z"]
    );
    assert_eq!(
        moments(&table("@monthly", "UTC"), "2026-01-31T00:00:00Z", 2),
        ["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"]
    );
}

#[test]
fn a_fixed_time_comes_once_on_days_on_which_clocks_move() {
    let berlin = table("30 2 * * *", "Europe/Berlin");
    // On 2026-03-29 there is no 02:30, on 2026-10-25 there are two.
    assert_eq!(
        moments(&berlin, "2026-03-28T12:00:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    assert_eq!(
        moments(&berlin, "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    let often = table("*/30 * * * *", "Europe/Berlin");
    assert_eq!(
        moments(&often, "2026-10-25T00:00:00Z", 4),
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z"
        ]
    );
}

#[test]
fn what_cannot_be_read_is_told() {
    let told = |cron: &str, zone: &str| {
        let mut schedule = Schedule::new("s", cron);
        schedule.time_zone = zone.to_owned();
        schedule.timetable().unwrap_err().to_string()
    };
    assert!(
        told("61 * * * *", "UTC").starts_with("the schedule `s`: `61 * * * *` is no cron pattern")
    );
    assert!(told("0 0 * *", "UTC").contains("is no cron pattern"));
    assert!(told("0 0 * * *", "Mars/Olympus").contains("`Mars/Olympus` is no time zone"));
    assert_eq!(
        told("0 0 30 2 *", "UTC"),
        "the schedule `s`: `0 0 30 2 *` never comes"
    );
}

#[test]
fn missed_moments_are_made_up_for_as_wanted() {
    let hourly = table("0 * * * *", "UTC");
    let (position, now) = (at("2026-11-21T00:30:00Z"), at("2026-11-21T03:10:00Z"));
    let due = |missed| hourly.due(position, now, missed);
    let last = at("2026-11-21T03:00:00Z");
    assert_eq!(
        due(Missed::Skip),
        Due {
            moments: vec![],
            position: last
        }
    );
    assert_eq!(
        due(Missed::Once),
        Due {
            moments: vec![last],
            position: last
        }
    );
    let all = due(Missed::All);
    assert_eq!(
        all.moments,
        [at("2026-11-21T01:00:00Z"), at("2026-11-21T02:00:00Z"), last]
    );
    let again = hourly.due(all.position, now, Missed::All);
    assert_eq!(
        again,
        Due {
            moments: vec![],
            position: last
        }
    );
    let soon = hourly.due(position, at("2026-11-21T01:01:00Z"), Missed::Skip);
    assert_eq!(soon.moments, [at("2026-11-21T01:00:00Z")]);
    let years = hourly.due(at("1999-01-01T00:00:00Z"), now, Missed::All);
    assert_eq!((years.moments.len(), years.position), (100, last));
}

/// Collects what a timer fires within `span` of virtual time.
async fn fired(timer: &mut Timer, span: Duration) -> Vec<Timestamp> {
    let mut moments = Vec::new();
    let end = tokio::time::Instant::now() + span;
    while let Ok(fired) = tokio::time::timeout_at(end, timer.next()).await {
        moments.push(fired.unwrap().moment);
    }
    moments
}

#[tokio::test(start_paused = true)]
async fn a_timer_fires_on_time_and_a_restart_makes_up_for_what_was_missed() {
    let store = Arc::new(MemoryStore::new());
    let clock = Clock::starting_at(at("2026-11-21T00:10:00Z"));
    let hours = |count: u64| Duration::from_hours(count);
    let make = |missed| {
        let mut timer = Timer::new(store.clone(), clock.clone());
        let mut schedule = Schedule::new("hourly", "0 * * * *");
        schedule.missed = missed;
        timer.add("repo", schedule).unwrap();
        timer
    };
    let mut timer = make(Missed::All);
    let first = fired(&mut timer, hours(2)).await;
    assert_eq!(
        first,
        [at("2026-11-21T01:00:00Z"), at("2026-11-21T02:00:00Z")]
    );
    drop(timer);
    tokio::time::advance(hours(2)).await;
    let second = fired(&mut make(Missed::All), hours(1)).await;
    let expected = [
        at("2026-11-21T03:00:00Z"),
        at("2026-11-21T04:00:00Z"),
        at("2026-11-21T05:00:00Z"),
    ];
    assert_eq!(second, expected);
}

#[tokio::test(start_paused = true)]
async fn of_two_processes_one_is_told() {
    let store = Arc::new(MemoryStore::new());
    let clock = Clock::starting_at(at("2026-11-21T00:00:30Z"));
    let make = || {
        let mut timer = Timer::new(store.clone(), clock.clone());
        timer
            .add("repo", Schedule::new("often", "* * * * *"))
            .unwrap();
        timer
    };
    let (mut one, mut two) = (make(), make());
    let hour = Duration::from_hours(1);
    let (first, second) = tokio::join!(fired(&mut one, hour), fired(&mut two, hour));
    let mut all = [first, second].concat();
    all.sort_unstable();
    let minutes = (1..=60).map(|minute| {
        Timestamp::from_millis(at("2026-11-21T00:00:00Z").as_millis() + minute * 60_000)
    });
    assert_eq!(all, minutes.collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However often somebody looks, each moment is due once and in order.
    #[test]
    fn each_moment_is_due_once(steps in prop::collection::vec(1_u64..200, 1..30), minute in 1_u64..59) {
        let table = table(&format!("*/{minute} * * * *"), "America/New_York");
        let start = at("2026-10-31T22:00:00Z");
        let (mut now, mut position, mut seen) = (start, start, Vec::new());
        for step in steps {
            now = Timestamp::from_millis(now.as_millis() + step * 60_000);
            let due = table.due(position, now, Missed::All);
            seen.extend(due.moments);
            position = due.position;
        }
        // A gap of so many moments is not made up for; these steps are shorter.
        prop_assume!(minute > 2);
        let mut expected = Vec::new();
        let mut last = start;
        while let Some(next) = table.after(last).filter(|next| *next <= now) {
            expected.push(next);
            last = next;
        }
        prop_assert_eq!(seen, expected);
    }
}
