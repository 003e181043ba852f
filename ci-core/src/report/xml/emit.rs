//! A start tag that has been scanned, given with its values decoded and with what was odd about it.

use crate::report::{Diagnostic, DiagnosticKind};

use super::reference::{self, BARE, resolve};
use super::scan::{Findings, Scan};
use super::{Mark, Sink, Tag};

/// Gives a start tag that has been scanned.
pub(super) fn emit<S: Sink>(
    scan: &mut Scan,
    decoded: &mut String,
    raw: &str,
    empty: bool,
    at: Mark<'_>,
    sink: &mut S,
) {
    decoded.clear();
    let mut wrong = None;
    for span in scan.spans.iter_mut().filter(|span| span.decoded) {
        let start = decoded.len();
        let value = raw.get(span.value.clone()).unwrap_or_default();
        let found = decode(value, at, decoded);
        wrong = wrong.or(found);
        span.value = start..decoded.len();
    }
    if let Some(diagnostic) = wrong {
        sink.diagnostic(diagnostic);
    }
    if scan.findings != Findings::default() {
        report(scan.findings, at, sink);
    }
    let name = raw.get(scan.name()).unwrap_or_default();
    sink.start(&Tag {
        raw,
        decoded,
        name,
        spans: &scan.spans,
        empty,
        at,
    });
}

/// Says what was odd about a tag.
#[cold]
fn report<S: Sink>(findings: Findings, at: Mark<'_>, sink: &mut S) {
    use DiagnosticKind::{Limit, Malformed};
    for (found, kind, message) in [
        (
            findings.duplicate,
            Malformed,
            "an attribute stands twice; the first is kept",
        ),
        (
            findings.less_than,
            Malformed,
            "`<` stands in the value of an attribute; it is kept",
        ),
        (
            findings.not_quoted,
            Malformed,
            "an attribute's value stands without quotes",
        ),
        (
            findings.stray,
            Malformed,
            "there is something in the tag that is no attribute",
        ),
        (findings.unclosed, Malformed, "the tag has no `>`"),
        (
            findings.long_value,
            Limit,
            "an attribute's value is too long; its beginning is kept",
        ),
        (
            findings.too_many,
            Limit,
            "the tag has too many attributes; the first are kept",
        ),
    ] {
        if found {
            sink.diagnostic(at.diagnostic(kind, message));
        }
    }
}

/// Resolves the references of a value; returns what is wrong with the first wrong one.
fn decode(value: &str, at: Mark<'_>, into: &mut String) -> Option<Diagnostic> {
    let mut wrong = None;
    let mut rest = value;
    while let Some(ampersand) = memchr::memchr(b'&', rest.as_bytes()) {
        into.push_str(rest.get(..ampersand).unwrap_or_default());
        rest = rest.get(ampersand..).unwrap_or_default();
        let inside = rest.as_bytes().get(1..).unwrap_or_default();
        let length = inside
            .iter()
            .take(reference::LONGEST + 1)
            .take_while(|byte| reference::is_inside(**byte))
            .count();
        let whole =
            if inside.get(length) == Some(&b';') && (1..=reference::LONGEST).contains(&length) {
                let whole = rest.get(..length + 2).unwrap_or_default();
                let found = resolve(whole, at, |text| into.push_str(text));
                wrong = wrong.or(found);
                whole.len()
            } else {
                into.push('&');
                wrong = wrong.or_else(|| Some(at.diagnostic(DiagnosticKind::Reference, BARE)));
                1
            };
        rest = rest.get(whole..).unwrap_or_default();
    }
    into.push_str(rest);
    wrong
}
