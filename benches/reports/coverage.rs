//! Who reads reports of coverage: each gives what it saw, so that none skips a part unnoticed.

use std::hint::black_box;
use std::io::Read;

use ci_core::report::coverage::{self, BranchFact, FunctionFact, Visitor};

use super::files::Covered;
use crate::Error;

/// Counts what a report says and forgets it.
#[derive(Debug, Default)]
struct Tally {
    seen: Covered,
}

impl Visitor for Tally {
    fn line(&mut self, number: u32, hits: Option<u64>) {
        black_box(number);
        self.seen.lines += 1;
        self.seen.lines_hit += u64::from(hits.is_some_and(|hits| hits > 0));
    }

    fn branch(&mut self, branch: BranchFact<'_>) {
        black_box(branch);
        self.seen.branches += 1;
    }

    fn branch_count(&mut self, line: u32, covered: u32, total: u32) {
        black_box((line, covered));
        self.seen.branches += u64::from(total);
    }

    fn function(&mut self, function: FunctionFact<'_>) {
        // LCOV says a function twice, once with where it begins.
        self.seen.functions += u64::from(black_box(function).start.is_some());
    }
}

/// ci-core with a visitor.
///
/// # Errors
/// When it cannot read the report.
pub fn visited(reader: impl Read) -> Result<Covered, Error> {
    let mut tally = Tally::default();
    coverage::visit(reader, &mut tally)?;
    Ok(tally.seen)
}

/// ci-core with its model, which merges, maps and judges.
///
/// # Errors
/// When it cannot read the report.
pub fn collected(reader: impl Read) -> Result<Covered, Error> {
    let report = black_box(coverage::read(reader)?);
    let mut seen = Covered::default();
    for (_, file) in report.coverage.files() {
        let lines = file.lines();
        seen.lines += u64::try_from(lines.len())?;
        let hit = |hits: Option<u64>| hits.is_some_and(|hits| hits > 0);
        let hit = lines.filter(|line| hit(line.hits())).count();
        seen.lines_hit += u64::try_from(hit)?;
        let branches = file.branch_ratios().map(|(_, ratio)| ratio.total);
        seen.branches += branches.sum::<u64>();
        seen.functions += u64::try_from(file.functions().len())?;
    }
    Ok(seen)
}

/// quick-xml's loop over a slice with attributes, raw: nothing is decoded, no number read. Only
/// functions are counted.
///
/// # Errors
/// When the text is not well-formed.
pub fn quick_xml_loop(bytes: &[u8], checked: bool) -> Result<Covered, Error> {
    use quick_xml::events::Event;

    let mut reader = quick_xml::Reader::from_reader(bytes);
    let mut seen = Covered::default();
    loop {
        match reader.read_event()? {
            Event::Start(tag) | Event::Empty(tag) => {
                seen.functions += u64::from(tag.name().as_ref() == b"method");
                for attribute in tag.attributes().with_checks(checked) {
                    black_box(attribute?);
                }
            }
            Event::Eof => return Ok(seen),
            other => drop(black_box(other)),
        }
    }
}

/// The parser of grcov, into its model.
///
/// # Errors
/// When it cannot read the report.
pub fn grcov(bytes: Vec<u8>) -> Result<Covered, Error> {
    let files = grcov::parse_lcov(bytes, true, false).map_err(|error| error.to_string())?;
    let mut seen = Covered::default();
    for (_, file) in black_box(&files) {
        seen.lines += u64::try_from(file.lines.len())?;
        let hit = file.lines.values().filter(|hits| **hits > 0).count();
        seen.lines_hit += u64::try_from(hit)?;
        let branches = file.branches.values().map(Vec::len).sum::<usize>();
        seen.branches += u64::try_from(branches)?;
        seen.functions += u64::try_from(file.functions.len())?;
    }
    Ok(seen)
}

/// The reader of the crate lcov: records one after the other, no model.
///
/// # Errors
/// When it cannot read the report.
pub fn lcov_records(bytes: &[u8]) -> Result<Covered, Error> {
    use lcov::Record;

    let mut seen = Covered::default();
    for record in lcov::Reader::new(bytes) {
        match black_box(record?) {
            Record::LineData { count, .. } => {
                seen.lines += 1;
                seen.lines_hit += u64::from(count > 0);
            }
            Record::BranchData { .. } => seen.branches += 1,
            Record::FunctionName { .. } => seen.functions += 1,
            _ => {}
        }
    }
    Ok(seen)
}
