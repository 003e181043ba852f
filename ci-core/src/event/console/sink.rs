//! The sink that writes a run to a console.

use std::fmt;
use std::io::{BufWriter, Stderr, Write};

use super::transcript::Transcript;
use super::{ConsoleOptions, Environment};
use crate::event::{EventRecord, Sink, SinkError};

#[cfg(feature = "console")]
use super::screen::Live;

/// Shows a run to people as it goes on, and a summary at its end.
///
/// On a terminal a board of the running jobs stays at the bottom, and what is done scrolls above it;
/// elsewhere every line is plain and begins with its job. It writes to standard error, so that standard
/// output stays free for data.
pub struct Console<W: Write> {
    writer: BufWriter<W>,
    transcript: Transcript,
    #[cfg(feature = "console")]
    live: Option<Live>,
    unflushed: bool,
}

impl Console<Stderr> {
    /// Shows the run on standard error, as the environment of the process suggests.
    #[must_use]
    pub fn stderr() -> Self {
        Self::new(
            std::io::stderr(),
            ConsoleOptions::from_env(Environment::of_stderr()),
        )
    }
}

impl<W: Write> Console<W> {
    /// Shows the run on `writer`, which needs no buffer of its own. A live board takes the size of the
    /// terminal behind standard error; see [`with_size`](Self::with_size) for another.
    #[must_use]
    pub fn new(writer: W, options: ConsoleOptions) -> Self {
        let board = options.shows_board();
        Self {
            #[cfg(feature = "console")]
            live: board.then(|| Live::new(&options)),
            writer: BufWriter::with_capacity(64 * 1024, writer),
            transcript: Transcript::new(options, board),
            unflushed: false,
        }
    }

    /// Asks `size` for the columns and rows of the terminal whenever the board is drawn.
    #[must_use]
    #[cfg(feature = "console")]
    pub fn with_size(mut self, size: impl Fn() -> (u16, u16) + Send + 'static) -> Self {
        if let Some(live) = &mut self.live {
            live.measure_with(Box::new(size));
        }
        self
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.writer.flush()?;
        self.unflushed = false;
        Ok(())
    }
}

impl<W: Write> fmt::Debug for Console<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}

impl<W: Write + Send> Sink for Console<W> {
    fn name(&self) -> &'static str {
        "console"
    }

    fn event(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        let lines = self.transcript.apply(record);
        #[cfg(feature = "console")]
        if let Some(live) = &mut self.live {
            live.apply(record, lines);
            return Ok(live.draw_if_due(&self.transcript, &mut self.writer)?);
        }
        for line in lines {
            self.writer.write_all(line.as_bytes())?;
            self.writer.write_all(b"\n")?;
            self.unflushed = true;
        }
        if self.unflushed && !record.event.is_output() {
            self.flush()?;
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), SinkError> {
        #[cfg(feature = "console")]
        if let Some(live) = &mut self.live {
            return Ok(live.draw(&self.transcript, &mut self.writer)?);
        }
        if self.unflushed {
            self.flush()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        #[cfg(feature = "console")]
        if let Some(live) = &mut self.live {
            return Ok(live.finish(&mut self.writer)?);
        }
        self.flush()
    }
}

#[cfg(feature = "console")]
impl<W: Write> Drop for Console<W> {
    fn drop(&mut self) {
        // A sink that is dropped before its end must not leave half a board behind. Nothing to do about
        // a terminal that is gone.
        if let Some(live) = &mut self.live {
            let _ = live.finish(&mut self.writer);
        }
    }
}
