//! Writes the events of a run as JSON, one a line.

use std::fmt;
use std::io::{BufWriter, Write};

use super::{EventRecord, Interest, Sink, SinkError};

/// Writes the events of a run as JSON, one object a line; the form is documented in
/// `schema/EVENTS.md`. The last line is `run_finished`.
///
/// A line about the life of the run is flushed at once, so that a reader of a pipe sees it when it
/// happens. Output is flushed about ten times a second.
///
/// # Errors
/// A writer that fails, such as a pipe whose reader is gone, fails the sink and not the run.
pub struct JsonLines<W: Write> {
    writer: BufWriter<W>,
    line: Vec<u8>,
    output: bool,
    unflushed: bool,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `writer`, which needs no buffer of its own.
    #[must_use]
    pub fn new(writer: W) -> Self {
        Self {
            writer: BufWriter::new(writer),
            line: Vec::new(),
            output: true,
            unflushed: false,
        }
    }

    /// Leaves out what the steps write.
    #[must_use]
    pub fn without_output(mut self) -> Self {
        self.output = false;
        self
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.writer.flush()?;
        self.unflushed = false;
        Ok(())
    }
}

impl<W: Write> fmt::Debug for JsonLines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines")
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn name(&self) -> &'static str {
        "json lines"
    }

    fn interest(&self) -> Interest {
        if self.output {
            Interest::All
        } else {
            Interest::Lifecycle
        }
    }

    fn event(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        // Made whole first: half a line would spoil the stream for every reader.
        self.line.clear();
        serde_json::to_writer(&mut self.line, record).map_err(std::io::Error::from)?;
        self.line.push(b'\n');
        self.writer.write_all(&self.line)?;
        self.unflushed = true;
        if record.event.is_output() {
            return Ok(());
        }
        self.flush()
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        if self.unflushed {
            self.flush()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::RunEvent;
    use super::super::fixtures::samples;
    use super::*;

    /// Counts flushes and can be closed.
    #[derive(Default)]
    struct Pipe {
        bytes: Vec<u8>,
        flushes: usize,
        closed: bool,
    }

    impl Write for &mut Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.closed {
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            self.bytes.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            self.flushes += 1;
            Ok(())
        }
    }

    #[test]
    fn every_line_reads_back_and_the_last_is_the_end_of_the_run() {
        let mut pipe = Pipe::default();
        let mut sink = JsonLines::new(&mut pipe);
        for record in samples() {
            sink.event(&record).unwrap();
        }
        sink.finish().unwrap();
        drop(sink);
        let text = String::from_utf8(pipe.bytes).unwrap();
        let back: Vec<EventRecord> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(back, samples());
        assert!(
            text.lines()
                .last()
                .unwrap()
                .contains(r#""type":"run_finished""#)
        );
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn output_waits_for_the_tick_and_nothing_else_does() {
        let mut pipe = Pipe::default();
        let mut sink = JsonLines::new(&mut pipe);
        let (output, other): (Vec<_>, Vec<_>) = samples()
            .into_iter()
            .partition(|record| record.event.is_output());
        for record in &output {
            sink.event(record).unwrap();
        }
        assert_eq!(sink.writer.get_ref().flushes, 0);
        sink.tick().unwrap();
        sink.tick().unwrap();
        assert_eq!(sink.writer.get_ref().flushes, 1);
        sink.event(&other[0]).unwrap();
        assert_eq!(sink.writer.get_ref().flushes, 2);
    }

    #[test]
    fn a_closed_pipe_is_an_error() {
        let mut pipe = Pipe {
            closed: true,
            ..Pipe::default()
        };
        let mut sink = JsonLines::new(&mut pipe);
        let record = &samples()[0];
        assert!(matches!(record.event, RunEvent::RunStarted { .. }));
        assert_eq!(sink.event(record).unwrap_err().to_string(), "broken pipe");
    }

    #[test]
    fn output_can_be_left_out() {
        let sink = JsonLines::new(Vec::new()).without_output();
        assert_eq!(sink.interest(), Interest::Lifecycle);
    }
}
