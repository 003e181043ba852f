//! Reports that are made to break a reader: each is read to its end in bounded memory.

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};

use ci_report::tests::{Case, Options, Parser, Suite, Visitor, parse, read_slice};
use ci_report::{Diagnostic, DiagnosticKind};

/// Counts what a report says, and keeps the largest text.
#[derive(Default)]
struct Seen {
    cases: u64,
    failed: u64,
    suites: u64,
    ends: u64,
    deepest: u32,
    longest: usize,
    omitted: u64,
    kinds: Vec<DiagnosticKind>,
}

impl Visitor for Seen {
    fn suite_start(&mut self, suite: &Suite) {
        self.suites += 1;
        self.deepest = self.deepest.max(suite.depth);
    }

    fn case(&mut self, case: &Case) {
        self.cases += 1;
        self.failed += u64::from(case.outcome.is_bad());
        let texts = [&case.stdout, &case.stderr];
        for text in texts
            .into_iter()
            .chain(case.results.iter().map(|result| &result.body))
        {
            self.longest = self.longest.max(text.as_str().len());
            self.omitted += text.omitted();
        }
    }

    fn suite_end(&mut self, _suite: &Suite) {
        self.ends += 1;
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.kinds.push(diagnostic.kind);
    }
}

fn feed(pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> Seen {
    let mut seen = Seen::default();
    let mut parser = Parser::new(Options::default());
    for piece in pieces {
        parser.feed(piece.as_ref(), &mut seen);
    }
    parser.finish(&mut seen);
    seen
}

#[test]
fn a_tag_with_80_000_attributes() {
    let mut xml = String::from("<testsuite><testcase name='many'");
    for number in 0..80_000 {
        let _ = write!(xml, " a{number}='1'");
    }
    xml += "/><testcase name='after'/></testsuite>";
    for size in [xml.len(), 4096] {
        let seen = feed(xml.as_bytes().chunks(size));
        assert_eq!(seen.cases, 2);
        assert_eq!(seen.kinds, [DiagnosticKind::Limit]);
    }
}

#[test]
fn an_attribute_of_50_megabytes() {
    let block = vec![b'x'; 1 << 16];
    let start = std::iter::once(&b"<testsuite><testcase name='"[..]);
    let end = std::iter::once(&b"'/><testcase/></testsuite>"[..]);
    let seen = feed(start.chain((0..800).map(|_| &block[..])).chain(end));
    assert_eq!(seen.cases, 2);
    assert_eq!(seen.kinds, [DiagnosticKind::Limit]);
}

#[test]
fn suites_300_000_deep() {
    const DEPTH: usize = 300_000;
    let starts = (0..DEPTH).map(|number| format!("<testsuite name='{number}'>"));
    let ends = (0..DEPTH).map(|_| "</testsuite>".to_owned());
    let case = std::iter::once("<testcase name='deep'/>".to_owned());
    let seen = feed(starts.chain(case).chain(ends));
    assert_eq!(seen.cases, 1);
    assert!(seen.deepest < 1000);
    assert_eq!(seen.suites, seen.ends);
    assert_eq!(seen.kinds, [DiagnosticKind::Limit]);
}

#[test]
fn suites_300_000_deep_that_never_end() {
    let starts = (0..300_000).map(|_| "<testsuite>");
    let seen = feed(starts.chain(std::iter::once("<testcase name='deep'>")));
    assert_eq!(seen.cases, 1);
    assert_eq!(seen.suites, seen.ends);
    assert_eq!(
        seen.kinds,
        [DiagnosticKind::Limit, DiagnosticKind::Truncated]
    );
}

#[test]
fn a_cdata_section_of_200_megabytes() {
    const LENGTH: u64 = 200 << 20;
    let head = &b"<testsuite><testcase name='loud'><system-out><![CDATA["[..];
    let tail = &b"]]></system-out></testcase><testcase name='after'/></testsuite>"[..];
    let mut reader = head.chain(io::repeat(b'x').take(LENGTH)).chain(tail);
    let mut seen = Seen::default();
    parse(&mut reader, &mut seen).unwrap();
    assert_eq!(seen.cases, 2);
    assert!(seen.longest < 70_000, "{} bytes are kept", seen.longest);
    assert_eq!(seen.omitted, LENGTH - (64 << 10));
    assert_eq!(seen.kinds, []);
}

#[test]
fn billion_laughs() {
    let mut xml = String::from("<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY lol0 'lol'>");
    for level in 1..10 {
        let inner = format!("&lol{};", level - 1).repeat(10);
        let _ = write!(xml, "<!ENTITY lol{level} '{inner}'>");
    }
    xml += "]><testsuite><testcase name='&lol9;'><failure>&lol9;</failure></testcase></testsuite>";
    let report = read_slice(xml.as_bytes());
    let case = report.cases().next().unwrap();
    assert_eq!(case.name, "&lol9;");
    assert_eq!(case.results[0].body.as_str(), "&lol9;");
    assert_eq!(report.counts.failed, 1);
}

#[test]
fn a_gzip_bomb() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder
        .write_all(b"<testsuite><testcase name='a'/><testcase name='b'><system-out>")
        .unwrap();
    let block = vec![b' '; 1 << 20];
    for _ in 0..120 {
        encoder.write_all(&block).unwrap();
    }
    let seen = feed(std::iter::once(encoder.finish().unwrap()));
    assert_eq!(seen.cases, 2);
    assert!(seen.kinds.contains(&DiagnosticKind::Limit));
}

#[test]
fn a_report_cut_within_a_tag() {
    let report = read_slice(b"<testsuite><testcase name='a'/><testcase name='b' class");
    let names: Vec<_> = report.cases().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(report.truncated);
    assert!(!report.is_success());
}

#[test]
fn a_report_cut_within_cdata() {
    let xml = b"<testsuites><testsuite name='s'><testcase name='a'/><testcase name='b'>\
                <failure message='m'><![CDATA[half of a tr";
    let report = read_slice(xml);
    assert_eq!((report.counts.tests, report.counts.failed), (2, 1));
    assert!(report.truncated);
    let case = report.cases().nth(1).unwrap();
    assert_eq!(case.results[0].body.as_str(), "half of a tr");
    assert_eq!(case.suite, "s");
}

#[test]
fn every_beginning_of_a_report_keeps_what_was_complete() {
    let xml = "<testsuites><testsuite name='s'><testcase name='a'/>\
               <testcase name='b'><failure>&lt;x</failure></testcase></testsuite></testsuites>";
    let complete = xml.find("</testcase>").unwrap();
    for end in 0..xml.len() {
        let report = read_slice(&xml.as_bytes()[..end]);
        assert!(!report.is_success(), "{end}");
        assert!(!report.diagnostics.is_empty(), "{end}");
        if end >= complete {
            assert_eq!((report.counts.tests, report.counts.failed), (2, 1));
        }
    }
}

#[test]
fn a_million_diagnostics_are_not_kept() {
    let xml = format!(
        "<testsuite><testcase name='a'>{}</testcase></testsuite>",
        "&".repeat(1 << 20)
    );
    let report = read_slice(xml.as_bytes());
    assert_eq!(report.counts.tests, 1);
    assert_eq!(report.diagnostics.len(), 1000);
}

#[test]
fn a_case_with_a_million_results() {
    let result = "<failure message='m'/>".repeat(1 << 16);
    let start = std::iter::once("<testsuite><testcase name='a'>");
    let seen = feed(start.chain((0..16).map(|_| result.as_str())));
    assert_eq!((seen.cases, seen.failed), (1, 1));
}

#[test]
fn what_is_no_report_is_said() {
    for text in [
        "",
        " \n",
        "hello",
        "<html><body>502 Bad Gateway</body></html>",
        "<!-- x -->",
        "\0\0",
    ] {
        let report = read_slice(text.as_bytes());
        assert_eq!(report.format, None, "{text:?}");
        let kinds: Vec<_> = report
            .diagnostics
            .iter()
            .map(|diagnostic| diagnostic.kind)
            .collect();
        assert!(
            kinds.contains(&DiagnosticKind::UnknownFormat),
            "{text:?}: {kinds:?}"
        );
    }
}
