//! The text of a report as a reader: unpacked and decoded.

use std::io::{self, Read};

use crate::Diagnostic;
use crate::input::{Input, TextSink};

/// How many bytes are read at once.
const BLOCK: usize = 64 * 1024;

/// How much of the text the format is told from.
const HEAD: usize = 64 * 1024;

/// Reads bytes that may be packed and in any encoding, gives text.
pub(super) struct Unpacked<R> {
    reader: R,
    input: Input,
    block: Vec<u8>,
    ready: Ready,
    taken: usize,
    at_end: bool,
}

/// What was decoded and waits to be taken.
#[derive(Debug, Default)]
pub(super) struct Ready {
    text: String,
    diagnostics: Vec<Diagnostic>,
}

impl TextSink for Ready {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }
}

impl<R: Read> Unpacked<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            input: Input::new(),
            block: vec![0; BLOCK],
            ready: Ready::default(),
            taken: 0,
            at_end: false,
        }
    }

    /// The start of the text, which stays to be read.
    pub(super) fn head(&mut self) -> io::Result<&str> {
        while self.ready.text.len() < HEAD && !self.at_end {
            self.fill()?;
        }
        let text = &self.ready.text;
        Ok(&text[..text.floor_char_boundary(HEAD)])
    }

    /// The next piece of the text.
    pub(super) fn piece(&mut self) -> io::Result<Option<&str>> {
        if !self.await_text()? {
            return Ok(None);
        }
        let piece = &self.ready.text[self.taken..];
        self.taken = self.ready.text.len();
        Ok(Some(piece))
    }

    /// What was wrong with the bytes so far.
    pub(super) fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.ready.diagnostics)
    }

    /// Decodes until there is text; `false` at the end.
    fn await_text(&mut self) -> io::Result<bool> {
        while self.taken == self.ready.text.len() {
            if self.at_end {
                return Ok(false);
            }
            self.ready.text.clear();
            self.taken = 0;
            self.fill()?;
        }
        Ok(true)
    }

    fn fill(&mut self) -> io::Result<()> {
        match self.reader.read(&mut self.block) {
            Ok(0) => {
                self.at_end = true;
                self.input.finish(&mut self.ready);
            }
            Ok(count) => {
                let bytes = self.block.get(..count).unwrap_or_default();
                self.input.feed(bytes, &mut self.ready);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() || !self.await_text()? {
            return Ok(0);
        }
        let from = &self.ready.text.as_bytes()[self.taken..];
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        self.taken += count;
        Ok(count)
    }
}
