//! The coverage that `coverage` finds in the output of a job
//! (<https://docs.gitlab.com/ci/testing/code_coverage/>).

use super::rules_if::compile_pattern;

/// The percentage that a pattern `/…/` finds in the output of a job: of the last line that matches,
/// the first number of the match, or of its last group if it has some. `None` if no line matches or
/// the pattern is none.
///
/// ```
/// use ci_core::config::gitlab::coverage;
///
/// let log = "Lines: 48.1%\nLines: 78.46%\ndone\n";
/// assert_eq!(coverage("/Lines: [0-9.]+%/", log), Some(78.46));
/// ```
#[must_use]
pub fn coverage(pattern: &str, log: &str) -> Option<f64> {
    let pattern = compile_pattern(pattern)?.ok()?;
    log.lines().rev().find_map(|line| {
        let found = pattern.captures_iter(line).last()?;
        let groups = found.iter().skip(1).flatten();
        let group = groups
            .filter(|group| !group.as_str().trim().is_empty())
            .last();
        number(group.or(found.get(0))?.as_str())
    })
}

/// The first number of a text.
fn number(text: &str) -> Option<f64> {
    let from = text.get(text.find(|letter: char| letter.is_ascii_digit())?..)?;
    let whole = from
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(from.len());
    let (whole, rest) = from.split_at(whole);
    let digits = rest.strip_prefix('.').unwrap_or_default();
    let length = digits
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(digits.len());
    let fraction = digits.get(..length).unwrap_or_default();
    format!("{whole}.{fraction}0").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_and_the_last_group_count() {
        for (pattern, log, expected) in [
            (
                r"/Lines:\s*(\d+.\d+)\%/",
                "Lines: 1.5%\nLines: 78.46% (510/650)\nx",
                Some(78.46),
            ),
            (
                r"/All files.*?\|.*?\|.*?([\d\.]+)/",
                "All files | 99.3 |  97.91 |",
                Some(97.91),
            ),
            (
                r"/(?i)total.*? (100(?:\.0+)?\%|[1-9]?\d(?:\.\d+)?\%)$/",
                "TOTAL  18  0  100%",
                Some(100.0),
            ),
            (r"/\d+%/", "nothing", None),
            ("no pattern", "5%", None),
        ] {
            assert_eq!(coverage(pattern, log), expected, "{pattern}");
        }
    }
}
