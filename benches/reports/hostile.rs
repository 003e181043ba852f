//! Reports made to break a reader, given as they are read: none of them is in memory as a whole.

use std::io::{self, Read};

/// What is repeated, so many times, between two ends.
struct Repeated {
    number: u64,
    of: u64,
    each: fn(u64) -> String,
    rest: io::Cursor<String>,
}

impl Read for Repeated {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.rest.read(into)?;
            if read > 0 || self.number == self.of || into.is_empty() {
                return Ok(read);
            }
            let mut more = String::with_capacity(64 << 10);
            while self.number < self.of && more.len() < 60 << 10 {
                more.push_str(&(self.each)(self.number));
                self.number += 1;
            }
            self.rest = io::Cursor::new(more);
        }
    }
}

fn repeated(of: u64, each: fn(u64) -> String) -> Repeated {
    Repeated {
        number: 0,
        of,
        each,
        rest: io::Cursor::default(),
    }
}

/// One CDATA section of so many bytes.
#[must_use]
pub fn cdata(bytes: u64) -> Box<dyn Read> {
    let head = &b"<testsuite><testcase name='loud'><system-out><![CDATA["[..];
    let tail = &b"]]></system-out></testcase></testsuite>"[..];
    Box::new(head.chain(io::repeat(b'x').take(bytes)).chain(tail))
}

/// So many suites, each in the one before, with a case in the innermost.
#[must_use]
pub fn nested(suites: u64) -> Box<dyn Read> {
    let open = repeated(suites, |number| {
        format!("<testsuite name='suite {number}'>")
    });
    let close = repeated(suites, |_| "</testsuite>".to_owned());
    Box::new(open.chain(&b"<testcase name='deep'/>"[..]).chain(close))
}

/// A case whose tag has so many attributes.
#[must_use]
pub fn attributes(count: u64) -> Box<dyn Read> {
    let head = &b"<testsuite><testcase name='many'"[..];
    let each = repeated(count, |number| {
        format!(" attribute{number}='value {number}'")
    });
    Box::new(head.chain(each).chain(&b"/></testsuite>"[..]))
}
