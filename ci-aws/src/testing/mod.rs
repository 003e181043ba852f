//! A stand-in for EC2, for tests of programs that rent machines.
//!
//! [`FakeEc2`] speaks the query protocol of EC2 over HTTP on a loopback port, and models what other
//! stand-ins leave out: client tokens, states that take time, instances that are not visible at first,
//! missing capacity, throttling, lost replies, and spot instances that are taken away.

mod direct;
mod fake;
mod http;
mod launched;
mod model;
mod query;
mod xml;

pub use crate::faults::POINTS;
pub use fake::FakeEc2;
pub use launched::host_key_of;
pub use model::{Delays, Fault, Rule};
