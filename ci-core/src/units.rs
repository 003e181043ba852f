//! Durations and sizes as people write them: `5m`, `1h30m`, `8GB`, `512MiB`.

use std::time::Duration;

/// A text that is no duration or no size, with what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}: {why}")]
pub struct UnitError {
    text: String,
    what: &'static str,
    why: &'static str,
}

impl UnitError {
    fn duration(text: &str, why: &'static str) -> Self {
        let what = "duration";
        let text = text.to_owned();
        Self { text, what, why }
    }

    fn size(text: &str, why: &'static str) -> Self {
        let what = "size";
        let text = text.to_owned();
        Self { text, what, why }
    }
}

const NO_DURATION: &str = "write numbers with units, such as `90s`, `5m` or `1h30m`";
const NO_SIZE: &str = "write a number with a unit, such as `512MiB`, `8GB` or `1.5GiB`";
const TOO_LARGE: &str = "it is too large";

/// Units of time, largest first, with their length in nanoseconds.
const TIME_UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Units of size with their length in bytes: powers of 1000, and with an `i` powers of 1024.
const SIZE_UNITS: [(&str, u128); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads a duration: one or more numbers, each with its unit (`d`, `h`, `m`, `s`, `ms`, `us`, `ns`)
/// and added up, such as `1h30m` or `1.5h`. A number without a unit is refused, because what it
/// counts would be a guess; only `0` needs none.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(UnitError::duration(text, NO_DURATION));
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let (number, after) = split_at(rest, |c| !is_numeric(c));
        let (unit, after) = split_at(after, |c| !c.is_ascii_alphabetic());
        let length = TIME_UNITS
            .iter()
            .find_map(|(name, length)| (*name == unit).then_some(*length))
            .ok_or_else(|| UnitError::duration(text, NO_DURATION))?;
        let part = scale(number, length).map_err(|why| match why {
            Unscalable::NoNumber => UnitError::duration(text, NO_DURATION),
            Unscalable::TooLarge => UnitError::duration(text, TOO_LARGE),
        })?;
        nanos = nanos.saturating_add(part);
        rest = after.trim_start();
    }
    let seconds =
        u64::try_from(nanos / 1_000_000_000).map_err(|_| UnitError::duration(text, TOO_LARGE))?;
    let below = u32::try_from(nanos % 1_000_000_000).unwrap_or_default();
    Ok(Duration::new(seconds, below))
}

/// Reads a size in bytes: a number and its unit, `B`, `KB`, `MB`, `GB`, `TB` (powers of 1000) or
/// `KiB`, `MiB`, `GiB`, `TiB` (powers of 1024). A number without a unit is refused; only `0` needs
/// none. A fraction of a byte is dropped.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(0);
    }
    let (number, unit) = split_at(trimmed, |c| !is_numeric(c));
    let unit = unit.trim();
    let length = SIZE_UNITS
        .iter()
        .find_map(|(name, length)| name.eq_ignore_ascii_case(unit).then_some(*length))
        .ok_or_else(|| UnitError::size(text, NO_SIZE))?;
    let bytes = scale(number, length).map_err(|why| match why {
        Unscalable::NoNumber => UnitError::size(text, NO_SIZE),
        Unscalable::TooLarge => UnitError::size(text, TOO_LARGE),
    })?;
    u64::try_from(bytes).map_err(|_| UnitError::size(text, TOO_LARGE))
}

/// Writes a duration so that [`parse_duration`] reads it back, leaving out units that are zero.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    use std::fmt::Write as _;

    let mut rest = duration.as_nanos();
    if rest == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (name, length) in TIME_UNITS {
        if rest >= length {
            let _ = write!(text, "{}{name}", rest / length);
            rest %= length;
        }
    }
    text
}

/// Why a number cannot be counted in a unit.
enum Unscalable {
    NoNumber,
    TooLarge,
}

/// `number · unit`, exact but for what is less than one, which is dropped.
fn scale(number: &str, unit: u128) -> Result<u128, Unscalable> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let missing = whole.is_empty() || (number.contains('.') && fraction.is_empty());
    if missing || !is_digits(whole) || !is_digits(fraction) {
        return Err(Unscalable::NoNumber);
    }
    // Eighteen digits are far below a nanosecond of a day, and their product with any unit fits.
    let fraction = &fraction[..fraction.len().min(18)];
    let whole: u64 = whole.parse().map_err(|_| Unscalable::TooLarge)?;
    let part: u64 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().map_err(|_| Unscalable::TooLarge)?
    };
    let digits = u32::try_from(fraction.len()).unwrap_or_default();
    Ok(u128::from(whole) * unit + u128::from(part) * unit / 10_u128.pow(digits))
}

fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

fn split_at(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        for (text, millis) in [
            ("0", 0),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("0.25s", 250),
            (" 2d ", 172_800_000),
            ("1s500ms", 1500),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "5",
            "m",
            "5 parsecs",
            "-5m",
            "5m3",
            "1.s",
            ".5s",
            "1..5s",
            "5M",
            "1e3s",
            "５s",
            "99999999999999999999d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_know_thousands_and_powers_of_two() {
        for (text, bytes) in [
            ("0", 0),
            ("12B", 12),
            ("8GB", 8_000_000_000),
            ("2GiB", 2 << 30),
            ("1.5 KiB", 1536),
            ("3mb", 3_000_000),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "8",
            "8G",
            "GB",
            "-1GB",
            "8GB4",
            "99999999999TiB",
            "1.2.3GB",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_error_says_what_would_be_right() {
        let error = parse_duration("5").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err(
                "`5` is no duration: write numbers with units, such as `90s`, `5m` or `1h30m`"
                    .into()
            )
        );
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_back(seconds in any::<u64>(), nanos in 0_u32..1_000_000_000) {
            let duration = Duration::new(seconds, nanos);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_size_in_bytes_reads_back(bytes in any::<u64>()) {
            prop_assert_eq!(parse_size(&format!("{bytes}B")), Ok(bytes));
        }

        #[test]
        fn any_text_is_a_value_or_an_error(text in "[0-9.dhmsuiBKMGT -]{0,30}|.{0,20}") {
            let _ = parse_duration(&text);
            let _ = parse_size(&text);
        }
    }
}
