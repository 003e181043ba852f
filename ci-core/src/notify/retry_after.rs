//! How long a server asks to be left alone: `Retry-After` (RFC 9110, section 10.2.3).

use std::time::Duration;

use crate::clock::Timestamp;

/// Longer pauses than this are not believed.
const LONGEST: Duration = Duration::from_hours(1);

/// The pause that a `Retry-After` header asks for: seconds, or a date. `None` if it is neither.
pub(super) fn parse(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(header)
        .ok()?;
    let millis = u64::try_from(date.as_millisecond()).ok()?;
    Some(Timestamp::from_millis(millis).since(now).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_nonsense_is_not() {
        // 2015-10-21 07:28:00 UTC is 1_445_412_480.
        let now = Timestamp::from_millis(1_445_412_450_000);
        let read = |text| parse(text, now);
        assert_eq!(read("120"), Some(Duration::from_mins(2)));
        assert_eq!(
            read("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            read("Tue, 20 Oct 2015 07:28:00 GMT"),
            Some(Duration::ZERO),
            "it is over"
        );
        assert_eq!(read("99999999999"), Some(LONGEST));
        for nonsense in ["", "soon", "-3", "1.5", "99999999999999999999999"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
