//! Standard output as the place of a run's events, and whether they got there.

use std::io::{self, Stdout, Write};
use std::sync::{Arc, OnceLock};

use crate::failure::Failure;

/// Standard output that notes why it failed.
pub(crate) struct Noted<W = Stdout> {
    inner: W,
    written: Written,
}

/// Whether what was to be written was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<OnceLock<String>>);

impl Noted {
    pub(crate) fn stdout(written: &Written) -> Self {
        Self {
            inner: io::stdout(),
            written: written.clone(),
        }
    }
}

impl Written {
    /// Fails if something was lost that somebody waits for.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.0.get() {
            None => Ok(()),
            Some(why) => Err(Failure::engine(format!(
                "the events of the run could not be written to standard output: {why}"
            ))
            .hint("the run itself is recorded: `ci show last` tells how it went")),
        }
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        // A reader that has gone away wants no more: that is no loss.
        if let Err(error) = &result
            && !matches!(
                error.kind(),
                io::ErrorKind::BrokenPipe | io::ErrorKind::Interrupted
            )
        {
            let _ = self.0.set(error.to_string());
        }
        result
    }
}

impl<W: Write> Write for Noted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.written.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.written.note(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_a_loss_and_a_reader_that_is_gone_is_none() {
        for (kind, is_lost) in [
            (io::ErrorKind::StorageFull, true),
            (io::ErrorKind::BrokenPipe, false),
        ] {
            let written = Written::default();
            let mut out = Noted {
                inner: Fails(kind),
                written: written.clone(),
            };
            let _ = out.write_all(b"{}\n");
            assert_eq!(written.check().is_err(), is_lost, "{kind}");
        }
    }
}
