//! What the benchmarks share: graphs, the engine and its peers running them, measuring, tables.

pub mod child;
pub mod engine;
pub mod graph;
pub mod measure;
pub mod peers;
pub mod table;

/// Whatever made a benchmark give up.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
