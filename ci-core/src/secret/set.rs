//! The set of secret values of a run.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use aho_corasick::{AhoCorasick, MatchKind};

use super::spellings;

/// What stands where a secret was.
pub const MASK: &str = "***";

/// Values of fewer characters are not masked: they would blot out ordinary text.
pub const MIN_SECRET_LEN: usize = 4;

/// The secret values of a run, in every spelling that has to be masked.
#[derive(Default)]
pub struct SecretSet {
    finder: Option<Finder>,
    values: usize,
}

/// Finds spellings (Aho and Corasick 1975), and what may become one.
pub(super) struct Finder {
    pub(super) automaton: AhoCorasick,
    spellings: Vec<Vec<u8>>,
    longest: usize,
    /// Whether a spelling begins with a byte.
    begins: [bool; 256],
}

impl fmt::Debug for SecretSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretSet({} values)", self.values)
    }
}

/// A value that cannot be masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{name}` is shorter than {MIN_SECRET_LEN} characters and is not masked")]
pub struct SecretWarning {
    /// The name of the variable that holds it.
    pub name: String,
}

impl SecretSet {
    /// The set of the given named values, with a warning for each that is too short to mask. Empty
    /// values hide nothing and are passed over.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> (Self, Vec<SecretWarning>) {
        let mut warnings = Vec::new();
        let mut found = BTreeSet::new();
        let mut values = 0;
        for (name, value) in secrets {
            let length = value.trim().chars().count();
            if length >= MIN_SECRET_LEN {
                values += 1;
                found.extend(spellings::of(value));
            } else if length > 0 {
                warnings.push(SecretWarning {
                    name: name.to_owned(),
                });
            }
        }
        (
            Self {
                finder: Finder::new(found.into_iter().collect()),
                values,
            },
            warnings,
        )
    }

    /// Whether there is nothing to mask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.finder.is_none()
    }

    pub(super) fn finder(&self) -> Option<&Finder> {
        self.finder.as_ref()
    }

    /// `text` with every secret masked.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        match self.mask_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => text.to_owned(),
            Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// `bytes` with every secret masked.
    #[must_use]
    pub fn mask_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(finder) = &self.finder else {
            return Cow::Borrowed(bytes);
        };
        let mut masked = Vec::new();
        let mut from = 0;
        for found in finder.automaton.find_iter(bytes) {
            masked.extend(&bytes[from..found.start()]);
            masked.extend(MASK.as_bytes());
            from = found.end();
        }
        if from == 0 {
            return Cow::Borrowed(bytes);
        }
        masked.extend(&bytes[from..]);
        Cow::Owned(masked)
    }
}

impl Finder {
    fn new(spellings: Vec<Vec<u8>>) -> Option<Self> {
        let longest = spellings.iter().map(Vec::len).max()?;
        // The longest at the leftmost place: no part of a value is left behind a shorter one.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&spellings)
            .ok()?;
        let mut begins = [false; 256];
        for first in spellings.iter().filter_map(|spelling| spelling.first()) {
            begins[usize::from(*first)] = true;
        }
        Some(Self {
            automaton,
            spellings,
            longest,
            begins,
        })
    }

    /// Whether a spelling goes on with `bytes` after its first `at` bytes, and is not complete then.
    pub(super) fn goes_on(&self, spelling: usize, at: usize, bytes: &[u8]) -> bool {
        let rest = self.spellings.get(spelling).and_then(|it| it.get(at..));
        rest.is_some_and(|rest| rest.len() > bytes.len() && rest.starts_with(bytes))
    }

    /// The spellings that begin with all of `bytes` and are longer; none for no bytes.
    pub(super) fn begun(&self, bytes: &[u8]) -> Vec<usize> {
        if bytes.is_empty() {
            return Vec::new();
        }
        let all = 0..self.spellings.len();
        all.filter(|spelling| self.goes_on(*spelling, 0, bytes))
            .collect()
    }

    /// The places from which `bytes` goes on, to its end, like a spelling that is longer: more bytes
    /// may make a secret of it. In order.
    pub(super) fn unfinished<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let window = bytes.len().saturating_sub(self.longest - 1);
        (window..bytes.len()).filter(move |start| {
            let rest = &bytes[*start..];
            self.begins[usize::from(rest[0])]
                && self
                    .spellings
                    .iter()
                    .any(|spelling| spelling.len() > rest.len() && spelling.starts_with(rest))
        })
    }
}
