//! Triggers: what they take, what they are given, and when schedules are due.

mod schedules;
mod specs;
