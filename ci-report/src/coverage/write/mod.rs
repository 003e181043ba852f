//! Coverage as reports for others: tools, programs and people.

mod cobertura;
mod json;
mod lcov;
mod summary;

pub use cobertura::write_cobertura;
pub use json::write_json;
pub use lcov::write_lcov;
pub use summary::{SummaryOptions, write_markdown, write_text};
