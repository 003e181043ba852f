//! The run store on SQLite (<https://sqlite.org/wal.html>): one file, shared by processes.

mod connection;
mod inbox;
mod leases;
mod marks;
mod queries;
mod reports;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod trouble;
mod writer;

pub use store::{Durability, SqliteStore};
