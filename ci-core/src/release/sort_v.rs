//! The order of GNU `sort -V`, byte for byte.
//!
//! What it does is described in the manual of GNU coreutils, "Version sort order": names are compared
//! without their file suffixes first and with them second; within a name, runs of digits are numbers
//! and everything else is compared character by character, `~` before the end of the name, the end
//! before letters, letters before the rest. `sort` breaks ties by bytes.
//!
//! Releases of coreutils differ in names that begin with a dot, which no tag does; here they are as in 9.1.

use std::cmp::Ordering;

/// Compares two lines as `LC_ALL=C sort -V` does.
///
/// Nothing is known of versions here: a leading `v` counts, and `1.8.7alpha` is above `1.8.7`.
///
/// ```
/// use ci_core::release::sort_v;
///
/// assert!(sort_v("1.9.0", "1.10.0").is_lt());
/// assert!(sort_v("1.8.7alpha", "1.8.7").is_gt());
/// assert!(sort_v("v1.2", "1.10").is_gt());
/// ```
#[must_use]
pub fn sort_v(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    names(a, b).then_with(|| a.cmp(b))
}

fn names(a: &[u8], b: &[u8]) -> Ordering {
    hidden(a)
        .cmp(&hidden(b))
        .then_with(|| pieces(without_suffix(a), without_suffix(b)).then_with(|| pieces(a, b)))
}

/// Names that come before all others, whatever else they hold: none, the two special directories, and
/// those that begin with a dot.
fn hidden(name: &[u8]) -> u8 {
    match name {
        b"" => 0,
        b"." => 1,
        b".." => 2,
        [b'.', ..] => 3,
        _ => 4,
    }
}

/// The name without `(\.[A-Za-z~][A-Za-z0-9~]*)*` at its end.
fn without_suffix(name: &[u8]) -> &[u8] {
    let mut end = name.len();
    loop {
        let body = name[..end]
            .iter()
            .rposition(|b| !(b.is_ascii_alphanumeric() || *b == b'~'));
        match body {
            Some(dot)
                if name[dot] == b'.'
                    && name[..end]
                        .get(dot + 1)
                        .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'~') =>
            {
                end = dot;
            }
            _ => return &name[..end],
        }
    }
}

/// Compares what is not a number and what is, in turns.
fn pieces(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !(a.is_empty() && b.is_empty()) {
        let is_text = |name: &[u8]| name.first().is_some_and(|byte| !byte.is_ascii_digit());
        while is_text(a) || is_text(b) {
            let order = weight(a.first()).cmp(&weight(b.first()));
            if order.is_ne() {
                return order;
            }
            (a, b) = (rest(a), rest(b));
        }
        let (number_a, number_b) = (number(&mut a), number(&mut b));
        let order = number_a.len().cmp(&number_b.len());
        let order = order.then_with(|| number_a.cmp(number_b));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn rest(name: &[u8]) -> &[u8] {
    name.get(1..).unwrap_or_default()
}

/// Takes the number that a name begins with, without leading zeros.
fn number<'a>(name: &mut &'a [u8]) -> &'a [u8] {
    let end = name.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = name.split_at(end);
    *name = rest;
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    &digits[zeros..]
}

/// What a character counts where text is compared.
fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        Some(b'~') => -2,
        None => -1,
        Some(b) if b.is_ascii_digit() => 0,
        Some(b) if b.is_ascii_alphabetic() => i32::from(*b),
        Some(b) => i32::from(*b) + 256,
    }
}
