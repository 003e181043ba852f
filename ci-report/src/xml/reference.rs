//! References to characters: `&lt;`, `&#10;`, and those that only HTML knows.

use crate::{Diagnostic, DiagnosticKind};

use super::Mark;

/// What is said of an `&` that is just that.
pub(super) const BARE: &str = "`&` begins no reference; it is kept";

/// Bytes between `&` and `;` at most.
pub(super) const LONGEST: usize = 32;

/// What a reference stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A character that XML allows.
    Char(char),
    /// A character that XML forbids there, or the replacement character for one that is none.
    Forbidden(char),
    /// A name that XML does not define but HTML does.
    Html(char),
    /// Nothing: the text stays as it is.
    Unknown,
}

/// Whether the byte may stand between `&` and `;`.
pub(super) fn is_inside(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'#'
}

/// What stands between `&` and `;`.
fn meaning(name: &str) -> Meaning {
    match name {
        "lt" => Meaning::Char('<'),
        "gt" => Meaning::Char('>'),
        "amp" => Meaning::Char('&'),
        "quot" => Meaning::Char('"'),
        "apos" => Meaning::Char('\''),
        _ => match name.strip_prefix('#') {
            Some(number) => numbered(number),
            None => html(name).map_or(Meaning::Unknown, Meaning::Html),
        },
    }
}

fn numbered(number: &str) -> Meaning {
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.bytes().all(|b| char::from(b).is_digit(radix)) {
        return Meaning::Unknown;
    }
    let value = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
    match char::from_u32(value) {
        None | Some('\0') => Meaning::Forbidden(char::REPLACEMENT_CHARACTER),
        Some(c) if is_allowed(c) => Meaning::Char(c),
        Some(c) => Meaning::Forbidden(c),
    }
}

/// The production `Char` of XML 1.0.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The named characters of HTML that producers write: Latin-1, whose names stand in the order of
/// their code points, and some punctuation.
fn html(name: &str) -> Option<char> {
    if let Some(at) = LATIN_1.iter().position(|known| *known == name) {
        return u8::try_from(at + 0xa0).ok().map(char::from);
    }
    PUNCTUATION
        .iter()
        .find_map(|(known, c)| (*known == name).then_some(*c))
}

const LATIN_1: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf",
    "laquo", "not", "shy", "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro",
    "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34", "iquest",
    "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute",
    "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute",
    "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute",
    "THORN", "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil",
    "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde",
    "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc",
    "uuml", "yacute", "thorn", "yuml",
];

const PUNCTUATION: [(&str, char); 19] = [
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("bull", '•'),
    ("hellip", '…'),
    ("euro", '€'),
    ("trade", '™'),
    ("larr", '←'),
    ("uarr", '↑'),
    ("rarr", '→'),
    ("darr", '↓'),
    ("check", '✓'),
    ("cross", '✗'),
    ("infin", '∞'),
];

/// Gives what a reference, `&` and `;` included, stands for, and what is wrong with it.
pub(super) fn resolve(whole: &str, at: Mark<'_>, mut give: impl FnMut(&str)) -> Option<Diagnostic> {
    let name = whole.get(1..whole.len() - 1).unwrap_or_default();
    let mut buffer = [0; 4];
    let (c, what) = match meaning(name) {
        Meaning::Char(c) => {
            give(c.encode_utf8(&mut buffer));
            return None;
        }
        Meaning::Forbidden(c) => (Some(c), "stands for a character that XML forbids"),
        Meaning::Html(c) => (Some(c), "is not defined in XML; it is read as in HTML"),
        Meaning::Unknown => (None, "is not defined; it is kept"),
    };
    match c {
        Some(c) => give(c.encode_utf8(&mut buffer)),
        None => give(whole),
    }
    Some(at.diagnostic(DiagnosticKind::Reference, format!("`{whole}` {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_and_numbered_references() {
        assert_eq!(meaning("lt"), Meaning::Char('<'));
        assert_eq!(meaning("#10"), Meaning::Char('\n'));
        assert_eq!(meaning("#x1F600"), Meaning::Char('😀'));
        assert_eq!(meaning("#27"), Meaning::Forbidden('\u{1b}'));
        assert_eq!(meaning("#0"), Meaning::Forbidden('\u{fffd}'));
        assert_eq!(meaning("#xD800"), Meaning::Forbidden('\u{fffd}'));
        assert_eq!(meaning("#99999999999999"), Meaning::Forbidden('\u{fffd}'));
        assert_eq!(meaning("#+1"), Meaning::Unknown);
        assert_eq!(meaning("#x"), Meaning::Unknown);
        assert_eq!(meaning("nbsp"), Meaning::Html('\u{a0}'));
        assert_eq!(meaning("yuml"), Meaning::Html('ÿ'));
        assert_eq!(meaning("eacute"), Meaning::Html('é'));
        assert_eq!(meaning("lol9"), Meaning::Unknown);
    }
}
