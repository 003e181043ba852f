//! How a text is written so that every reader takes it for that text.
//!
//! Readers differ: for those of YAML 1.1 `yes`, `1:30` and `2026-11-22` are no texts. What one of them
//! may take for something else is put in quotes.

use std::fmt::Write as _;

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    /// Its lines below `|` with this header.
    Literal(&'static str),
}

/// The style of a text that has a place of its own, and not only one on a line.
pub(super) fn style(text: &str) -> Style {
    match header(text) {
        Some(header) => Style::Literal(header),
        None => style_in_line(text),
    }
}

/// The style of a text on a line, such as that of a key.
pub(super) fn style_in_line(text: &str) -> Style {
    if !text.chars().all(is_printable) {
        Style::Double
    } else if is_plain(text) {
        Style::Plain
    } else if text.matches(['"', '\\']).count() > text.matches('\'').count() {
        Style::Single
    } else {
        Style::Double
    }
}

/// Writes a text on a line.
pub(super) fn write_in_line(out: &mut String, text: &str, style: Style) {
    match style {
        Style::Plain => out.push_str(text),
        Style::Single => {
            out.push('\'');
            out.push_str(&text.replace('\'', "''"));
            out.push('\'');
        }
        Style::Double | Style::Literal(_) => {
            out.push('"');
            text.chars().for_each(|letter| escape(out, letter));
            out.push('"');
        }
    }
}

fn escape(out: &mut String, letter: char) {
    let _ = match letter {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        letter if is_printable(letter) => out.write_char(letter),
        letter => match u32::from(letter) {
            number @ ..=0xff => write!(out, "\\x{number:02x}"),
            number @ ..=0xffff => write!(out, "\\u{number:04x}"),
            number => write!(out, "\\U{number:08x}"),
        },
    };
}

/// Whether a letter may stand in quotes as it is. Some that may are left out, since readers take them
/// for line ends or marks of the encoding.
fn is_printable(letter: char) -> bool {
    matches!(letter,
        ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// What stands behind the `|` of a text of several lines that can be written line by line, two columns
/// further in: that number, where a reader could not find it out from the first line, and what becomes
/// of the line ends at the end.
fn header(text: &str) -> Option<&'static str> {
    let (first, _) = text.trim_start_matches('\n').split_once('\n')?;
    let faithful = |it: char| matches!(it, '\n' | '\t') || is_printable(it);
    if text.trim().is_empty() || !text.chars().all(faithful) {
        return None;
    }
    let kept = match text.strip_suffix('\n') {
        None => 0,
        Some(rest) if rest.ends_with('\n') => 2,
        Some(_) => 1,
    };
    let headers = if first.starts_with([' ', '\t']) {
        ["2-", "2", "2+"]
    } else {
        ["-", "", "+"]
    };
    headers.get(kept).copied()
}

/// Whether a text of printable letters may stand without quotes.
fn is_plain(text: &str) -> bool {
    let mut letters = text.chars();
    let Some(first) = letters.next() else {
        return false;
    };
    let begins = match first {
        '-' => letters.next().is_some_and(|second| second != ' ') && !text.starts_with("---"),
        '.' => !text.starts_with("..."),
        _ => !"?:,[]{}#&*!|>'\"%@`".contains(first) && !first.is_whitespace(),
    };
    begins
        && !text.ends_with(|last: char| last == ':' || last.is_whitespace())
        && !text.contains(": ")
        && !text.contains(" #")
        && !is_word_of_yaml(text)
        && !is_like_a_number(text)
}

/// Words that stand for something else in YAML 1.1 or 1.2, whatever their case.
fn is_word_of_yaml(text: &str) -> bool {
    const WORDS: [&str; 17] = [
        "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", "+.inf", "-.inf",
        ".nan", "inf", "nan", "<<",
    ];
    text == "=" || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether a text looks like a number, a date or a time in any notation, or nearly so.
fn is_like_a_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-', '.', '_']);
    let of_number = |letter: char| {
        letter.is_ascii_hexdigit() || matches!(letter, 'x' | 'X' | 'o' | 'O') || {
            matches!(
                letter,
                '+' | '-' | '.' | '_' | ',' | ':' | ' ' | 'T' | 't' | 'Z' | 'z'
            )
        }
    };
    digits.starts_with(|first: char| first.is_ascii_digit()) && digits.chars().all(of_number)
}
