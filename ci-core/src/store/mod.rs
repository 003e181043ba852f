//! Where runs are kept: journal, resume, history, requests from other processes, leases, logs.

#[cfg(test)]
mod contract;
mod error;
mod lines;
#[cfg(feature = "sqlite")]
mod log;
mod memory;
mod owner;
mod reader;
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;
#[expect(
    clippy::module_inception,
    reason = "the trait gives the module its name"
)]
mod store;

pub use error::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
pub use owner::OwnerId;
pub use reader::LogReader;
pub use record::{
    Lease, LeaseRequest, LogKey, LogLine, LogQuery, NewRun, Request, RequestKind, RequestRecord,
    Retention, RunPage, RunQuery, RunSummary, StoredRun,
};
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteStore};
pub use store::{Commit, CommitDone, LogPart, LogWriter, RunStore};
