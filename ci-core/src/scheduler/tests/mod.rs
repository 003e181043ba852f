//! The machine: its policies one by one, and all of it against a simple reference scheduler.

mod bench;
mod policies;
mod reference;
