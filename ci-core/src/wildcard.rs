//! Names with wildcards: `*` stands for any characters, `?` for one.

/// Whether all of `text` fits `pattern`. `*` also stands for `/` and `:`, so that `cimg/*` fits an
/// image with its tag. Every other character stands for itself. Takes at most the product of both
/// lengths.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands and how much of the text it has been given so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether the pattern is a plain name.
pub(crate) fn is_name(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_cross_slashes_and_colons() {
        assert!(fits("cimg/*", "cimg/rust:1.95"));
        assert!(fits("test-?", "test-a"));
        assert!(fits("*", ""));
        assert!(!fits("test-?", "test-"));
        assert!(!fits("lint", "lint2"));
    }

    proptest! {
        #[test]
        fn agrees_with_a_regular_expression(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let spelled: String = pattern
                .chars()
                .map(|c| match c {
                    '*' => ".*".to_owned(),
                    '?' => ".".to_owned(),
                    c => c.to_string(),
                })
                .collect();
            let regex = regex::Regex::new(&format!("^{spelled}$"))?;
            prop_assert_eq!(fits(&pattern, &text), regex.is_match(&text));
        }
    }
}
