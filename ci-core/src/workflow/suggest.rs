//! "Did you mean": the name that is closest to one that does not exist.

/// How many comparisons a workflow with many wrong names may cost.
const COMPARISONS: usize = 2_000_000;

/// Finds close names until it has worked enough.
#[derive(Debug)]
pub(super) struct Suggest {
    left: usize,
}

impl Suggest {
    pub(super) fn new() -> Self {
        Self { left: COMPARISONS }
    }

    /// The candidate closest to `name`, if one is close enough to be a slip: a third of its letters
    /// differ at most, where a swap of neighbours counts once.
    pub(super) fn closest<'a>(
        &mut self,
        name: &str,
        candidates: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        let letters = name.chars().count();
        let allowed = (letters / 3).max(1);
        let left = &mut self.left;
        candidates
            .take_while(|_| {
                *left = left.saturating_sub(1);
                *left > 0
            })
            .filter(|candidate| candidate.len().abs_diff(name.len()) <= 4 * allowed)
            .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
            .filter(|(distance, candidate)| {
                *distance <= allowed && *distance < letters.max(candidate.chars().count())
            })
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, candidate)| candidate.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let candidates = ["build", "test", "test-unit", "deploy"];
        let found = Suggest::new().closest(name, candidates.into_iter());
        assert_eq!(found.as_deref(), expected, "{name}");
    }

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        check("biuld", Some("build"));
        check("tests", Some("test"));
        check("test_unit", Some("test-unit"));
        check("lint", None);
        check("x", None);
        check("", None);
    }

    #[test]
    fn it_gives_up_after_enough_work() {
        let mut suggest = Suggest { left: 3 };
        let names = ["aaaa", "bbbb", "cccc", "dddd"];
        assert_eq!(suggest.closest("dddx", names.into_iter()), None);
    }
}
