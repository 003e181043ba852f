//! A timeline of the run in the Chrome trace event format, for Perfetto and `chrome://tracing`.

mod sink;
#[cfg(test)]
mod tests;
mod timeline;

pub use sink::ChromeTrace;
