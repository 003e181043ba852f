//! Masks secrets in a byte stream that comes in pieces.

use std::sync::Arc;

use super::set::Finder;
use super::{MASK, SecretSet};

/// Masks the secrets of a set in one stream, also when a secret is split across pieces. What comes out
/// does not depend on where the stream was cut.
#[derive(Debug)]
pub struct Masker {
    secrets: Arc<SecretSet>,
    /// The end of what was given, while it may be the beginning of a secret.
    held: Vec<u8>,
    /// The spellings that begin with all of `held`, so that a long secret that comes in small pieces is
    /// not looked through again with each of them.
    going: Vec<usize>,
}

impl Masker {
    /// A masker at the start of a stream.
    #[must_use]
    pub fn new(secrets: Arc<SecretSet>) -> Self {
        Self {
            secrets,
            held: Vec::new(),
            going: Vec::new(),
        }
    }

    /// Takes a piece, gives what is certain to hold no part of a secret. No more is held back than what
    /// may be the beginning of one.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(finder) = self.secrets.finder() else {
            return bytes.to_vec();
        };
        let before = self.held.len();
        let mut out = Vec::with_capacity(before + bytes.len());
        if before == 0 {
            let rest = mask(finder, bytes, &mut out);
            self.held.extend(rest);
        } else {
            let going = |spelling: &usize| finder.goes_on(*spelling, before, bytes);
            self.going.retain(going);
            self.held.extend(bytes);
            // While a spelling that begins where the held bytes do may still come, nothing is certain.
            if !self.going.is_empty() {
                return Vec::new();
            }
            let rest = mask(finder, &self.held, &mut out).len();
            self.held.drain(..self.held.len() - rest);
        }
        self.going = finder.begun(&self.held);
        out
    }

    /// Gives what was held back at the end of the stream.
    pub fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.going.clear();
        self.secrets.mask_bytes(&held).into_owned()
    }
}

/// Masks `bytes` into `out` as far as more bytes cannot change it, and gives the rest.
fn mask<'a>(finder: &Finder, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let mut unfinished = finder.unfinished(bytes).peekable();
    let mut from = 0;
    for found in finder.automaton.find_iter(bytes) {
        while unfinished.next_if(|start| *start < from).is_some() {}
        // More bytes could make a secret that begins earlier, or a longer one that begins here.
        if unfinished
            .peek()
            .is_some_and(|start| *start <= found.start())
        {
            break;
        }
        out.extend(&bytes[from..found.start()]);
        out.extend(MASK.as_bytes());
        from = found.end();
    }
    while unfinished.next_if(|start| *start < from).is_some() {}
    let until = unfinished.peek().copied().unwrap_or(bytes.len());
    out.extend(&bytes[from..until]);
    &bytes[until..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets(values: &[&str]) -> Arc<SecretSet> {
        Arc::new(SecretSet::new(values.iter().map(|value| ("X", *value))).0)
    }

    fn in_pieces(secrets: &Arc<SecretSet>, text: &[u8], cuts: &[usize]) -> Vec<u8> {
        let mut masker = Masker::new(Arc::clone(secrets));
        let mut out = Vec::new();
        let mut from = 0;
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.sort_unstable();
        for cut in cuts.into_iter().chain([text.len()]) {
            out.extend(masker.push(&text[from..cut]));
            from = cut;
        }
        out.extend(masker.finish());
        out
    }

    #[test]
    fn a_secret_split_over_two_writes_is_masked() {
        let secrets = secrets(&["hunter2"]);
        assert_eq!(in_pieces(&secrets, b"a hunter2 b", &[5]), b"a *** b");
        let mut masker = Masker::new(secrets);
        assert_eq!(
            masker.push(b"prompt> "),
            b"prompt> ",
            "nothing is held back needlessly"
        );
        assert_eq!(masker.push(b"hun"), b"");
        assert_eq!(masker.push(b"gry\n"), b"hungry\n");
    }

    #[test]
    fn a_long_secret_in_small_pieces_is_masked() {
        let letter = |at: u32| char::from_digit(at * at / 7 % 36, 36).unwrap();
        let value: String = (0..16_384).map(letter).collect();
        let secrets = secrets(&[&value, "hunter2"]);
        let mut masker = Masker::new(secrets);
        let text = format!("a {value} b {} c", &value[..16_000]);
        let mut out = Vec::new();
        for byte in text.as_bytes() {
            out.extend(masker.push(&[*byte]));
        }
        out.extend(masker.finish());
        let expected = format!("a *** b {} c", &value[..16_000]);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn what_is_short_is_left_and_said() {
        let (set, warnings) = SecretSet::new([("PIN", "123"), ("EMPTY", ""), ("TOKEN", "abcd")]);
        assert_eq!(set.mask("123 abcd"), "123 ***");
        assert_eq!(
            warnings
                .iter()
                .map(|warning| &*warning.name)
                .collect::<Vec<_>>(),
            ["PIN"]
        );
    }

    proptest! {
        #[test]
        fn the_cut_of_the_stream_changes_nothing(
            text in "[ab]{0,60}",
            values in prop::collection::vec("[ab]{4,9}", 0..4),
            cuts in prop::collection::vec(0usize..60, 0..6),
        ) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let secrets = secrets(&values);
            let whole = secrets.mask_bytes(text.as_bytes()).into_owned();
            let pieces = in_pieces(&secrets, text.as_bytes(), &cuts);
            prop_assert_eq!(&pieces, &whole);
            for value in values {
                prop_assert!(!pieces.windows(value.len()).any(|part| part == value.as_bytes()));
            }
        }
    }
}
