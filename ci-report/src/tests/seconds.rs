//! Durations as reports spell them.

/// Units after a number, with their length in seconds.
const UNITS: [(&str, f64); 9] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("ms", 1e-3),
    ("sec", 1.0),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
];

/// The seconds that a text means: `1.5`, `1,234.5`, `0,03`, `1E-07`, `80.8us`, `1.2s`, `00:01:02.5`.
/// Nothing for what is no duration, is negative or not finite.
pub(super) fn parse(text: &str) -> Option<f64> {
    let text = text.trim_ascii();
    if let Some(seconds) = plain(text) {
        return Some(seconds);
    }
    if text.contains(':') {
        return clock(text);
    }
    let (number, unit) = UNITS
        .iter()
        .find_map(|(unit, length)| Some((text.strip_suffix(unit)?.trim_end(), *length)))
        .unwrap_or((text, 1.0));
    Some(decimal(number)? * unit)
}

/// Digits with at most one point, as nearly all are. Both the digits as a whole and the power of ten
/// are exact in a double, so that their quotient is the nearest one.
fn plain(text: &str) -> Option<f64> {
    const POWERS: [f64; 16] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > POWERS.len() {
        return None;
    }
    let (mut digits, mut point) = (0_u32, None);
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                digits = digits
                    .checked_mul(10)?
                    .checked_add(u32::from(byte - b'0'))?;
            }
            b'.' if point.is_none() && bytes.len() > 1 => point = Some(place),
            _ => return None,
        }
    }
    let decimals = point.map_or(0, |place| bytes.len() - place - 1);
    Some(f64::from(digits) / POWERS.get(decimals)?)
}

/// `d.hh:mm:ss.fff`, `hh:mm:ss.fff` or `mm:ss`.
fn clock(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut parts = text.split(':').peekable();
    let count = text.split(':').count();
    if count > 3 {
        return None;
    }
    if count == 3
        && let Some((days, hours)) = parts.peek().and_then(|part| part.split_once('.'))
    {
        parts.next();
        seconds = decimal(days)? * 24.0 + decimal(hours)?;
    }
    for part in parts {
        seconds = seconds * 60.0 + decimal(part)?;
    }
    Some(seconds)
}

/// A number whose comma may be a point, or part thousands.
fn decimal(text: &str) -> Option<f64> {
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = match (text.matches(',').count(), text.contains('.')) {
        (0, _) => text.parse(),
        // A comma alone: whole thousands of seconds are rarer than countries that write it so.
        (1, false) => text.replace(',', ".").parse(),
        _ => text.replace(',', "").parse(),
    };
    number
        .ok()
        .filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling() {
        let close = |text: &str, expected: f64| {
            let found = parse(text).unwrap_or(f64::NAN);
            assert!((found - expected).abs() < 1e-9, "{text}: {found}");
        };
        close("0", 0.0);
        close(" 1.5 ", 1.5);
        close("1,234.567", 1234.567);
        close("0,03", 0.03);
        close("1,234,567", 1_234_567.0);
        close("1E-07", 1e-7);
        close("80.803us", 80.803e-6);
        close("80.803µs", 80.803e-6);
        close("12 ms", 0.012);
        close("1.2s", 1.2);
        close("00:01:02.5000000", 62.5);
        close("1.00:00:01", 86_401.0);
        close(".5", 0.5);
        close("5.", 5.0);
        close("12345678901.25", 12_345_678_901.25);
        for text in [
            "", "NaN", "-1", "inf", "1:2:3:4", "fast", "1.2.3", "s", ".", ".s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
    #[test]
    fn plain_numbers_are_the_nearest_double() {
        for number in 0..20_000_u32 {
            let text = format!("{}.{:03}", number / 1000, number % 1000);
            assert_eq!(parse(&text), text.parse().ok());
        }
    }
}
