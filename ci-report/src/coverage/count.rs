//! A saturating counter that may be unknown, in eight bytes.

/// How often something ran, or that nobody said. Adding never wraps: it stops at [`Count::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Count(u64);

/// How counts of the same line, branch or function become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Join {
    /// They are added: two runs, or two parts of one run.
    #[default]
    Sum,
    /// The largest counts: the same run seen twice.
    Max,
}

impl Count {
    /// Nothing is known. It gives way to anything that is.
    pub(super) const UNKNOWN: Self = Self(u64::MAX);
    /// The largest count.
    const MAX: u64 = u64::MAX - 1;

    /// A known count.
    pub(super) const fn known(count: u64) -> Self {
        Self(if count > Self::MAX { Self::MAX } else { count })
    }

    /// A count that may be unknown.
    pub(super) const fn new(count: Option<u64>) -> Self {
        match count {
            Some(count) => Self::known(count),
            None => Self::UNKNOWN,
        }
    }

    /// The count, if it is known.
    pub(super) const fn get(self) -> Option<u64> {
        if self.0 == u64::MAX {
            None
        } else {
            Some(self.0)
        }
    }

    /// The count as a number that is small when the count is small or unknown.
    #[inline]
    pub(super) const fn code(self) -> u64 {
        self.0.wrapping_add(1)
    }

    /// The count with this [`code`](Self::code).
    #[inline]
    pub(super) const fn from_code(code: u64) -> Self {
        Self(code.wrapping_sub(1))
    }

    /// Both counts as one. The unknown is the neutral element of both ways to join, which are
    /// commutative and associative.
    pub(super) fn join(self, other: Self, how: Join) -> Self {
        match (self.get(), other.get(), how) {
            (None, _, _) => other,
            (_, None, _) => self,
            (Some(a), Some(b), Join::Sum) => Self::known(a.saturating_add(b)),
            (Some(a), Some(b), Join::Max) => Self::known(a.max(b)),
        }
    }
}

impl std::fmt::Debug for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.get() {
            Some(count) => write!(f, "{count}"),
            None => f.write_str("unknown"),
        }
    }
}

/// Reads a counter as tools write them: digits, a number below zero (nothing ran), a number beyond
/// 64 bits (the most there is), `1e3`, `12.0`, or gcov's `#####` and `=====` for none.
pub(super) fn parse_count(text: &[u8]) -> Option<u64> {
    match parse_digits(text) {
        Some(count) => Some(count),
        None => parse_odd_count(text),
    }
}

/// The number that `text` is, when it is one of at most 19 digits: the fast path.
#[inline]
pub(super) fn parse_digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let mut number = 0_u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    Some(number)
}

#[cold]
fn parse_odd_count(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if matches!(text, b"#####" | b"=====" | b"$$$$$" | b"%%%%%") {
        return Some(0);
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(count) = text.parse::<u64>() {
        return Some(count);
    }
    // `inf` and `nan` are words of `f64` too, but no tool means a count by them.
    let numeric = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    if !text.chars().all(numeric) {
        return None;
    }
    text.parse::<f64>().ok().map(from_float)
}

/// A count that was written as a float: below zero is none, beyond 64 bits is the most there is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what a counter does"
)]
pub(super) fn from_float(number: f64) -> u64 {
    number as u64
}

/// Reads a line number: 1 and up, at most 32 bits.
#[inline]
pub(super) fn parse_line(text: &[u8]) -> Option<u32> {
    let number = match parse_digits(text) {
        Some(number) => number,
        None => parse_digits(text.trim_ascii())?,
    };
    u32::try_from(number).ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_as_tools_write_them() {
        let cases: [(&str, Option<u64>); 14] = [
            ("0", Some(0)),
            ("42", Some(42)),
            ("-1", Some(0)),
            ("1e3", Some(1000)),
            ("12.0", Some(12)),
            ("18446744073709551615", Some(u64::MAX)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("#####", Some(0)),
            ("=====", Some(0)),
            (" 7 ", Some(7)),
            ("undefined", None),
            ("nan", None),
            ("inf", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_count(text.as_bytes()), expected, "`{text}`");
        }
    }

    #[test]
    fn adding_stops_at_the_most_there_is() {
        let most = Count::known(u64::MAX);
        assert_eq!(most.join(most, Join::Sum), most);
        assert_eq!(most.get(), Some(Count::MAX));
    }

    #[test]
    fn line_numbers_start_at_one() {
        assert_eq!(parse_line(b"1"), Some(1));
        assert_eq!(parse_line(b"4294967295"), Some(u32::MAX));
        for bad in ["0", "", "-1", "4294967296", "x"] {
            assert_eq!(parse_line(bad.as_bytes()), None, "`{bad}`");
        }
    }
}
