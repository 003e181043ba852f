//! The elements of arrays in a large JSON object, one after the other, without the rest of it.

use crate::tests::output::Output;
use crate::{Diagnostic, DiagnosticKind};

use super::TextFormat;

/// Bytes of one element.
const LARGEST: usize = 8 << 20;

/// A reader of a format that is a JSON object with arrays of objects.
pub(super) trait ElementFormat: std::fmt::Debug + Send {
    /// Whether the array under this key of the outermost object is wanted.
    fn wants(&self, key: &str) -> bool;
    /// Takes an element of such an array.
    fn element(
        &mut self,
        key: &str,
        json: &str,
        output: &mut Output<'_>,
    ) -> Result<(), serde_json::Error>;
}

/// Gives elements to a reader.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the place"
)]
pub(super) struct Elements<F> {
    format: F,
    depth: u64,
    string: bool,
    escape: bool,
    /// The last string directly in the outermost object.
    key: String,
    /// The array of that key is open and wanted.
    wanted: bool,
    /// The element that is open.
    element: String,
    capture: bool,
    too_large: bool,
    offset: u64,
    line: u64,
    began: (u64, u64),
}

impl<F: ElementFormat> Elements<F> {
    pub(super) fn new(format: F) -> Self {
        Self {
            format,
            depth: 0,
            string: false,
            escape: false,
            key: String::new(),
            wanted: false,
            element: String::new(),
            capture: false,
            too_large: false,
            offset: 0,
            line: 1,
            began: (0, 1),
        }
    }

    /// Keeps a part of what is open, be it an element or a key.
    fn keep(&mut self, part: &str) {
        if self.capture && !self.too_large {
            self.too_large = self.element.len() + part.len() > LARGEST;
            if !self.too_large {
                self.element.push_str(part);
            }
        } else if self.string && self.depth == 1 && self.key.len() + part.len() <= 256 {
            self.key.push_str(part);
        }
    }

    fn complete(&mut self, output: &mut Output<'_>) {
        self.capture = false;
        let element = std::mem::take(&mut self.element);
        let (offset, line) = self.began;
        if std::mem::take(&mut self.too_large) {
            let message = "an element is too large; it is left out";
            output.diagnostic(Diagnostic::new(
                offset,
                line,
                DiagnosticKind::Limit,
                message,
            ));
        } else if let Err(error) = self.format.element(&self.key, &element, output) {
            let message = format!("an element is not as it should be: {error}");
            output.diagnostic(Diagnostic::new(
                offset,
                line,
                DiagnosticKind::Malformed,
                message,
            ));
        }
    }

    /// A byte outside of strings that has a meaning; it has been kept.
    fn structure(&mut self, byte: u8, output: &mut Output<'_>) {
        match byte {
            b'"' => {
                self.string = true;
                if self.depth == 1 {
                    self.key.clear();
                }
            }
            b'[' | b'{' => {
                self.depth += 1;
                if self.depth == 2 {
                    self.wanted = byte == b'[' && self.format.wants(&self.key);
                }
            }
            b']' | b'}' => {
                self.depth = self.depth.saturating_sub(1);
                if self.capture && self.depth == 2 {
                    self.complete(output);
                }
                self.wanted &= self.depth >= 2;
            }
            _ => {}
        }
    }
}

impl<F: ElementFormat> TextFormat for Elements<F> {
    fn text(&mut self, text: &str, output: &mut Output<'_>) {
        let bytes = text.as_bytes();
        let mut position = 0;
        while let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) {
            let next = if self.escape {
                // The escaped character may be of several bytes; its first is enough.
                self.escape = false;
                let length = text.get(position..).and_then(|rest| rest.chars().next());
                let length = length.map_or(1, char::len_utf8);
                self.keep(text.get(position..position + length).unwrap_or_default());
                position += length;
                continue;
            } else if self.string {
                memchr::memchr2(b'"', b'\\', rest)
            } else {
                rest.iter()
                    .position(|byte| matches!(byte, b'"' | b'[' | b']' | b'{' | b'}'))
            };
            let end = next.map_or(bytes.len(), |next| position + next);
            self.keep(text.get(position..end).unwrap_or_default());
            let Some(&byte) = bytes.get(end) else { break };
            if self.string {
                self.escape = byte == b'\\';
                self.string = self.escape;
                let one = text.get(end..=end).unwrap_or_default();
                // The end of a key is no part of it.
                if self.capture || self.escape {
                    self.keep(one);
                }
            } else {
                if byte == b'{' && self.wanted && self.depth == 2 {
                    self.capture = true;
                    let before = memchr::memchr_iter(b'\n', bytes.get(..end).unwrap_or_default());
                    self.began = (self.offset + end as u64, self.line + before.count() as u64);
                }
                self.keep(text.get(end..=end).unwrap_or_default());
                self.structure(byte, output);
            }
            position = end + 1;
        }
        self.offset += text.len() as u64;
        self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
    }

    fn finish(&mut self, _output: &mut Output<'_>) -> bool {
        self.depth > 0
    }
}
