//! Whole runs on a mock executor and on virtual time: when each thing happens, to the second, and how
//! it ends. Nothing here waits in earnest.
#![cfg(feature = "testing")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that does not find what it looks for fails"
)]
#![expect(
    clippy::float_cmp,
    reason = "seconds on the virtual clock are exact, as the milliseconds they are made from"
)]

mod approvals;
mod between;
mod budgets;
mod cancel;
mod early;
mod ends;
mod hooked;
mod kit;
mod lost;
mod order;
mod repeated;
mod resumed;
mod retry;
mod sketch;
mod starts;
mod stores;
mod teardown;
mod timeouts;
