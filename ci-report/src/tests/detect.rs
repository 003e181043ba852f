//! Which format a report is in, from its first characters or its root element.

use crate::xml::Tag;

use super::Format;
use super::formats::is_tap;

/// Text in which a format is looked for.
const WINDOW: usize = 64 << 10;

/// What the beginning of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Too little to tell.
    More,
    /// XML, whose root element will tell.
    Xml,
    /// A format that is no XML.
    Text(Format),
    /// No format that is known.
    Unknown,
}

/// What the beginning of a text is. A report may begin with blanks and a byte order mark; lines that
/// a tool wrote before the first of a format that is lines are passed.
///
/// The first thing that speaks for a format decides, so that it makes no difference how much more of
/// the text is there.
pub(super) fn shape(text: &str, end: bool) -> Shape {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let found = match text.bytes().next() {
        Some(b'<') => return Shape::Xml,
        Some(b'{') => json(text),
        _ => lines(text, end),
    };
    match found {
        Some(format) => Shape::Text(format),
        None if end || text.len() > WINDOW => Shape::Unknown,
        None => Shape::More,
    }
}

/// The format that has the first of the keys.
fn json(text: &str) -> Option<Format> {
    const KEYS: [(&str, Format); 6] = [
        ("\"Action\":", Format::GoTest),
        ("\"stats\":", Format::Mocha),
        ("\"testResults\":", Format::Jest),
        ("\"numFailedTestSuites\":", Format::Jest),
        ("\"numTotalTestSuites\":", Format::Jest),
        ("\"numTotalTests\":", Format::Jest),
    ];
    let first = KEYS
        .iter()
        .filter_map(|(key, format)| Some((text.find(key)?, *format)));
    first
        .min_by_key(|(place, _)| *place)
        .map(|(_, format)| format)
}

/// The format that has the first of the lines that only one format has.
fn lines(text: &str, end: bool) -> Option<Format> {
    text.split_inclusive('\n')
        .filter(|line| end || line.ends_with('\n'))
        .find_map(|line| {
            let line = line.trim();
            if line.starts_with('{') && line.contains("\"Action\":") {
                Some(Format::GoTest)
            } else {
                is_tap(line).then_some(Format::Tap)
            }
        })
}

/// The format whose root element this is.
pub(super) fn root(tag: &Tag<'_>) -> Option<Format> {
    Some(match tag.name() {
        "testsuites" | "testsuite" | "testcase" => Format::Junit,
        "TestRun" => Format::Trx,
        "assemblies" => Format::Xunit,
        // Others have such an element as well.
        "assembly" if tag.get("name").is_some() => Format::Xunit,
        "test-run" => Format::Nunit3,
        "test-results" => Format::Nunit2,
        "testng-results" => Format::TestNg,
        "Site" if tag.get("BuildStamp").or(tag.get("BuildName")).is_some() => Format::Ctest,
        "TestLog" | "TestResult" => Format::Boost,
        _ => return None,
    })
}
