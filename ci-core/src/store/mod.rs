//! Where runs are kept: journal, resume, history, requests from other processes, leases, logs.

mod error;
#[cfg(feature = "sqlite")]
mod log;
mod owner;
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;
#[expect(
    clippy::module_inception,
    reason = "the trait gives the module its name"
)]
mod store;

pub use error::{StoreError, StoreErrorKind};
pub use owner::OwnerId;
pub use record::{
    Lease, LeaseRequest, LogKey, LogLine, LogQuery, NewRun, Request, RequestKind, RequestRecord,
    Retention, RunPage, RunQuery, RunSummary, StoredRun,
};
#[cfg(feature = "sqlite")]
pub use sqlite::{Durability, SqliteStore};
pub use store::{Commit, CommitDone, LogWriter, RunStore};
