//! What the benchmarks share: graphs and reports, the engine and its peers with them, measuring, tables.

pub mod child;
pub mod engine;
pub mod graph;
pub mod measure;
pub mod peers;
pub mod reports;
pub mod table;

/// Whatever made a benchmark give up.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
