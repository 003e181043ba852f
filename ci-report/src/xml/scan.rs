//! The scan of one start tag, which can stop at any byte and go on later.

use std::ops::Range;

use super::Limits;
use super::limits::NAME;
use super::usual::sort;

/// Where an attribute stands.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
    /// Whether the value has references; once they are resolved, whether it lies in the decoded text.
    pub(super) decoded: bool,
}

/// What was odd about a tag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a finding of its own"
)]
pub(super) struct Findings {
    pub(super) duplicate: bool,
    pub(super) less_than: bool,
    pub(super) not_quoted: bool,
    pub(super) stray: bool,
    pub(super) unclosed: bool,
    pub(super) long_value: bool,
    pub(super) too_many: bool,
}

/// What a scan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The text ends before the tag does.
    More,
    /// The tag ends before `end`.
    Done { end: usize, empty: bool },
}

/// Where in the tag the scan stands. Positions count from the `<`.
#[derive(Debug, Clone, Copy)]
enum At {
    Element,
    Between,
    Slash,
    Name {
        start: usize,
    },
    Named {
        name: (usize, usize),
    },
    Equals {
        name: (usize, usize),
    },
    Quoted {
        name: (usize, usize),
        start: usize,
        quote: u8,
        references: bool,
    },
    Bare {
        name: (usize, usize),
        start: usize,
        references: bool,
        slash: bool,
    },
}

/// The scan of one start tag.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) limits: Limits,
    at: At,
    position: usize,
    name_end: usize,
    /// The end of the last thing that is kept.
    kept: usize,
    /// Bytes of names and values that are kept.
    weight: usize,
    /// No further attribute is kept.
    full: bool,
    /// One bit for each sort of name seen, so that most names need no search for another.
    seen: u64,
    pub(super) spans: Vec<Span>,
    pub(super) findings: Findings,
}

impl Scan {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            at: At::Element,
            position: 1,
            name_end: 1,
            kept: 1,
            weight: 0,
            full: false,
            seen: 0,
            spans: Vec::new(),
            findings: Findings::default(),
        }
    }

    /// Makes ready for the next tag.
    pub(super) fn reset(&mut self) {
        self.at = At::Element;
        self.position = 1;
        self.name_end = 1;
        self.kept = 1;
        self.weight = 0;
        self.full = false;
        self.seen = 0;
        self.spans.clear();
        self.findings = Findings::default();
    }

    /// Where the name of the element stands.
    pub(super) fn name(&self) -> Range<usize> {
        1..self.name_end
    }

    /// Scans on in `tag`, which begins with the `<` and has at least what it had before.
    pub(super) fn run(&mut self, tag: &str) -> Step {
        let bytes = tag.as_bytes();
        loop {
            if matches!(self.at, At::Between) {
                self.plain(tag);
            }
            let Some(&byte) = bytes.get(self.position) else {
                return Step::More;
            };
            match self.at {
                At::Between => match byte {
                    b' ' | b'\n' | b'\t' | b'\r' => self.position += 1,
                    b'>' => {
                        return Step::Done {
                            end: self.position + 1,
                            empty: false,
                        };
                    }
                    b'/' => {
                        self.at = At::Slash;
                        self.position += 1;
                    }
                    b'<' => {
                        self.findings.unclosed = true;
                        return Step::Done {
                            end: self.position,
                            empty: false,
                        };
                    }
                    _ => {
                        self.at = At::Name {
                            start: self.position,
                        }
                    }
                },
                At::Element => {
                    self.skip(bytes, ends_element);
                    if self.position < bytes.len() {
                        self.name_end = boundary(tag, 1, self.position, NAME);
                        self.kept = self.name_end;
                        self.at = At::Between;
                    }
                }
                At::Slash => {
                    if byte == b'>' {
                        return Step::Done {
                            end: self.position + 1,
                            empty: true,
                        };
                    }
                    self.findings.stray = true;
                    self.at = At::Between;
                }
                At::Name { start } => {
                    self.skip(bytes, ends_name);
                    if self.position < bytes.len() {
                        let name = (start, boundary(tag, start, self.position, NAME));
                        self.at = At::Named { name };
                    }
                }
                At::Named { name } => self.after_name(tag, name, byte),
                At::Equals { name } => self.after_equals(tag, name, byte),
                At::Quoted {
                    name,
                    start,
                    quote,
                    references,
                } => {
                    self.quoted(tag, name, start, quote, references);
                }
                At::Bare {
                    name,
                    start,
                    references,
                    slash,
                } => {
                    if let Some(step) = self.bare(tag, name, start, references, slash, byte) {
                        return step;
                    }
                }
            }
        }
    }

    /// Scans attributes that are as nearly all are: a name, `=`, and a value in quotes without
    /// references, all of it there. Stops before anything else, behind blanks.
    fn plain(&mut self, tag: &str) {
        let bytes = tag.as_bytes();
        loop {
            let mut at = self.position;
            while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(at) {
                at += 1;
            }
            let start = at;
            self.position = start;
            while let Some(&byte) = bytes.get(at)
                && !ends_name(byte)
            {
                at += 1;
            }
            let Some(&[b'=', quote @ (b'"' | b'\'')]) = bytes.get(at..at + 2) else {
                break;
            };
            let value = at + 2;
            let Some(rest) = bytes.get(value..) else {
                break;
            };
            let Some(length) = memchr::memchr3(quote, b'&', b'<', rest) else {
                break;
            };
            if rest.get(length) != Some(&quote) || at == start || at - start > NAME {
                break;
            }
            self.position = value + length + 1;
            self.push(tag, (start, at), value..value + length, false);
        }
    }

    fn skip(&mut self, bytes: &[u8], until: fn(u8) -> bool) {
        while let Some(&byte) = bytes.get(self.position)
            && !until(byte)
        {
            self.position += 1;
        }
    }

    fn after_name(&mut self, tag: &str, name: (usize, usize), byte: u8) {
        match byte {
            b'=' => {
                self.at = At::Equals { name };
                self.position += 1;
            }
            byte if byte.is_ascii_whitespace() => self.position += 1,
            _ => {
                self.findings.stray = true;
                self.push(tag, name, name.1..name.1, false);
                self.at = At::Between;
            }
        }
    }

    fn after_equals(&mut self, tag: &str, name: (usize, usize), byte: u8) {
        match byte {
            b'"' | b'\'' => {
                self.position += 1;
                let start = self.position;
                self.at = At::Quoted {
                    name,
                    start,
                    quote: byte,
                    references: false,
                };
            }
            b'>' | b'<' => {
                self.findings.not_quoted = true;
                self.push(tag, name, name.1..name.1, false);
                self.at = At::Between;
            }
            byte if byte.is_ascii_whitespace() => self.position += 1,
            _ => {
                self.findings.not_quoted = true;
                let start = self.position;
                self.at = At::Bare {
                    name,
                    start,
                    references: false,
                    slash: false,
                };
            }
        }
    }

    fn quoted(
        &mut self,
        tag: &str,
        name: (usize, usize),
        start: usize,
        quote: u8,
        mut references: bool,
    ) {
        let bytes = tag.as_bytes();
        while let Some(rest) = bytes.get(self.position..) {
            // Once both are known, only the end matters.
            let next = if references && self.findings.less_than {
                memchr::memchr(quote, rest)
            } else {
                memchr::memchr3(quote, b'&', b'<', rest)
            };
            let Some(next) = next else {
                self.position = bytes.len();
                break;
            };
            let byte = rest.get(next).copied().unwrap_or(quote);
            self.position += next + 1;
            if byte == quote {
                self.push(tag, name, start..self.position - 1, references);
                self.at = At::Between;
                return;
            }
            references |= byte == b'&';
            self.findings.less_than |= byte == b'<';
        }
        self.at = At::Quoted {
            name,
            start,
            quote,
            references,
        };
    }

    fn bare(
        &mut self,
        tag: &str,
        name: (usize, usize),
        start: usize,
        references: bool,
        slash: bool,
        byte: u8,
    ) -> Option<Step> {
        match byte {
            b'>' if slash => {
                self.push(tag, name, start..self.position - 1, references);
                return Some(Step::Done {
                    end: self.position + 1,
                    empty: true,
                });
            }
            b'>' | b'<' | b' ' | b'\n' | b'\t' | b'\r' => {
                self.push(tag, name, start..self.position, references);
                self.at = At::Between;
            }
            _ => {
                let references = references || byte == b'&';
                self.at = At::Bare {
                    name,
                    start,
                    references,
                    slash: byte == b'/',
                };
                self.position += 1;
            }
        }
        None
    }

    /// Keeps an attribute, unless there are too many, or one of its name, or it has no name.
    fn push(&mut self, tag: &str, name: (usize, usize), value: Range<usize>, references: bool) {
        let name = name.0..name.1;
        if self.spans.len() >= self.limits.attributes || self.weight >= self.limits.tag {
            self.full = true;
            self.findings.too_many = true;
            return;
        }
        if name.is_empty() {
            self.findings.stray = true;
            return;
        }
        let text = tag.get(name.clone()).unwrap_or_default();
        let bit = sort(text.as_bytes());
        if self.seen & bit != 0
            && self
                .spans
                .iter()
                .any(|span| tag.get(span.name.clone()) == Some(text))
        {
            self.findings.duplicate = true;
            return;
        }
        self.seen |= bit;
        let end = boundary(tag, value.start, value.end, self.limits.value);
        self.findings.long_value |= end < value.end;
        self.weight += name.len() + (end - value.start);
        self.kept = end.max(name.end);
        self.spans.push(Span {
            name,
            value: value.start..end,
            decoded: references,
        });
    }

    /// Drops from a tag that was scanned to its end what no later step looks at, so that a tag of any
    /// length needs no more memory than what is kept of it.
    pub(super) fn compact(&mut self, tag: &mut String) {
        // Some bytes more than the limit, so that a cut is seen as one and no character is halved.
        const SLACK: usize = 8;
        let (name_limit, value_limit) = (NAME + SLACK, self.limits.value + SLACK);
        let full = self.full
            || self.spans.len() >= self.limits.attributes
            || self.weight >= self.limits.tag;
        let keep = match self.at {
            At::Element => 1 + name_limit,
            At::Between | At::Slash => self.kept,
            _ if full => self.kept,
            At::Name { start } => start + name_limit,
            At::Named { name } | At::Equals { name } => name.1,
            At::Quoted { start, .. } | At::Bare { start, .. } => start + value_limit,
        };
        if tag.len() <= keep {
            return;
        }
        let keep = tag.ceil_char_boundary(keep);
        tag.truncate(keep);
        self.position = keep;
        if full {
            self.forget(keep);
        }
    }

    /// Lets what is being scanned begin at `place`, since it will not be kept.
    fn forget(&mut self, place: usize) {
        let nowhere = (place, place);
        match &mut self.at {
            At::Element | At::Between | At::Slash => {}
            At::Name { start } => *start = place,
            At::Named { name } | At::Equals { name } => *name = nowhere,
            At::Quoted { name, start, .. } | At::Bare { name, start, .. } => {
                *name = nowhere;
                *start = place;
            }
        }
    }
}

fn ends_element(byte: u8) -> bool {
    matches!(byte, b' ' | b'>' | b'/' | b'<' | b'\n' | b'\t' | b'\r')
}

fn ends_name(byte: u8) -> bool {
    matches!(
        byte,
        b'=' | b' ' | b'>' | b'/' | b'<' | b'\n' | b'\t' | b'\r'
    )
}

/// The end of what is kept of `start..end`: at most `most` bytes, and no half of a character.
fn boundary(text: &str, start: usize, end: usize, most: usize) -> usize {
    if end - start <= most {
        end
    } else {
        text.floor_char_boundary(start + most).max(start)
    }
}
