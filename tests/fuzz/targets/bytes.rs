//! What a target makes of its bytes.

use std::borrow::Cow;

/// The text of the bytes; what is no UTF-8 is replaced.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The first byte as a number, and the others.
pub(super) fn number(bytes: &[u8]) -> (usize, &[u8]) {
    match bytes.split_first() {
        Some((first, rest)) => (usize::from(*first), rest),
        None => (0, bytes),
    }
}

/// The bytes in pieces, whose lengths follow from `size`.
pub(super) fn pieces(bytes: &[u8], size: usize) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(size.clamp(1, 255))
}
