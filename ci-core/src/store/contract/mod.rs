//! What every run store has to do: one suite, run against each of them through two handles, as two
//! processes have them.

mod groups;
mod journal;
pub(super) mod kit;
mod logs;
mod marks;
mod ownership;
mod reports;
mod suite;
