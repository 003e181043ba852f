//! Paths as people write them, as directories of a session and globs below them.

use std::path::Path;

use crate::archive::{ArchiveError, EntryPath, Selector};
use crate::session::{CopyRoot, SessionInfo, TreeSelection};

/// A directory of the session from which files are copied, and which.
#[derive(Debug)]
pub(super) struct Place {
    /// `.` for the working directory, `~` for the home, else absolute: what means the same in another
    /// session.
    pub(super) dir: String,
    exclude: Vec<String>,
    patterns: Vec<Pattern>,
}

/// A path as written, and what it means below the directory of its place.
#[derive(Debug)]
struct Pattern {
    written: String,
    below: String,
    selector: Selector,
    matched: bool,
}

/// Where relative paths start, and what directories have names.
#[derive(Debug, Clone)]
pub(super) struct Base {
    work: String,
    home: String,
    here: String,
}

impl Base {
    /// Relative paths start at `working_dir` of the session, by default at its own.
    pub(super) fn new(info: &SessionInfo, working_dir: Option<&str>) -> Self {
        let here = info.resolve(working_dir.unwrap_or("."));
        Self {
            work: normal(&info.work_dir),
            home: normal(&info.home),
            here: normal(&here),
        }
    }

    /// Paths are relative to `root`, which is the only directory with a name.
    pub(super) fn below(root: &str) -> Self {
        Self {
            work: root.to_owned(),
            home: root.to_owned(),
            here: root.to_owned(),
        }
    }

    /// `path` spelled out from the root.
    pub(super) fn absolute(&self, path: &str) -> String {
        match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                normal(&format!("{}{rest}", self.home))
            }
            _ if path.starts_with('/') => normal(path),
            _ => normal(&format!("{}/{path}", self.here)),
        }
    }

    /// The directory that `path` is copied from, and what is left of it there; empty for all of it.
    fn locate(&self, path: &str) -> (String, String) {
        let path = self.absolute(path);
        let mut named = [(".", &self.work), ("~", &self.home)];
        // One may stand within the other: the nearer one says more.
        named.sort_by_key(|(_, dir)| std::cmp::Reverse(dir.len()));
        for (name, dir) in named {
            if let Some(below) = below(&path, dir) {
                return (name.to_owned(), below.to_owned());
            }
        }
        // From the last directory that is certain: what leads to it may be a link, as `/tmp` is on
        // some systems.
        let literal = path.find(['*', '?', '[', '{']).unwrap_or(path.len());
        match path[..literal].rfind('/') {
            Some(0) | None => ("/".to_owned(), path.trim_start_matches('/').to_owned()),
            Some(cut) => (path[..cut].to_owned(), path[cut + 1..].to_owned()),
        }
    }

    /// The directory of a place, spelled out.
    pub(super) fn spelled(&self, dir: &str) -> String {
        match dir {
            "." => self.work.clone(),
            "~" => self.home.clone(),
            _ => dir.to_owned(),
        }
    }
}

/// Sorts `paths` by the directory that they are copied from, in the order in which the directories
/// come up. A pattern in `exclude` that starts with `**` holds everywhere.
pub(super) fn places(
    base: &Base,
    paths: &[String],
    exclude: &[String],
) -> Result<Vec<Place>, ArchiveError> {
    let mut places: Vec<Place> = Vec::new();
    for written in paths {
        let (dir, below) = base.locate(written);
        let selector = Selector::new(&include(&below), &[])?;
        let pattern = Pattern {
            written: written.clone(),
            below,
            selector,
            matched: false,
        };
        match places.iter_mut().find(|place| place.dir == dir) {
            Some(place) => place.patterns.push(pattern),
            None => places.push(Place {
                dir,
                exclude: Vec::new(),
                patterns: vec![pattern],
            }),
        }
    }
    for place in &mut places {
        let dir = base.spelled(&place.dir);
        let excluded = exclude.iter().filter_map(|pattern| {
            if pattern.starts_with("**") {
                return Some(pattern.clone());
            }
            let path = base.absolute(pattern);
            below(&path, &dir).map(str::to_owned)
        });
        place.exclude = excluded.collect();
        Selector::new(&[], &place.exclude)?;
    }
    Ok(places)
}

impl Place {
    /// What a session is asked for.
    pub(super) fn selection(&self) -> TreeSelection {
        let mut root = CopyRoot::new("", self.dir.as_str());
        if self
            .patterns
            .iter()
            .all(|pattern| !pattern.below.is_empty())
        {
            root.include = self
                .patterns
                .iter()
                .map(|pattern| pattern.below.clone())
                .collect();
        }
        root.exclude.clone_from(&self.exclude);
        TreeSelection::default().root(root)
    }

    /// Takes note of an entry that was copied.
    pub(super) fn saw(&mut self, path: &EntryPath) {
        for pattern in self.patterns.iter_mut().filter(|pattern| !pattern.matched) {
            pattern.matched = pattern.selector.takes(path.as_path());
        }
    }

    /// The paths as written for which nothing was copied.
    pub(super) fn unmatched(&self) -> impl Iterator<Item = &str> {
        let missing = self.patterns.iter().filter(|pattern| !pattern.matched);
        missing.map(|pattern| pattern.written.as_str())
    }

    /// The pattern that took an entry: what of the pattern stands before its first wildcard, relative
    /// to the place.
    pub(super) fn literal_of(&self, path: &Path) -> &str {
        let taker = self
            .patterns
            .iter()
            .find(|pattern| pattern.selector.takes(path));
        let below = taker.map_or("", |pattern| pattern.below.as_str());
        match below.find(['*', '?', '[', '{']) {
            // A file may be called like that.
            Some(_) if Path::new(below) == path => below,
            Some(wildcard) => below[..wildcard].rfind('/').map_or("", |cut| &below[..cut]),
            None => below,
        }
    }
}

fn include(below: &str) -> Vec<String> {
    if below.is_empty() {
        Vec::new()
    } else {
        vec![below.to_owned()]
    }
}

/// What is left of `path` below `dir`.
fn below<'a>(path: &'a str, dir: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(dir.trim_end_matches('/'))?;
    if rest.is_empty() {
        return Some("");
    }
    rest.strip_prefix('/')
}

/// An absolute path without `.` and, before the first wildcard, without `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if !parts.iter().any(|part| part.contains(['*', '?', '[', '{'])) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Base {
        let info = SessionInfo::new("local", "/home/me/project", "/home/me");
        Base::new(&info, None)
    }

    #[test]
    fn paths_belong_to_the_nearest_directory_with_a_name() {
        for (path, dir, below) in [
            ("target", ".", "target"),
            (".", ".", ""),
            ("./a/../b/*.c", ".", "b/*.c"),
            ("/home/me/project/x", ".", "x"),
            ("~/project/x", ".", "x"),
            ("~/.cache/pip", "~", ".cache/pip"),
            ("~", "~", ""),
            ("../other", "~", "other"),
            ("/tmp/results", "/tmp", "results"),
            ("/tmp/results/", "/tmp", "results"),
            ("/tmp/r/*.xml", "/tmp/r", "*.xml"),
            ("/home/menace", "/home", "menace"),
            ("/opt", "/", "opt"),
            ("/", "/", ""),
            ("a/*/../b", ".", "a/*/../b"),
        ] {
            let found = base().locate(path);
            assert_eq!(found, (dir.to_owned(), below.to_owned()), "{path}");
        }
        let info = SessionInfo::new("local", "/w", "/w/home");
        let inner = Base::new(&info, Some("sub"));
        assert_eq!(inner.locate("x"), (".".into(), "sub/x".into()));
        assert_eq!(inner.locate("~/x"), ("~".into(), "x".into()));
    }

    #[test]
    fn places_know_what_they_copy_and_what_was_missing() {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let exclude = words(&["**/*.tmp", "a/secret", "/tmp/x/y"]);
        let paths = words(&["a", "b/*.xml", "/tmp/x"]);
        let mut places = places(&base(), &paths, &exclude).unwrap();
        assert_eq!(places.len(), 2);
        assert_eq!(places[0].exclude, ["**/*.tmp", "a/secret"]);
        assert_eq!(places[1].exclude, ["**/*.tmp", "x/y"]);
        assert_eq!(places[0].selection().roots[0].include, ["a", "b/*.xml"]);
        assert_eq!(places[0].literal_of(Path::new("a/b/c")), "a");
        assert_eq!(places[0].literal_of(Path::new("b/t.xml")), "b");
        let copied = crate::archive::raw::archive(&[crate::archive::raw::file("b/t.xml", "")]);
        let limits = crate::archive::Limits::default();
        crate::archive::read_entries(&*copied, &limits, |entry| {
            places[0].saw(&entry.path);
            Ok(())
        })
        .unwrap();
        assert_eq!(places[0].unmatched().collect::<Vec<_>>(), ["a"]);
    }
}
