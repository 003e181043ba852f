//! Durations and sizes as people read them.

use std::time::Duration;

/// A duration with tenths under a minute: `0.3s`, `12.0s`, `1m 02s`, `2h 05m`.
pub(crate) fn precise(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    if tenths < 600 {
        format!("{}.{}s", tenths / 10, tenths % 10)
    } else {
        clock(duration + Duration::from_millis(500))
    }
}

/// A duration in whole seconds, for what changes while one looks: `7s`, `1m 02s`, `2h 05m`.
pub(in crate::event) fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m {seconds:02}s"),
        _ => format!("{hours}h {minutes:02}m"),
    }
}

/// A size in powers of ten (SI): `999 B`, `1.0 kB`, `2.4 GB`.
pub(in crate::event) fn bytes(count: u64) -> String {
    if count < 1000 {
        return format!("{count} B");
    }
    let mut tenths = u128::from(count) * 10 / 1000;
    let mut units = ["kB", "MB", "GB", "TB", "PB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if tenths < 10_000 {
            break;
        }
        tenths /= 1000;
        unit = larger;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let texts: Vec<(String, String)> = [0, 49, 50, 59_949, 59_950, 62_000, 7_500_000]
            .map(Duration::from_millis)
            .map(|duration| (precise(duration), clock(duration)))
            .into();
        let expected = [
            ("0.0s", "0s"),
            ("0.0s", "0s"),
            ("0.1s", "0s"),
            ("59.9s", "59s"),
            ("1m 00s", "59s"),
            ("1m 02s", "1m 02s"),
            ("2h 05m", "2h 05m"),
        ];
        assert_eq!(texts, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn sizes() {
        let texts = [
            0,
            999,
            1000,
            65_536,
            999_999,
            1_000_000,
            2_400_000_000,
            u64::MAX,
        ]
        .map(bytes);
        let expected = [
            "0 B",
            "999 B",
            "1.0 kB",
            "65.5 kB",
            "999.9 kB",
            "1.0 MB",
            "2.4 GB",
            "18446.7 PB",
        ];
        assert_eq!(texts, expected);
    }
}
