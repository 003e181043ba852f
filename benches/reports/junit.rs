//! Who reads reports of tests: each gives how many cases it saw, and how many failed.

use std::hint::black_box;
use std::io::Read;

use ci_core::report::tests::{self, Case, Visitor};

use super::files::Tests;
use crate::Error;

/// Looks at each case and forgets it.
#[derive(Debug, Default)]
struct Tally(Tests);

impl Visitor for Tally {
    fn case(&mut self, case: &Case) {
        self.0.cases += 1;
        self.0.failed += u64::from(black_box(case).outcome.is_bad());
    }
}

/// ci-core with a visitor: every field of every case, one after the other.
///
/// # Errors
/// Never; its peers have some.
pub fn visited(bytes: &[u8]) -> Result<Tests, Error> {
    let mut tally = Tally::default();
    tests::parse_slice(bytes, &mut tally);
    Ok(tally.0)
}

/// The same from a reader.
///
/// # Errors
/// Those of the reader.
pub fn streamed(reader: impl Read) -> Result<Tests, Error> {
    let mut tally = Tally::default();
    tests::parse(reader, &mut tally)?;
    Ok(tally.0)
}

/// ci-core with all cases in memory.
///
/// # Errors
/// Never; its peers have some.
pub fn collected(bytes: &[u8]) -> Result<Tests, Error> {
    let report = black_box(tests::read_slice(bytes));
    Ok(Tests {
        cases: report.counts.tests,
        failed: report.counts.failed,
    })
}

/// quick-xml's loop over a slice with checked attributes, raw: no value is decoded, no case built.
///
/// # Errors
/// When the text is not well-formed.
pub fn quick_xml_loop(bytes: &[u8]) -> Result<Tests, Error> {
    use quick_xml::events::Event;

    let mut reader = quick_xml::Reader::from_reader(bytes);
    let mut seen = Tests::default();
    loop {
        match reader.read_event()? {
            Event::Start(tag) | Event::Empty(tag) => {
                match tag.name().as_ref() {
                    b"testcase" => seen.cases += 1,
                    b"failure" => seen.failed += 1,
                    _ => {}
                }
                for attribute in tag.attributes() {
                    black_box(attribute?);
                }
            }
            Event::Eof => return Ok(seen),
            other => drop(black_box(other)),
        }
    }
}

/// The crate junit-parser.
///
/// # Errors
/// When it cannot read the report.
pub fn junit_parser(bytes: &[u8]) -> Result<Tests, Error> {
    let report = black_box(junit_parser::from_reader(bytes)?);
    let cases = report.suites.iter().flat_map(|suite| &suite.cases);
    let mut seen = Tests::default();
    for case in cases {
        seen.cases += 1;
        seen.failed += u64::from(case.status.is_failure());
    }
    Ok(seen)
}

/// The crate quick-junit.
///
/// # Errors
/// When it cannot read the report.
pub fn quick_junit(bytes: &[u8]) -> Result<Tests, Error> {
    use quick_junit::TestCaseStatus;

    let report = black_box(quick_junit::Report::deserialize(bytes)?);
    let cases = report
        .test_suites
        .iter()
        .flat_map(|suite| &suite.test_cases);
    let mut seen = Tests::default();
    for case in cases {
        seen.cases += 1;
        seen.failed += u64::from(matches!(case.status, TestCaseStatus::NonSuccess { .. }));
    }
    Ok(seen)
}
