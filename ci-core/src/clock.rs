//! Time as the engine sees it: injected, so that tests and replays decide what it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// A moment of wall-clock time, in milliseconds since 1970-01-01 UTC.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after 1970-01-01 UTC.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Where time comes from. Sleeping follows the Tokio clock, so a test that pauses it moves a run
/// through hours in an instant.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Instant,
    wall: Timestamp,
    follows_system: bool,
}

impl Clock {
    /// The machine's own clocks.
    #[must_use]
    pub fn system() -> Self {
        Self {
            origin: Instant::now(),
            wall: system_wall(),
            follows_system: true,
        }
    }

    /// A clock that shows `wall` now and from then on moves only with the Tokio clock.
    #[must_use]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            origin: Instant::now(),
            wall,
            follows_system: false,
        }
    }

    /// The wall-clock time: for people and for records, never for measuring.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        if self.follows_system {
            system_wall()
        } else {
            Timestamp(self.wall.0 + u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX))
        }
    }

    /// Monotonic time since the clock was made: for measuring.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Waits until [`elapsed`](Self::elapsed) reaches `moment`.
    pub async fn sleep_until(&self, moment: Duration) {
        tokio::time::sleep_until(self.origin + moment).await;
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

fn system_wall() -> Timestamp {
    let millis = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    Timestamp(u64::try_from(millis).unwrap_or(u64::MAX))
}
