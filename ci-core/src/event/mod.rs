//! What happens in a run: a closed enum of events, and the sinks that see them.

#[expect(
    clippy::module_inception,
    reason = "the enum gives the module its name"
)]
mod event;
mod hub;
mod sink;

pub use event::{EventRecord, JobInfo, JobResult, RunEvent, SCHEMA_VERSION, StoredKind};
pub use hub::EventHub;
pub use sink::{Interest, NullSink, Sink, SinkError};
