//! Where runs are kept: journal, resume, history, requests from other processes, leases, logs.

mod error;
mod record;
#[expect(
    clippy::module_inception,
    reason = "the trait gives the module its name"
)]
mod store;

pub use error::{StoreError, StoreErrorKind};
pub use record::{
    Lease, LeaseRequest, LogKey, LogLine, LogQuery, NewRun, OwnerId, Request, RequestKind,
    RequestRecord, Retention, RunPage, RunQuery, RunSummary, StoredRun,
};
pub use store::{Commit, CommitDone, LogWriter, RunStore};
