//! A stand-in for EC2, for tests of programs that rent machines.
//!
//! [`FakeEc2`] speaks the query protocol of EC2 over HTTP on a loopback port, and models what other
//! stand-ins leave out: client tokens, states that take time, instances that are not visible at first,
//! missing capacity, throttling, lost replies, and spot instances that are taken away.

mod direct;
mod fake;
mod http;
mod model;
mod query;
mod xml;

pub use crate::faults::POINTS;
pub use fake::FakeEc2;
pub use model::{Delays, Fault, Rule};

/// The private host key that a launch put into the user data.
#[must_use]
pub fn host_key_of(user_data: &str) -> Option<String> {
    crate::ec2::host_key_of(user_data)
}
