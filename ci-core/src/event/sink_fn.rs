//! Makes a sink of a closure.

use std::fmt;

use super::{EventRecord, Sink, SinkError};

/// A sink called `name` that hands every event to `take`.
///
/// ```
/// use ci_core::event::{RunEvent, sink_fn};
///
/// let sink = sink_fn("bell", |record| {
///     if let RunEvent::RunFinished { outcome, .. } = &record.event {
///         println!("\x07{outcome}");
///     }
/// });
/// ```
pub fn sink_fn<F: FnMut(&EventRecord) + Send>(name: impl Into<String>, take: F) -> SinkFn<F> {
    SinkFn {
        name: name.into(),
        take,
    }
}

/// See [`sink_fn`].
pub struct SinkFn<F> {
    name: String,
    take: F,
}

impl<F> fmt::Debug for SinkFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SinkFn").field(&self.name).finish()
    }
}

impl<F: FnMut(&EventRecord) + Send> Sink for SinkFn<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn event(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        (self.take)(record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::samples;
    use super::*;

    #[test]
    fn the_closure_sees_the_events() {
        let mut seen = 0;
        let mut sink = sink_fn("count", |_| seen += 1);
        for record in samples() {
            sink.event(&record).unwrap();
        }
        assert_eq!(sink.name(), "count");
        assert_eq!(seen, samples().len());
    }
}
