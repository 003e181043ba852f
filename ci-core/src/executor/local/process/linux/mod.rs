//! Process trees on Linux: process groups, the child subreaper, markers in the environment, a
//! limit that nobody else sets, and cgroups where they may be made.
//!
//! The engine is made a child subreaper, so that a process whose parent ended becomes a child of the
//! engine. Thus one look at the engine's list of children tells whether *anything* is left of its
//! commands; only if so is the whole process table read.

mod cgroup;
mod children;
mod hunt;
mod mark;
mod marker;
mod proc;
mod table;
mod trees;

pub(in crate::executor::local) use trees::{Options, Running, Trees, reap};
