//! Writes the timeline as a JSON array that a reader can open at any time.

use std::fmt;
use std::io::{BufWriter, Write};

use super::timeline::{Mark, Timeline};
use crate::event::{EventRecord, Interest, Sink, SinkError};

/// Writes a timeline of the run that Perfetto (`ui.perfetto.dev`) and `chrome://tracing` open.
///
/// Process 1 is the run: track 0 is the run as a whole, track N its Nth slot, with one bar for each
/// attempt of a job and inside it one for its preparation and each step. Process 2 shows the jobs that
/// wait for a slot. Held jobs, retries, warnings and cancellation are instants.
///
/// The format is the JSON array form of the Trace Event Format, in which the closing bracket may be
/// missing: the file of a run that was killed opens too.
pub struct ChromeTrace<W: Write> {
    writer: BufWriter<W>,
    timeline: Timeline,
    begun: bool,
}

impl<W: Write> ChromeTrace<W> {
    /// Writes to `writer`, which needs no buffer of its own.
    #[must_use]
    pub fn new(writer: W) -> Self {
        Self {
            writer: BufWriter::new(writer),
            timeline: Timeline::default(),
            begun: false,
        }
    }

    fn write(&mut self, marks: &[Mark]) -> Result<(), SinkError> {
        for mark in marks {
            let before: &[u8] = if self.begun { b",\n" } else { b"[\n" };
            self.begun = true;
            let mut line = before.to_vec();
            serde_json::to_writer(&mut line, mark).map_err(std::io::Error::from)?;
            self.writer.write_all(&line)?;
        }
        Ok(())
    }
}

impl<W: Write> fmt::Debug for ChromeTrace<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChromeTrace")
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> Sink for ChromeTrace<W> {
    fn name(&self) -> &'static str {
        "trace"
    }

    fn interest(&self) -> Interest {
        Interest::Lifecycle
    }

    fn event(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        let marks = self.timeline.apply(record);
        self.write(&marks)
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        Ok(self.writer.flush()?)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        let marks = self.timeline.finish();
        self.write(&marks)?;
        let end: &[u8] = if self.begun { b"\n]\n" } else { b"[]\n" };
        self.writer.write_all(end)?;
        Ok(self.writer.flush()?)
    }
}
