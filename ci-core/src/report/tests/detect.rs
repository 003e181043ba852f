//! Which format a report is in, from its first characters or its root element.

use super::Format;

/// What the beginning of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Too little to tell.
    More,
    /// XML, whose root element will tell.
    Xml,
    /// No format that is known.
    Unknown,
}

/// What the beginning of a text is. A report may begin with blanks and a byte order mark.
pub(super) fn shape(text: &str, end: bool) -> Shape {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    match text.bytes().next() {
        Some(b'<') => Shape::Xml,
        None if !end => Shape::More,
        _ => Shape::Unknown,
    }
}

/// The format whose root element this is.
pub(super) fn root(name: &str) -> Option<Format> {
    Some(match name {
        "testsuites" | "testsuite" | "testcase" => Format::Junit,
        "TestRun" => Format::Trx,
        "assemblies" | "assembly" => Format::Xunit,
        "test-run" => Format::Nunit3,
        "test-results" => Format::Nunit2,
        "testng-results" => Format::TestNg,
        "Site" => Format::Ctest,
        "TestLog" | "TestResult" => Format::Boost,
        _ => return None,
    })
}
