//! Puts the sources of a project into a directory.

mod step;

pub use step::Checkout;
