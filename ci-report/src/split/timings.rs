//! How long tests took, and whose times those of a name are.

use std::collections::HashMap;

/// Known times in seconds by name: of files, classes, suites or single cases.
#[derive(Debug, Clone, Default)]
pub struct Timings {
    exact: HashMap<String, f64>,
    /// By the plain form of the name; the sums of names with the same one.
    plain: HashMap<String, f64>,
    /// By each group that a plain name stands in: the sums of what stands in it.
    groups: HashMap<String, f64>,
    /// By the ends of plain names; `None` when several names end so.
    ends: HashMap<String, Option<f64>>,
}

/// How a name was found among the known times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Match {
    /// The very name.
    Exact,
    /// The same name in another spelling: a path for a class, `\` for `/`, a leading `./`.
    Spelling,
    /// The sum of the cases, or classes, that stand in it.
    Parts,
    /// One known name alone ends with it, or it with one.
    End,
}

/// How many of the last parts of a name are looked up, and how many groups it may stand in.
const MAX_PARTS: usize = 32;

impl Timings {
    /// No times.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the time of a test; the times of the same name add up. A time that is negative or no
    /// number is not known.
    pub fn add(&mut self, name: &str, seconds: f64) {
        if !seconds.is_finite() || seconds < 0.0 {
            return;
        }
        let is_new = !self.exact.contains_key(name);
        *self.exact.entry(name.to_owned()).or_default() += seconds;
        let plain = plain(name);
        let is_new_plain = !self.plain.contains_key(&plain);
        *self.plain.entry(plain.clone()).or_default() += seconds;
        for group in groups(name) {
            *self.groups.entry(group).or_default() += seconds;
        }
        for end in ends(&plain) {
            let known = self.ends.entry(end.to_owned());
            let known = known.and_modify(|known| {
                if is_new && is_new_plain {
                    *known = None;
                } else if let Some(sum) = known {
                    *sum += seconds;
                }
            });
            known.or_insert(Some(seconds));
        }
    }

    /// Whether no time is known.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty()
    }

    /// The time of `name` in seconds, and how it was found.
    ///
    /// A name is looked for as it is; then in its plain form, in which the path `tests/test_a.py` and
    /// the class `tests.test_a` are the same; then as that of a file, class or suite with the cases
    /// in it (`tests/test_a.py::test_b`, `com.me.ATest.case`, `pkg/TestX`); then by its end, when one
    /// alone ends so (`src/test/java/com/me/ATest.java` and `com.me.ATest`).
    pub fn get(&self, name: &str) -> Option<(f64, Match)> {
        if let Some(seconds) = self.exact.get(name) {
            return Some((*seconds, Match::Exact));
        }
        let plain = plain(name);
        if let Some(seconds) = self.plain.get(&plain) {
            return Some((*seconds, Match::Spelling));
        }
        if let Some(seconds) = self.groups.get(&plain) {
            return Some((*seconds, Match::Parts));
        }
        if let Some(Some(seconds)) = self.ends.get(&plain) {
            return Some((*seconds, Match::End));
        }
        ends(&plain).find_map(|end| {
            let known = self.plain.get(end).map(|seconds| (*seconds, Match::End));
            let parts = self.groups.get(end).map(|seconds| (*seconds, Match::Parts));
            known.or(parts)
        })
    }
}

impl<S: AsRef<str>> FromIterator<(S, f64)> for Timings {
    fn from_iter<I: IntoIterator<Item = (S, f64)>>(times: I) -> Self {
        let mut timings = Self::new();
        for (name, seconds) in times {
            timings.add(name.as_ref(), seconds);
        }
        timings
    }
}

/// The parts of a name between `/`, `.`, `::` and the like, joined with `/`, without the ending of a
/// source file: what a path and the class in it have in common.
fn plain(name: &str) -> String {
    let name = strip_ending(name.trim().trim_start_matches("./"));
    join(name.split(is_separator))
}

/// The groups that a name stands in, in their plain form: `a/b.py::C::d` stands in `a/b/C`, `a/b`.
/// What ends with a slash is a directory and no group, as it may hold tests whose times are not known;
/// what ends with a dot may be a class and is one.
fn groups(name: &str) -> Vec<String> {
    let name = name.trim().trim_start_matches("./");
    let mut found = Vec::new();
    let mut end = name.len();
    // A name with more parts is none of a test.
    while found.len() < MAX_PARTS
        && let Some(at) = name[..end].rfind(is_separator)
    {
        end = at;
        let head = name[..end].trim_end_matches(is_separator);
        let is_directory = name[head.len()..].starts_with(['/', '\\']);
        let is_ending = strip_ending(name).len() == head.len();
        if is_directory || head.is_empty() {
            break;
        }
        if !is_ending {
            found.push(plain(head));
        }
        end = head.len();
    }
    found.dedup();
    found
}

/// The ends of a plain name, the longest first, of at least two parts.
fn ends(plain: &str) -> impl Iterator<Item = &str> {
    let starts = plain.match_indices('/').map(|(at, _)| &plain[at + 1..]);
    starts.filter(|end| end.contains('/')).take(MAX_PARTS)
}

fn join<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

fn is_separator(c: char) -> bool {
    matches!(c, '/' | '\\' | '.' | ':' | '#' | '$')
}

/// The name without the ending of a source file, if it has one.
fn strip_ending(name: &str) -> &str {
    const ENDINGS: [&str; 26] = [
        "py", "rb", "js", "jsx", "ts", "tsx", "mjs", "cjs", "java", "kt", "groovy", "scala", "php",
        "go", "rs", "cs", "fs", "vb", "c", "cc", "cpp", "swift", "ex", "exs", "feature", "dart",
    ];
    match name.rsplit_once('.') {
        Some((stem, ending)) if ENDINGS.contains(&ending) => stem,
        _ => name,
    }
}
