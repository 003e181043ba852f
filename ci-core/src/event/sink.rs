//! Who sees the events of a run.

use super::EventRecord;

/// Sees the events of a run, one after the other, on a thread of its own: it may block. A sink that
/// is slow misses output (and is told how much), never another event; one that fails is dropped with
/// a warning. Neither stalls the run.
pub trait Sink: Send {
    /// What the sink is called in warnings.
    fn name(&self) -> &str;

    /// Which events it wants.
    fn interest(&self) -> Interest {
        Interest::All
    }

    /// Takes an event.
    fn event(&mut self, record: &EventRecord) -> Result<(), SinkError>;

    /// Called about ten times a second while the run lasts, for displays that move.
    fn tick(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Called once after the last event.
    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn interest(&self) -> Interest {
        (**self).interest()
    }

    fn event(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        (**self).event(record)
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        (**self).tick()
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        (**self).finish()
    }
}

/// Which events a sink wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Interest {
    /// None: the engine does not even make them.
    Nothing,
    /// All but output.
    Lifecycle,
    /// All.
    All,
}

/// A sink could not take an event.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

impl From<std::io::Error> for SinkError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A sink that wants nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NullSink;

impl Sink for NullSink {
    fn name(&self) -> &'static str {
        "null"
    }

    fn interest(&self) -> Interest {
        Interest::Nothing
    }

    fn event(&mut self, _record: &EventRecord) -> Result<(), SinkError> {
        Ok(())
    }
}
