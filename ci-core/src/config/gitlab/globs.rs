//! The globs of `rules:changes` and `rules:exists`, and the wildcards of `include:local`.

use regex::{Regex, RegexBuilder};

/// The most patterns that a rule may have.
pub(super) const MOST: usize = 50;

/// A pattern as GitLab gives it to Ruby's `File.fnmatch` with `FNM_PATHNAME | FNM_DOTMATCH |
/// FNM_EXTGLOB`: `*` stays within a directory, `**/` is any number of directories, `{a,b}` one of two.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    exact: String,
    regex: Option<Regex>,
}

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        let special = pattern.contains(['*', '?', '[', '{', '\\']);
        let regex = special.then(|| build(&translate(pattern))).flatten();
        Self {
            exact: pattern.to_owned(),
            regex,
        }
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.exact == path
            || self
                .regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(path))
    }

    /// Whether it matches a file among `paths`, or for a pattern with `/` at its end, a directory.
    pub(super) fn finds(&self, paths: &[String]) -> bool {
        if self.exact.ends_with('/') {
            return paths.iter().any(|path| {
                let ends = path.match_indices('/').map(|(at, _)| at + 1);
                ends.into_iter()
                    .any(|end| path.get(..end).is_some_and(|dir| self.matches(dir)))
            });
        }
        paths.iter().any(|path| self.matches(path))
    }
}

fn build(source: &str) -> Option<Regex> {
    RegexBuilder::new(source)
        .size_limit(1 << 20)
        .dot_matches_new_line(true)
        .build()
        .ok()
}

fn translate(pattern: &str) -> String {
    let mut out = String::from("^");
    let mut letters = pattern.chars().peekable();
    let mut open = 0usize;
    let mut at_start = true;
    while let Some(letter) = letters.next() {
        let is_start = std::mem::replace(&mut at_start, letter == '/');
        match letter {
            '*' => {
                let mut stars = 1;
                while letters.next_if_eq(&'*').is_some() {
                    stars += 1;
                }
                if stars == 2 && is_start && letters.next_if_eq(&'/').is_some() {
                    out.push_str("(?:[^/]+/)*");
                    at_start = true;
                } else {
                    out.push_str("[^/]*");
                }
            }
            '?' => out.push_str("[^/]"),
            '[' => set(&mut letters, &mut out),
            '{' if closes(letters.clone()) => {
                open += 1;
                out.push_str("(?:");
                at_start = is_start;
            }
            ',' if open > 0 => out.push('|'),
            '}' if open > 0 => {
                open -= 1;
                out.push(')');
            }
            '\\' => literal(letters.next().unwrap_or('\\'), &mut out),
            _ => literal(letter, &mut out),
        }
    }
    out.push('$');
    out
}

fn closes(letters: impl Iterator<Item = char>) -> bool {
    let mut depth = 1usize;
    for letter in letters {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return true;
        }
    }
    false
}

/// A set such as `[a-z]`; a bracket that nothing closes is a letter.
fn set(letters: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    let inside: String = letters
        .clone()
        .take_while(|letter| *letter != ']')
        .collect();
    let closed = letters.clone().nth(inside.chars().count()) == Some(']');
    if !closed || inside.is_empty() || inside == "!" || inside == "^" {
        out.push_str("\\[");
        return;
    }
    for _ in 0..=inside.chars().count() {
        letters.next();
    }
    let (negated, members) = match inside.strip_prefix(['!', '^']) {
        Some(members) => (true, members),
        None => (false, inside.as_str()),
    };
    out.push_str(if negated { "[^/" } else { "[" });
    for member in members.chars() {
        if member == '-' || member.is_alphanumeric() {
            out.push(member);
        } else {
            literal(member, out);
        }
    }
    out.push(']');
}

fn literal(letter: char, out: &mut String) {
    out.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
}

/// The paths that a wildcard of `include:local` means: `*` stays within a directory, `**` does not.
pub(super) fn wildcard<'p>(pattern: &str, paths: &'p [String]) -> Vec<&'p str> {
    let source = regex::escape(pattern)
        .replace(r"\*\*", ".*")
        .replace(r"\*", "[^/]*");
    let regex = build(&format!("^{source}$"));
    let matches = |path: &&String| regex.as_ref().is_some_and(|regex| regex.is_match(path));
    paths.iter().filter(matches).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let glob = Glob::new(pattern);
        for path in yes {
            assert!(glob.matches(path), "{pattern} matches {path}");
        }
        for path in no {
            assert!(!glob.matches(path), "{pattern} does not match {path}");
        }
    }

    #[test]
    fn globs_match_as_ruby_does() {
        check(
            "Dockerfile",
            &["Dockerfile"],
            &["a/Dockerfile", "./Dockerfile"],
        );
        check("*.rb", &["a.rb", ".a.rb"], &["a/b.rb"]);
        check("**/*.rb", &["a.rb", "a/b.rb", "a/.b/c.rb"], &["a.rbx"]);
        check("a/**/*", &["a/b", "a/b/c"], &["a", "b/a/c"]);
        check("a/**", &["a/b"], &["a/b/c"]);
        check(
            "more/**/{a,b*}.{rb,py}",
            &["more/a.rb", "more/x/bc.py"],
            &["more/c.rb"],
        );
        check("[a-c]?", &["b1"], &["d1", "b/"]);
        check("[!a]x", &["bx"], &["ax", "/x"]);
        check("a{b", &["a{b"], &["ab"]);
        check("\\*", &["*"], &["a"]);
        check("[", &["["], &["a"]);
    }

    #[test]
    fn a_slash_at_the_end_asks_for_a_directory() {
        let paths = ["a/b/c".to_owned()];
        assert!(Glob::new("a/b/").finds(&paths));
        assert!(Glob::new("**/b/").finds(&paths));
        assert!(!Glob::new("a/b/c/").finds(&paths));
    }

    #[test]
    fn wildcards_of_includes_know_two_stars() {
        let paths = ["c/a.yml", "c/d/b.yml", "c/d/e/f.yml"].map(str::to_owned);
        assert_eq!(wildcard("c/*.yml", &paths), ["c/a.yml"]);
        assert_eq!(
            wildcard("c/**.yml", &paths),
            ["c/a.yml", "c/d/b.yml", "c/d/e/f.yml"]
        );
        assert_eq!(wildcard("c/**/*.yml", &paths), ["c/d/b.yml", "c/d/e/f.yml"]);
    }

    proptest! {
        #[test]
        fn any_pattern_is_a_glob(pattern in "[a*?\\[\\]{},/\\\\!^\\-é]{0,20}") {
            Glob::new(&pattern).matches("a/b");
        }
    }
}
