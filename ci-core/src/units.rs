//! Durations as people write them: for command lines and other places outside of files.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;

/// A text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration; write one such as `90s`, `5m`, `1h30m` or `30d`")]
pub struct ParseDurationError(String);

/// Reads a duration such as `90s`, `5m`, `1h30m`, or a number of days such as `30d`.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let wrong = || ParseDurationError(text.to_owned());
    // A day here is always 24 hours: for ages, not for calendars.
    if let Some(days) = text.strip_suffix('d') {
        let days: u64 = days.trim().parse().map_err(|_| wrong())?;
        return days
            .checked_mul(86_400)
            .map(Duration::from_secs)
            .ok_or_else(wrong);
    }
    SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(parse_duration("30d"), Ok(Duration::from_hours(720)));
        for wrong in ["", "soon", "-1s", "d", "99999999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
