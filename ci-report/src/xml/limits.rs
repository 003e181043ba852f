//! How much of one tag is kept.

/// How much of one tag the tokenizer keeps. What is beyond is skipped in linear time, with a
/// diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Attributes of one tag. 256 unless told.
    pub attributes: usize,
    /// Bytes of one value, before references are resolved. 256 KiB unless told.
    pub value: usize,
    /// Bytes of one tag as it is written, after which no further attribute is kept. 1 MiB unless
    /// told.
    pub tag: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attributes: 256,
            value: 256 << 10,
            tag: 1 << 20,
        }
    }
}

/// Bytes of one name that are kept.
pub(super) const NAME: usize = 1024;
