//! Lines of bytes out of a reader, without a copy or an allocation per line.

use std::io::{self, Read};

use memchr::memchr;

/// How many bytes are read at once.
const CHUNK: usize = 256 * 1024;

/// The longest line that is kept; what a longer one holds is left out.
pub(super) const MAX_LINE: usize = 1 << 20;

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// Bytes before it.
    pub(super) offset: u64,
    /// Its number, from 1.
    pub(super) line: u64,
}

/// A line, without its end.
#[derive(Debug)]
pub(super) struct TextLine<'a> {
    pub(super) text: &'a [u8],
    pub(super) place: Place,
    /// It was longer than [`MAX_LINE`]; `text` is empty.
    pub(super) too_long: bool,
}

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    place: Place,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            at_end: false,
            place: Place::default(),
        }
    }

    /// What is read and not yet handed out.
    #[inline]
    pub(super) fn pending(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Goes past so many bytes of what is [`pending`](Self::pending), which are so many whole lines;
    /// gives the place of the last of them, which takes `last` bytes.
    #[inline]
    pub(super) fn skip(&mut self, bytes: usize, lines: u64, last: usize) -> Option<Place> {
        self.start = self.end.min(self.start + bytes);
        self.place.offset += bytes as u64;
        self.place.line += lines;
        let mut place = self.place;
        place.offset -= last as u64;
        (lines > 0).then_some(place)
    }

    /// The next line.
    #[inline]
    pub(super) fn next(&mut self) -> io::Result<Option<TextLine<'_>>> {
        let length = match memchr(b'\n', &self.buffer[self.start..self.end]) {
            Some(length) => length,
            None => match self.fill()? {
                Found::Line(length) => length,
                Found::TooLong(place) => return Ok(Some(too_long(place))),
                Found::Rest if self.start == self.end => return Ok(None),
                Found::Rest => return Ok(Some(self.rest())),
            },
        };
        let mut text = &self.buffer[self.start..self.start + length];
        if let [rest @ .., b'\r'] = text {
            text = rest;
        }
        self.place.line += 1;
        let place = self.place;
        self.place.offset += length as u64 + 1;
        self.start += length + 1;
        Ok(Some(TextLine {
            text,
            place,
            too_long: false,
        }))
    }

    /// What stands behind the last line feed.
    fn rest(&mut self) -> TextLine<'_> {
        let mut text = &self.buffer[self.start..self.end];
        self.place.line += 1;
        let place = self.place;
        self.place.offset += text.len() as u64;
        self.start = self.end;
        if let [rest @ .., b'\r'] = text {
            text = rest;
        }
        TextLine {
            text,
            place,
            too_long: false,
        }
    }

    /// Reads on until a line feed, the end, or more than a line may have.
    #[cold]
    fn fill(&mut self) -> io::Result<Found> {
        loop {
            let pending = self.end - self.start;
            if self.at_end {
                return Ok(Found::Rest);
            }
            if pending > MAX_LINE {
                return self.skip_line();
            }
            self.buffer.copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = pending;
            if self.buffer.len() < pending + CHUNK {
                self.buffer.resize(pending + CHUNK, 0);
            }
            let fresh = self.read_more()?;
            if let Some(at) = memchr(b'\n', &self.buffer[fresh..self.end]) {
                return Ok(Found::Line(fresh + at));
            }
        }
    }

    /// Reads once behind what is pending, and says where that began.
    fn read_more(&mut self) -> io::Result<usize> {
        let from = self.end;
        loop {
            match self.reader.read(&mut self.buffer[from..]) {
                Ok(0) => self.at_end = true,
                Ok(count) => self.end = from + count.min(self.buffer.len() - from),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(from);
        }
    }

    /// Drops everything up to the next line feed.
    fn skip_line(&mut self) -> io::Result<Found> {
        self.place.line += 1;
        let place = self.place;
        self.place.offset += (self.end - self.start) as u64;
        loop {
            self.start = 0;
            self.end = 0;
            self.read_more()?;
            if let Some(at) = memchr(b'\n', &self.buffer[..self.end]) {
                self.start = at + 1;
                self.place.offset += self.start as u64;
                return Ok(Found::TooLong(place));
            }
            self.place.offset += self.end as u64;
            if self.at_end {
                return Ok(Found::TooLong(place));
            }
        }
    }
}

enum Found {
    /// A line of so many bytes.
    Line(usize),
    /// The line at the place was left out.
    TooLong(Place),
    /// No further line feed.
    Rest,
}

fn too_long(place: Place) -> TextLine<'static> {
    TextLine {
        text: &[],
        place,
        too_long: true,
    }
}

/// Splits `text` at the first `separator`.
#[inline]
pub(super) fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr(separator, text)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Splits `text` at the last `separator`.
pub(super) fn rsplit_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memrchr(separator, text)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out `step` bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn lines(text: &[u8], step: usize) -> Vec<(Vec<u8>, u64, u64)> {
        let mut lines = Lines::new(Drip(text, step));
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let Place { offset, line: no } = line.place;
            all.push((line.text.to_vec(), offset, no));
        }
        all
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let text = b"one\r\n\ntwo\nthree";
        let expected = vec![
            (b"one".to_vec(), 0, 1),
            (b"".to_vec(), 5, 2),
            (b"two".to_vec(), 6, 3),
            (b"three".to_vec(), 10, 4),
        ];
        for step in 1..=text.len() {
            assert_eq!(lines(text, step), expected);
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_left_out_and_the_next_one_read() {
        let mut text = vec![b'x'; 3 * MAX_LINE];
        text.extend_from_slice(b"\nshort\n");
        let mut lines = Lines::new(&text[..]);
        assert!(lines.next().unwrap().unwrap().too_long);
        let line = lines.next().unwrap().unwrap();
        assert_eq!(line.text, b"short");
        assert_eq!(line.place.offset, 3 * MAX_LINE as u64 + 1);
        assert_eq!(line.place.line, 2);
        assert!(lines.next().unwrap().is_none());
    }
}
