//! Versions as people tag them: numbers, and what is written after the numbers.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A version such as `1.2.3`, `v1.2`, `1.8.7alpha`, `1.2.3-rc.1`, `2024.10.1` or `1.0.0+build.7`.
///
/// The order is the one of semantic versioning (semver.org 2.0.0, section 11), widened for what real
/// tags look like:
/// - a leading `v` is no part of the version;
/// - there may be any count of numbers, of any size, and numbers that are missing are zero:
///   `1.2` equals `1.2.0`;
/// - whatever follows the numbers is a suffix, with or without a `-` before it, and a version with a
///   suffix is below the one without: `1.8.7alpha` < `1.8.7`;
/// - within suffixes, digits are numbers also where letters stand beside them: `rc9` < `rc10`; letters
///   are compared without their case;
/// - what follows a `+` does not count.
///
/// Two versions are equal when neither is above the other, however they are written.
#[derive(Debug, Clone)]
pub struct Version {
    text: Box<str>,
    /// Without zeros at the end.
    numbers: Vec<Number>,
    suffix: Vec<Part>,
}

/// A number of any size: its digits without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Number(Box<str>);

/// A piece of a suffix. Numbers are below words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Number(Number),
    Word(Box<str>),
}

/// The text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version: {why}")]
pub struct ParseVersionError {
    text: String,
    why: &'static str,
}

impl Version {
    /// Whether something is written after the numbers, as in `1.8.7alpha` and `1.2.3-rc.1`.
    #[must_use]
    pub fn is_suffixed(&self) -> bool {
        !self.suffix.is_empty()
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| ParseVersionError {
            text: text.to_owned(),
            why,
        };
        let bare = text.strip_prefix(['v', 'V']).unwrap_or(text);
        if !bare.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong("it does not begin with a number"));
        }
        if is_commit(text) {
            return Err(wrong("it looks like a commit"));
        }
        let end = numbers_end(bare);
        let (numbers, rest) = bare.split_at(end);
        let mut numbers: Vec<Number> = numbers.split('.').map(Number::new).collect();
        while numbers.last().is_some_and(|last| last.0.is_empty()) {
            numbers.pop();
        }
        let (suffix, _build) = rest.split_once('+').unwrap_or((rest, ""));
        let suffix = parts(suffix);
        Ok(Self {
            text: text.into(),
            numbers,
            suffix,
        })
    }
}

/// Short commit ids are tags of images as often as versions are: hexadecimal digits, letters among
/// them, and no dot.
fn is_commit(text: &str) -> bool {
    text.len() >= 7
        && text.bytes().all(|b| b.is_ascii_hexdigit())
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Where the numbers of a version end: digits, with single dots between them.
fn numbers_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    loop {
        end += digits(&bytes[end..]);
        if bytes.get(end) == Some(&b'.') && digits(&bytes[end + 1..]) > 0 {
            end += 1;
        } else {
            return end;
        }
    }
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// A suffix in pieces: cut where neither letters nor digits stand, and between letters and digits.
fn parts(suffix: &str) -> Vec<Part> {
    let words = suffix.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric());
    let mut parts = Vec::new();
    for mut word in words.filter(|word| !word.is_empty()) {
        while let Some(first) = word.chars().next() {
            let is_number = first.is_ascii_digit();
            let end = word.find(|c: char| c.is_ascii_digit() != is_number);
            let (part, rest) = word.split_at(end.unwrap_or(word.len()));
            parts.push(if is_number {
                Part::Number(Number::new(part))
            } else {
                Part::Word(part.to_ascii_lowercase().into())
            });
            word = rest;
        }
    }
    parts
}

impl Number {
    fn new(digits: &str) -> Self {
        Self(digits.trim_start_matches('0').into())
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.0, &other.0);
        a.len().cmp(&b.len()).then_with(|| a.cmp(b))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // Zeros at the end are cut off, so that the longer of two equal beginnings is above.
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.suffix.is_empty(), other.suffix.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => self.suffix.cmp(&other.suffix),
            }
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.numbers.hash(state);
        self.suffix.hash(state);
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
