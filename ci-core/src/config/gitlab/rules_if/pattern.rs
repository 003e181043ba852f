//! Patterns `/…/flags` in the syntax of RE2 (<https://github.com/google/re2/wiki/Syntax>), which
//! GitLab uses, on the `regex` crate.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

/// The most memory that a compiled pattern may use.
const SIZE: usize = 1 << 20;

static LITERAL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^/([^/]|\\/)+[^\\]/[ismU]*").ok());

static WRITTEN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?s)^/(?<pattern>.*)/(?<flags>[ismU]*)$").ok());

/// How long the pattern is that `text` begins with. One of a single letter is none.
pub(super) fn literal_length(text: &str) -> Option<usize> {
    LITERAL.as_ref()?.find(text).map(|found| found.end())
}

/// Reads `/…/flags`. The outer `None` means that it is not written as a pattern, the error that it is
/// no good one.
pub(crate) fn compile(text: &str) -> Option<Result<Regex, String>> {
    let parts = WRITTEN.as_ref()?.captures(text)?;
    let (pattern, flags) = (parts.name("pattern")?, parts.name("flags")?);
    let mut source = String::new();
    if !flags.as_str().is_empty() {
        source = format!("(?{})", flags.as_str());
    }
    source.push_str(&from_re2(pattern.as_str()));
    let compiled = RegexBuilder::new(&source).size_limit(SIZE).build();
    Some(compiled.map_err(|error| {
        let words = error.to_string();
        words.lines().last().unwrap_or_default().trim().to_owned()
    }))
}

/// Rewrites what means something else to the `regex` crate: a brace that counts nothing is a letter,
/// and so is a bracket within brackets.
fn from_re2(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut class = Class::Outside;
    while let Some(letter) = rest.chars().next() {
        let after = rest.get(letter.len_utf8()..).unwrap_or_default();
        let mut used = letter.len_utf8();
        match (class, letter) {
            (_, '\\') => {
                let escaped = after.chars().next();
                out.push('\\');
                out.extend(escaped);
                used += escaped.map_or(0, char::len_utf8);
            }
            (Class::Outside, '[') => {
                out.push('[');
                class = Class::First;
                if after.starts_with('^') {
                    out.push('^');
                    used += 1;
                }
                rest = rest.get(used..).unwrap_or_default();
                continue;
            }
            (Class::Outside, '{') if !counts(after) && !out.ends_with(is_named_class) => {
                out.push_str("\\{");
            }
            (Class::First | Class::Inside, '[') if !after.starts_with(':') => out.push_str("\\["),
            (Class::Inside, ']') => {
                class = Class::Outside;
                out.push(']');
            }
            (Class::First | Class::Inside, '&' | '~' | '-') if after.starts_with(letter) => {
                out.push('\\');
                out.push(letter);
            }
            (Class::First | Class::Inside, '[') => {
                let end = after.find(":]").map_or(1, |at| at + 3);
                out.push_str(rest.get(..end).unwrap_or("["));
                used = end;
            }
            _ => out.push(letter),
        }
        if class == Class::First {
            class = Class::Inside;
        }
        rest = rest.get(used..).unwrap_or_default();
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Outside,
    First,
    Inside,
}

/// Whether a brace follows `\p` or `\x`, where it belongs to the escape.
fn is_named_class(letter: char) -> bool {
    matches!(letter, 'p' | 'P' | 'x')
}

/// Whether what follows a brace makes it a count: `3}`, `3,}`, `3,5}`.
fn counts(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else {
        return false;
    };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}
