//! What happens in a run: a closed enum of events, and the sinks that see them.

mod budget;
mod channel;
mod collect;
mod console;
#[expect(
    clippy::module_inception,
    reason = "the enum gives the module its name"
)]
mod event;
#[cfg(test)]
pub(crate) mod fixtures;
mod hub;
mod json;
mod measured;
mod path;
mod reports;
mod sink;
mod sink_fn;
mod summary;
mod terminal;
mod trace;
mod wire;

pub use budget::BudgetReport;
pub use channel::{ChannelSink, EventReceiver, channel};
pub use collect::{Collect, CollectHandle};
pub use console::{Choice, Console, ConsoleOptions, Environment, Verbosity};
pub(crate) use event::seconds;
pub use event::{EventRecord, JobInfo, JobResult, RunEvent, SCHEMA_VERSION, StoredKind};
pub use hub::EventHub;
pub use json::JsonLines;
pub use measured::{FindingCounts, FindingRecord, MetricGate, MetricValue};
pub(crate) use path::longest;
pub use reports::{
    CoverageRatio, CoverageTotals, GateOutcome, JobReports, ReportDiagnostic, ReportFile,
    TestRecord, test_id,
};
pub use sink::{Interest, NullSink, Sink, SinkError};
pub use sink_fn::{SinkFn, sink_fn};
pub use summary::{FailedOutput, Summary};
pub use terminal::Sanitizer;
pub(crate) use terminal::{mark_of, one_line, precise};
pub use trace::ChromeTrace;
pub use wire::event_schema;

pub use crate::severity::Severity as FindingSeverity;
pub use ci_report::{TestCounts, TestOutcome};
