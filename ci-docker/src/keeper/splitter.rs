//! Passes a stream on up to a mark that may come in any cut, and keeps what the mark says.

use bytes::{Bytes, BytesMut};

/// The most that is kept of what follows the mark: it is some digits.
const MOST: usize = 64;

/// Looks for a mark in a stream. Only what may be the beginning of the mark is held back.
#[derive(Debug)]
pub(crate) struct Splitter {
    mark: Vec<u8>,
    /// The end of what came, as far as it may be the beginning of the mark.
    held: Bytes,
    /// What came after the mark.
    tail: Option<Vec<u8>>,
}

impl Splitter {
    /// Looks for `mark`, which is not empty.
    pub(crate) fn new(mark: &str) -> Self {
        Self {
            mark: mark.as_bytes().to_vec(),
            held: Bytes::new(),
            tail: None,
        }
    }

    /// Takes what came, and gives what is certainly not of the mark.
    pub(crate) fn push(&mut self, piece: Bytes) -> Bytes {
        if let Some(tail) = &mut self.tail {
            let rest = MOST.saturating_sub(tail.len());
            tail.extend_from_slice(&piece[..piece.len().min(rest)]);
            return Bytes::new();
        }
        let all = if self.held.is_empty() {
            piece
        } else {
            let mut both = BytesMut::with_capacity(self.held.len() + piece.len());
            both.extend_from_slice(&self.held);
            both.extend_from_slice(&piece);
            self.held = Bytes::new();
            both.freeze()
        };
        match self.find(&all) {
            Found::Whole(at) => {
                let tail = all.slice(at + self.mark.len()..);
                self.tail = Some(Vec::new());
                self.push(tail);
                all.slice(..at)
            }
            Found::Beginning(at) => {
                self.held = all.slice(at..);
                all.slice(..at)
            }
            Found::Nothing => all,
        }
    }

    /// What the mark says, up to its full stop. None if that has not come.
    pub(crate) fn said(&self) -> Option<&str> {
        let tail = std::str::from_utf8(self.tail.as_ref()?).ok()?;
        tail.split_once('.').map(|(said, _)| said)
    }

    fn find(&self, bytes: &[u8]) -> Found {
        let Some((&first, rest)) = self.mark.split_first() else {
            return Found::Nothing;
        };
        // The first byte of a mark is one that hardly comes up elsewhere.
        for at in memchr::memchr_iter(first, bytes) {
            let after = &bytes[at + 1..];
            if after.starts_with(rest) {
                return Found::Whole(at);
            }
            if rest.starts_with(after) {
                return Found::Beginning(at);
            }
        }
        Found::Nothing
    }
}

enum Found {
    Whole(usize),
    /// All from there on may go on as the mark.
    Beginning(usize),
    Nothing,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARK: &str = "\u{1e}aab\u{1e}aac=";

    /// What passes in these cuts, and what the mark says.
    fn passed(stream: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<String>) {
        let mut splitter = Splitter::new(MARK);
        let (mut all, mut rest) = (Vec::new(), Bytes::copy_from_slice(stream));
        for cut in cuts {
            let piece = rest.split_to((*cut).min(rest.len()));
            all.extend_from_slice(&splitter.push(piece));
        }
        all.extend_from_slice(&splitter.push(rest));
        (all, splitter.said().map(ToOwned::to_owned))
    }

    #[test]
    fn what_comes_before_the_mark_passes_whole_wherever_it_is_cut() {
        let text: &[u8] = b"no newline at its end\x1eaab\x1eaab";
        let stream = [text, MARK.as_bytes(), b"137,1."].concat();
        for first in 0..stream.len() {
            for second in 0..stream.len() - first {
                let (all, said) = passed(&stream, &[first, second]);
                assert_eq!((all.as_slice(), said.as_deref()), (text, Some("137,1")));
            }
        }
    }

    #[test]
    fn a_mark_that_is_not_whole_says_nothing() {
        let whole = [MARK.as_bytes(), b"12"].concat();
        for length in 0..=whole.len() {
            assert_eq!(passed(&whole[..length], &[]), (Vec::new(), None));
        }
    }

    #[test]
    fn a_gibibyte_passes_without_a_byte_lost() {
        let piece = Bytes::from(vec![b'x'; 32 * 1024 - 1]);
        let (mut splitter, mut came) = (Splitter::new(MARK), 0_u64);
        let pieces = (1_u64 << 30).div_ceil(piece.len() as u64);
        for _ in 0..pieces {
            came += splitter.push(piece.clone()).len() as u64;
        }
        came += splitter.push(Bytes::from_static(b"\x1eaa")).len() as u64;
        came += splitter.push(Bytes::from(format!("{MARK}0."))).len() as u64;
        assert_eq!(came, pieces * piece.len() as u64 + 3);
        assert_eq!(splitter.said(), Some("0"));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_cut_pass_as_they_are(
            text in prop::collection::vec(prop::sample::select(&b"\x1eaabc=\n\xff"[..]), 0..80),
            cuts in prop::collection::vec(0_usize..9, 0..40),
            code in 0_u8..,
        ) {
            let stream = [text.as_slice(), MARK.as_bytes(), format!("{code}.").as_bytes()].concat();
            let before = memchr::memmem::find(&stream, MARK.as_bytes()).unwrap_or_default();
            let (all, said) = passed(&stream, &cuts);
            prop_assert_eq!(&all, &stream[..before]);
            if before == text.len() {
                prop_assert_eq!(said, Some(code.to_string()));
            }
        }

        #[test]
        fn little_is_held_back(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut splitter = Splitter::new(MARK);
            let mut came = 0;
            for (count, byte) in text.iter().enumerate() {
                came += splitter.push(Bytes::copy_from_slice(&[*byte])).len();
                prop_assume!(splitter.tail.is_none());
                prop_assert!(count + 1 - came < MARK.len());
            }
        }
    }
}
