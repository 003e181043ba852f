//! Durations, as people write them.

use std::time::Duration;

use serde::de::Error;
use serde::ser::{Serialize, Serializer};

use super::shape::{Shape, shaped};
use crate::units::{format_duration, parse_duration};

/// A duration: `90s`, `5m`, `1h30m`, `250ms`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub(super) Duration);

shaped!(Time: String, f64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_duration(self.0))
    }
}

impl Shape for Time {
    const EXPECTED: &'static str =
        "a duration such as `90s`, `5m`, `1h30m` or `250ms`, or a number of seconds";

    fn from_integer<E: Error>(seconds: u64) -> Result<Self, E> {
        Ok(Self(Duration::from_secs(seconds)))
    }

    fn from_float<E: Error>(seconds: f64) -> Result<Self, E> {
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(|_| E::custom(format_args!("`{seconds}` is no number of seconds")))
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        parse_duration(text)
            .map(Self)
            .map_err(|_| E::custom(format_args!("`{text}` is not {}", Self::EXPECTED)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Result<Duration, String> {
        serde_json::from_str(json)
            .map(|Time(duration)| duration)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(read(r#""90s""#), Ok(Duration::from_secs(90)));
        assert_eq!(read(r#""1h30m""#), Ok(Duration::from_mins(90)));
        assert_eq!(read(r#""1h 30m""#), Ok(Duration::from_mins(90)));
        assert_eq!(read(r#""250ms""#), Ok(Duration::from_millis(250)));
        assert_eq!(read(r#""1.5h""#), Ok(Duration::from_mins(90)));
        assert_eq!(read("90"), Ok(Duration::from_secs(90)));
        assert_eq!(read("0.5"), Ok(Duration::from_millis(500)));
        for bad in [
            r#""""#,
            r#""5""#,
            r#""soon""#,
            r#""-5s""#,
            "-5",
            "-0.5",
            "1e300",
            "true",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in any::<u64>(), nanos in 0u32..1_000_000_000) {
            for duration in [
                Duration::new(seconds, nanos),
                Duration::new(seconds % 10_000, nanos % 3 * 1_000_000),
            ] {
                let text = serde_json::to_string(&Time(duration)).expect("a string");
                prop_assert_eq!(read(&text), Ok(duration), "{}", text);
            }
        }
    }
}
