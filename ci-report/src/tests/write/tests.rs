//! What is written is read back the same.

use proptest::prelude::*;

use std::io::{self, Write};

use super::writer::escape;
use super::*;
use crate::tests::{
    Attempt, Case, Outcome, Property, Suite, SuiteReport, TestReport, TestResult, Text, read_slice,
};

/// Text that XML can hold.
fn text() -> impl Strategy<Value = String> {
    "[a-zé😀<>&\"'=\\]\\[ \t\n\r]{0,12}"
}

/// Text that is not blank, or none.
fn solid() -> impl Strategy<Value = Text> {
    text().prop_map(|text| {
        if text.trim_ascii().is_empty() {
            Text::default()
        } else {
            text.into()
        }
    })
}

fn bad() -> impl Strategy<Value = Outcome> {
    prop::sample::select(vec![Outcome::Failed, Outcome::Error])
}

fn result(outcome: impl Strategy<Value = Outcome>) -> impl Strategy<Value = TestResult> {
    (outcome, solid(), text(), solid()).prop_map(|(outcome, message, kind, body)| TestResult {
        outcome,
        message,
        kind,
        body,
    })
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![bad(), Just(Outcome::Skipped)]
}

fn some_properties() -> impl Strategy<Value = Vec<Property>> {
    let property = (text(), "[a-z]{1,3}").prop_map(|(name, value)| Property::new(name, value));
    prop::collection::vec(property, 0..3)
}

fn case() -> impl Strategy<Value = Case> {
    let names = (
        text(),
        text(),
        prop::option::of("[a-z/&]{1,5}"),
        prop::option::of(0_u64..99),
    );
    let attempt = (result(bad()), solid(), solid()).prop_map(|(result, stdout, stderr)| Attempt {
        result,
        stdout,
        stderr,
    });
    let results = prop::collection::vec(result(any_outcome()), 0..3);
    let attempts = prop::collection::vec(attempt, 0..3);
    let time = prop::option::of((0_u32..1_000_000).prop_map(|ms| f64::from(ms) / 1000.0));
    let rest = (results, attempts, time, solid(), solid(), some_properties());
    let attachments = prop::collection::vec("[a-z/.]{1,6}", 0..2);
    (names, rest, attachments).prop_map(|((class, name, file, line), rest, attachments)| {
        let (results, attempts, time, stdout, stderr, properties) = rest;
        let mut case = Case::new(class, name);
        (case.file, case.line, case.time) = (file, line, time);
        (case.stderr, case.properties) = (stderr, properties);
        case.outcome = results
            .iter()
            .map(|result| result.outcome)
            .max()
            .unwrap_or_default();
        case.flaky = case.outcome == Outcome::Passed && !attempts.is_empty();
        let lines = attachments
            .iter()
            .map(|path| format!("[[ATTACHMENT|{path}]]\n"));
        let lines: String = lines.collect();
        case.stdout = format!("{lines}{stdout}").into();
        if case.stdout.as_str().trim_ascii().is_empty() {
            case.stdout = Text::default();
        }
        Case {
            results,
            attempts,
            attachments,
            ..case
        }
    })
}

fn suite() -> impl Strategy<Value = SuiteReport> {
    let facts = (
        "[a-z<]{1,6}",
        prop::option::of("[a-z:]{1,6}"),
        solid(),
        solid(),
    );
    let rest = (
        prop::collection::vec(result(any_outcome()), 0..2),
        some_properties(),
    );
    (facts, rest, prop::collection::vec(case(), 0..4)).prop_map(|(facts, rest, mut cases)| {
        let (name, hostname, stdout, stderr) = facts;
        let (problems, properties) = rest;
        let timestamp = hostname.clone();
        let mut suite = Suite::new(name);
        (suite.hostname, suite.timestamp) = (hostname, timestamp);
        (suite.stdout, suite.stderr) = (stdout, stderr);
        suite.problems = problems;
        suite.properties = properties;
        for (number, case) in cases.iter_mut().enumerate() {
            case.suite.clone_from(&suite.name);
            // Names that differ: repeated ones would be attempts of each other.
            case.name.push_str(&number.to_string());
            suite.counts.add(case.outcome, case.flaky, case.time);
        }
        SuiteReport::new(suite, cases)
    })
}

proptest! {
    #[test]
    fn a_report_that_is_written_is_read_back_the_same(
        suites in prop::collection::vec(suite(), 0..4),
    ) {
        let report = TestReport { suites, ..TestReport::default() };
        let mut written = Vec::new();
        write_junit(&report, &mut written).unwrap();
        let again = read_slice(&written);
        prop_assert_eq!(&again.diagnostics, &[]);
        prop_assert_eq!(&again.suites, &report.suites);
        // What another parser says of it.
        let mut reader = quick_xml::Reader::from_reader(&written[..]);
        loop {
            match reader.read_event_into(&mut Vec::new()) {
                Ok(quick_xml::events::Event::Eof) => break,
                Ok(_) => {}
                Err(error) => prop_assert!(false, "not well formed: {error}"),
            }
        }
    }
}

#[test]
fn a_writer_is_a_visitor_that_needs_no_report() {
    let xml = b"<testsuite name='o'><testsuite name='i'><testcase name='n'><skipped/></testcase>\
                </testsuite></testsuite>";
    let mut out = Vec::new();
    let mut writer = JunitWriter::new(&mut out);
    crate::tests::parse_slice(xml, &mut writer);
    writer.finish().unwrap();
    let text = String::from_utf8(out).unwrap();
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n\
                    <testsuite name=\"o\">\n<testsuite name=\"i\">\n\
                    <testcase name=\"n\" classname=\"\">\n<skipped></skipped>\n</testcase>\n\
                    </testsuite>\n</testsuite>\n</testsuites>\n";
    assert_eq!(text, expected);
}

#[test]
fn what_xml_forbids_is_replaced_and_errors_are_told() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut buffer = String::new();
    escape(&mut buffer, "a\u{1b}[0m\0\u{ffff}", false);
    assert_eq!(buffer, "a\u{fffd}[0m\u{fffd}\u{fffd}");

    let error = write_junit(&TestReport::default(), Full).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_word_that_another_format_had_for_a_pass_makes_no_failure() {
    let mut case = Case::new("c", "n");
    case.status = Some("Failed".to_owned());
    let suites = vec![SuiteReport::new(Suite::new("s"), vec![case])];
    let report = TestReport {
        suites,
        ..TestReport::default()
    };
    let mut written = Vec::new();
    write_junit(&report, &mut written).unwrap();
    assert_eq!(read_slice(&written).counts.passed, 1);
}
