//! Whole runs on a mock executor and on virtual time: when each thing happens, to the second, and how
//! it ends. Nothing here waits in earnest.
#![cfg(feature = "testing")]

mod approvals;
mod budgets;

mod ends;
mod kit;
mod order;
mod retry;
mod starts;
mod stores;
mod teardown;
mod timeouts;
