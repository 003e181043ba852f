//! Tests of workflows: what is planned, what is read, what is refused.

#[cfg(feature = "yaml")]
mod errors;
mod form;
#[cfg(feature = "yaml")]
mod places;
mod plan;
mod round_trip;
