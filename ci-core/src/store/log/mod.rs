//! Logs of steps in files: the first of what a step says goes into a file of the run that all of its
//! steps share, the rest, if there is much, into a file of its own.
//!
//! ```text
//! ROOT/RUN/1.pack           the beginnings of all logs; 2.pack is of the process that went on, and so on
//! ROOT/RUN/JOB/1-0.log      what attempt 1 of the job said in step 0 beyond its part of the pack
//! ```
//!
//! Making a file costs more than a small job's whole output: most runs make one. Stores of before have
//! every log in a file of its own, and are read the same way.

mod damage;
mod dir;
mod frame;
mod index;
mod own;
mod pack;
#[cfg(test)]
mod tests;

pub(super) use damage::Expected;
pub(super) use dir::LogDir;
pub(super) use own::private_dir;
