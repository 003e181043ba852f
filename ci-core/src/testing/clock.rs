//! Time for tests.

use crate::clock::{Clock, Timestamp};

/// The moment at which every virtual clock starts: 2030-01-01 00:00 UTC.
const START: Timestamp = Timestamp::from_millis(1_893_456_000_000);

/// A clock that starts at a fixed moment and moves only with the Tokio clock.
///
/// In a test with `start_paused` that is virtual time: when all tasks wait, the clock jumps to the
/// earliest moment that one of them waits for. A run of hours takes no time and always shows the same
/// time stamps.
///
/// ```
/// use std::time::Duration;
///
/// #[tokio::main(flavor = "current_thread", start_paused = true)] // or `#[tokio::test(…)]`
/// async fn main() {
///     let clock = ci_core::testing::virtual_clock();
///     let start = clock.wall();
///     clock.sleep(Duration::from_hours(1)).await;
///     assert_eq!(clock.wall().since(start), Duration::from_hours(1));
/// }
/// ```
///
/// Only Tokio's timers stop. Work on other threads (blocking tasks, processes) goes on in real time
/// and the clock does not wait for it, so a test with real processes wants the real clock.
#[must_use]
pub fn virtual_clock() -> Clock {
    Clock::starting_at(START)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn hours_pass_at_once_and_exactly() {
        let clock = virtual_clock();
        let began = std::time::Instant::now();
        clock.sleep(Duration::from_hours(2)).await;
        assert_eq!(clock.elapsed(), Duration::from_hours(2));
        assert_eq!(clock.wall().since(START), Duration::from_hours(2));
        assert!(began.elapsed() < Duration::from_mins(1));
    }
}
