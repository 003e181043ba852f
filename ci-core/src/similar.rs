//! The name that somebody may have meant: "did you mean".

/// How many comparisons a file with many wrong names may cost.
const COMPARISONS: usize = 2_000_000;

/// The candidate closest to `name`, if one is close enough to be a slip; see [`Suggest`].
pub(crate) fn closest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    Suggest::new().closest(name, candidates)
}

/// ` (did you mean `x`?)`, or nothing.
pub(crate) fn did_you_mean(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

/// The known name that was meant, by serde's message about a field or variant that is not known.
pub(crate) fn meant_in(message: &str) -> Option<&str> {
    let (given, known) = message
        .strip_prefix("unknown field `")
        .or_else(|| message.strip_prefix("unknown variant `"))?
        .split_once("`, expected ")?;
    let known = known.trim_start_matches("one of ").split([',', ' ', '`']);
    closest(given, known.filter(|word| !word.is_empty()))
}

/// Finds close names until it has worked enough.
#[derive(Debug)]
pub(crate) struct Suggest {
    left: usize,
}

impl Suggest {
    pub(crate) fn new() -> Self {
        Self { left: COMPARISONS }
    }

    /// The candidate closest to `name`, if one is close enough to be a slip: a third of its letters
    /// differ at most, where a swap of neighbours counts once.
    pub(crate) fn closest<'a>(
        &mut self,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let letters = name.chars().count();
        let allowed = (letters / 3).max(1);
        let left = &mut self.left;
        candidates
            .into_iter()
            .take_while(|_| {
                *left = left.saturating_sub(1);
                *left > 0
            })
            .filter(|candidate| *candidate != name)
            .filter(|candidate| candidate.len().abs_diff(name.len()) <= 4 * allowed)
            .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
            .filter(|(distance, candidate)| {
                *distance <= allowed && *distance < letters.max(candidate.chars().count())
            })
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, candidate)| candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let candidates = ["build", "test", "test-unit", "deploy"];
        assert_eq!(closest(name, candidates), expected, "{name}");
    }

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        check("biuld", Some("build"));
        check("tests", Some("test"));
        check("test_unit", Some("test-unit"));
        check("test", None);
        check("lint", None);
        check("x", None);
        check("", None);
    }

    #[test]
    fn it_gives_up_after_enough_work() {
        let mut suggest = Suggest { left: 3 };
        let names = ["aaaa", "bbbb", "cccc", "dddd"];
        assert_eq!(suggest.closest("dddx", names), None);
    }
}
