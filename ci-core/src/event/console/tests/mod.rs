//! What the console shows, as a reader sees it.

#[cfg(feature = "console")]
mod live;
mod plain;
