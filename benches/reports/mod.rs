//! Reports to read, and those who read them: the engine and its peers.

pub mod coverage;
pub mod files;
pub mod hostile;
pub mod junit;
