//! The engine from end to end, through the `ci` program.

mod commands;
mod crash;
mod faults;
mod quickstart;
mod shared;
mod support;
