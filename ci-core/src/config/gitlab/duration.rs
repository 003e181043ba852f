//! Durations as GitLab reads them: `3h 30m`, `1 hour and 30 minutes`, `90`.

use std::time::Duration;

/// Reads a duration in words; a number alone counts seconds. `None` for text that is none.
pub(super) fn natural(text: &str) -> Option<Duration> {
    let text = text.trim().to_ascii_lowercase();
    let mut rest = text.as_str();
    let mut total = 0.0_f64;
    let mut found = false;
    loop {
        rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == ',');
        rest = rest.strip_prefix("and ").unwrap_or(rest).trim_start();
        if rest.is_empty() {
            break;
        }
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        let (number, after) = rest.split_at(digits.unwrap_or(rest.len()));
        let number: f64 = number.parse().ok()?;
        let after = after.trim_start();
        let letters = after.find(|letter: char| !letter.is_ascii_alphabetic());
        let (unit, after) = after.split_at(letters.unwrap_or(after.len()));
        total += number * seconds(unit)?;
        found = true;
        rest = after;
    }
    found.then(|| Duration::try_from_secs_f64(total).ok())?
}

fn seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "wk" | "wks" | "week" | "weeks" => 604_800.0,
        "mo" | "mos" | "month" | "months" => 2_592_000.0,
        "y" | "yr" | "yrs" | "year" | "years" => 31_557_600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in [
            ("3h 30m", Some(12_600)),
            ("3h30m", Some(12_600)),
            ("1 hour and 5 minutes", Some(3_900)),
            ("3600", Some(3_600)),
            ("2 weeks", Some(1_209_600)),
            ("1.5 hours", Some(5_400)),
            ("", None),
            ("soon", None),
            ("5 parsecs", None),
        ] {
            let seconds = natural(text).map(|found| found.as_secs());
            assert_eq!(seconds, expected, "{text}");
        }
    }
}
