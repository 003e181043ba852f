//! A start tag that has been scanned, given with its values decoded and with what was odd about it.

use crate::{Diagnostic, DiagnosticKind};

use super::reference::{self, BARE, resolve};
use super::scan::{Findings, Scan};
use super::tag::{Attribute, local};
use super::usual::Usual;
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
    let attributes = scan.spans.iter().filter_map(|span| {
        let name = raw.get(span.name.clone())?;
        let from = if span.decoded { decoded.as_str() } else { raw };
        let value = from.get(span.value.clone())?;
        let local = local(name);
        let declaration = name == "xmlns" || name.starts_with("xmlns:");
        (!declaration).then_some(Attribute {
            full_name: name,
            name: local,
            value,
        })
    });
    let attributes: Vec<_> = attributes.collect();
    sink.start(&Tag {
        full_name: name,
        name: local(name),
        attributes: &attributes,
        empty,
        at,
    });
}

/// Gives a start tag that is usual.
#[inline]
pub(super) fn emit_usual<'a, S: Sink>(
    tag: &mut Usual<'a>,
    decoded: &'a mut String,
    at: Mark<'a>,
    sink: &mut S,
) {
    if tag.references != 0 {
        resolve_values(tag, decoded, at, sink);
    }
    sink.start(&Tag {
        full_name: tag.name,
        name: tag.local,
        attributes: tag.attributes(),
        empty: tag.empty,
        at,
    });
}

/// Resolves the references of a tag's values.
fn resolve_values<'a, S: Sink>(
    tag: &mut Usual<'a>,
    decoded: &'a mut String,
    at: Mark<'_>,
    sink: &mut S,
) {
    let references = tag.references;
    let has_some = |place: usize| references & (1 << place) != 0;
    decoded.clear();
    let mut wrong = None;
    // Where the values end, in their order.
    let mut ends = [0; u32::BITS as usize];
    for (place, attribute) in tag.attributes().iter().enumerate() {
        if has_some(place) {
            let found = decode(attribute.value, at, decoded);
            wrong = wrong.or(found);
        }
        if let Some(end) = ends.get_mut(place) {
            *end = decoded.len();
        }
    }
    if let Some(diagnostic) = wrong {
        sink.diagnostic(diagnostic);
    }
    let decoded: &'a str = decoded;
    let mut start = 0;
    for (place, attribute) in tag.attributes_mut().iter_mut().enumerate() {
        let end = ends.get(place).copied().unwrap_or(start);
        if has_some(place) {
            attribute.value = decoded.get(start..end).unwrap_or_default();
        }
        start = end;
    }
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
