//! Reports: any bytes are read to their end, however they are cut, and what is told is bounded by
//! what came in.

use std::collections::BTreeSet;

use ci_core::report::Diagnostic;
use ci_core::report::coverage::{
    self, Gates, PathFilter, SummaryOptions, parse_diff, write_cobertura, write_json, write_lcov,
    write_markdown, write_text,
};
use ci_core::report::input::{Input, TextSink};
use ci_core::report::split::{Timings, by_filesize, by_name, by_timings};
use ci_core::report::tests::{Case, Options, Parser, Suite, Visitor, read_slice, write_junit};
use ci_core::report::xml::{Event, Mark, Sink, Tag, Tokenizer, tokenize};

use super::bytes::{number, pieces, text};

/// Bytes that gzip may make of one (RFC 1951: 258 bytes of two bits, hence 1032).
const UNPACKED: usize = 1032;

/// Counts what is told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    cases: usize,
    suites: usize,
    ended: usize,
    diagnostics: usize,
    bytes: usize,
}

impl Visitor for Told {
    fn suite_start(&mut self, suite: &Suite) {
        self.suites += 1;
        self.bytes += suite.name.len();
    }

    fn case(&mut self, case: &Case) {
        self.cases += 1;
        self.bytes += case.name.len() + case.class.len() + case.stdout.as_str().len();
    }

    fn suite_end(&mut self, _suite: &Suite) {
        self.ended += 1;
    }

    fn diagnostic(&mut self, _diagnostic: Diagnostic) {
        self.diagnostics += 1;
    }
}

/// Reports of tests in any format.
pub fn tests(bytes: &[u8]) {
    let told = |size: usize| {
        let mut told = Told::default();
        let mut parser = Parser::new(Options::default().with_text(64));
        for piece in pieces(bytes, size) {
            parser.feed(piece, &mut told);
        }
        let format = parser.finish(&mut told);
        (format, told)
    };
    let (format, whole) = told(255);
    assert_eq!(whole.suites, whole.ended, "each suite that begins ends");
    let most = bytes.len().saturating_mul(UNPACKED) + 64;
    assert!(whole.cases + whole.suites + whole.diagnostics <= most);
    let (same, cut) = told(1 + bytes.len() % 7);
    assert_eq!(format, same, "the format does not depend on the cuts");
    assert_eq!(whole, cut, "what is told does not depend on the cuts");
}

/// What is read and written as JUnit is read back with the same cases.
pub fn junit_writer(bytes: &[u8]) {
    let report = read_slice(bytes);
    let mut written = Vec::new();
    let done = write_junit(&report, &mut written);
    assert!(done.is_ok(), "memory takes everything");
    let back = read_slice(&written);
    assert!(!back.truncated, "what is written is whole");
    assert_eq!(report.counts.tests, back.counts.tests);
    assert_eq!(report.counts.failed, back.counts.failed);
    assert_eq!(report.counts.errors, back.counts.errors);
    assert_eq!(report.counts.skipped, back.counts.skipped);
}

/// Reports of coverage in any format, with everything that is made of them.
pub fn coverage(bytes: &[u8]) {
    let Ok(report) = coverage::read(bytes) else {
        return;
    };
    assert!(report.diagnostics.len() <= 101, "diagnostics are bounded");
    let totals = report.coverage.totals();
    for ratio in [totals.lines, totals.branches, totals.functions] {
        assert!(ratio.covered <= ratio.total, "{ratio:?}");
    }
    let gates = Gates::new().lines(50.0).branches(50.0).file_lines(10.0);
    let _ = gates.check(&report.coverage, None);
    let mut out = Vec::new();
    let options = SummaryOptions::default();
    let written = write_cobertura(&report.coverage, &mut out)
        .and_then(|()| write_json(&report.coverage, &mut out))
        .and_then(|()| write_text(&report.coverage, options, &mut out))
        .and_then(|()| write_markdown(&report.coverage, options, &mut out));
    assert!(written.is_ok(), "memory takes everything");
    let mut lcov = Vec::new();
    let written = write_lcov(&report.coverage, &mut lcov);
    assert!(written.is_ok(), "memory takes everything");
}

/// Unified diffs.
pub fn diff(bytes: &[u8]) {
    let changed = parse_diff(&text(bytes));
    let _ = Gates::new()
        .changed_lines(80.0)
        .check(&coverage::Coverage::new(), Some(&changed));
}

/// Globs that choose files: the first line is the glob, the others are paths.
pub fn glob(bytes: &[u8]) {
    let text = text(bytes);
    let mut lines = text.lines();
    let glob = lines.next().unwrap_or_default();
    let (included, excluded) = (
        PathFilter::new().include([glob]),
        PathFilter::new().exclude([glob]),
    );
    assert_eq!(included.is_ok(), excluded.is_ok());
    if let (Ok(included), Ok(excluded)) = (included, excluded) {
        for path in lines {
            assert_ne!(included.keeps(path), excluded.keeps(path), "`{glob}`");
        }
    }
}

/// Text that comes out of an input.
#[derive(Debug, Default, PartialEq, Eq)]
struct Text {
    text: String,
    diagnostics: Vec<String>,
}

impl TextSink for Text {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(format!("{diagnostic:?}"));
    }
}

/// Packed bytes and encodings.
pub fn input(bytes: &[u8]) {
    let read = |size: usize| {
        let (mut input, mut text) = (Input::new(), Text::default());
        for piece in pieces(bytes, size) {
            input.feed(piece, &mut text);
        }
        input.finish(&mut text);
        text
    };
    let whole = read(255);
    assert!(whole.text.len() <= bytes.len().saturating_mul(UNPACKED * 3) + 64);
    assert!(whole.diagnostics.len() <= 2);
    assert_eq!(
        whole,
        read(1 + bytes.len() % 5),
        "the cuts make no difference"
    );
}

/// Events of the tokenizer, with text that follows text as one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Events {
    all: Vec<String>,
    text: String,
}

impl Events {
    fn push(&mut self, event: String) {
        if !self.text.is_empty() {
            self.all.push(std::mem::take(&mut self.text));
        }
        self.all.push(event);
    }
}

impl Sink for Events {
    fn start(&mut self, tag: &Tag<'_>) {
        let attributes: Vec<_> = tag
            .attributes()
            .map(|it| (it.full_name().to_owned(), it.value().to_owned()))
            .collect();
        let at = (tag.at().offset(), tag.at().line());
        let (name, empty) = (tag.name(), tag.is_empty());
        self.push(format!("<{name} {attributes:?} {empty} {at:?}"));
    }

    fn text(&mut self, text: &str, _cdata: bool) {
        self.text.push_str(text);
    }

    fn end(&mut self, name: &str, at: Mark<'_>) {
        self.push(format!("</{name} {} {}", at.offset(), at.line()));
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        // Where in a text they stand depends on the cuts; that they are there does not.
        self.all.push(format!("{diagnostic:?}"));
    }
}

/// The tokenizer of XML.
pub fn xml(bytes: &[u8]) {
    let text = text(bytes);
    let read = |size: usize| {
        let (mut tokenizer, mut events) = (Tokenizer::new(), Events::default());
        let mut rest = &*text;
        while !rest.is_empty() {
            let end = rest.ceil_char_boundary(size.min(rest.len()));
            let (piece, after) = rest.split_at(end);
            tokenizer.feed(piece, &mut events);
            rest = after;
        }
        tokenizer.finish(&mut events);
        let text = std::mem::take(&mut events.text);
        events.all.push(text);
        // A diagnostic may come before or after the text around it.
        events.all.sort_unstable();
        events.all
    };
    let whole = read(usize::MAX);
    assert!(whole.len() <= text.len() * 3 + 8, "{} events", whole.len());
    let tags = |events: &[String]| {
        let tags = events.iter().filter(|event| event.starts_with('<'));
        tags.cloned().collect::<Vec<_>>()
    };
    assert_eq!(tags(&whole), tags(&read(1 + text.len() % 5)));
    let mut count = 0;
    tokenize(bytes, |event| {
        count += usize::from(matches!(event, Event::Start(_)));
    });
    assert!(count <= bytes.len().saturating_mul(UNPACKED));
}

/// Shards: the first two bytes say how many and what weighs, each line is a name.
pub fn split(bytes: &[u8]) {
    let (shards, rest) = number(bytes);
    let (weight, rest) = number(rest);
    let text = text(rest);
    let names: Vec<&str> = text.lines().collect();
    let mut timings = Timings::new();
    for (place, name) in names.iter().enumerate().filter(|(place, _)| place % 3 > 0) {
        let seconds = [0.5, -1.0, f64::NAN, f64::INFINITY, 1e300];
        timings.add(name, seconds[(place + weight) % seconds.len()]);
    }
    let shards = shards % 40;
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    let size = |name: &str| name.len().checked_rem(weight).map(|size| size as u64);
    for split in [
        by_name(&names, shards),
        by_timings(&names, &timings, shards),
        by_filesize(&names, size, shards),
    ] {
        // Shards beyond the number of names need not be there.
        let most = shards.max(1).min(unique.len().max(1));
        assert!((most..=shards.max(1)).contains(&split.shards().len()));
        let shared: Vec<&str> = split
            .shards()
            .iter()
            .flatten()
            .map(String::as_str)
            .collect();
        assert_eq!(shared.len(), unique.len(), "each name goes to one shard");
        assert_eq!(shared.into_iter().collect::<BTreeSet<_>>(), unique);
    }
}
