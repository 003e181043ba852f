//! From the paths in a report to those of the sources.
//!
//! A report is written on another machine, in another directory, below another operating system or
//! with the name of a module instead of a directory. A [`PathMap`] makes its paths relative to the
//! sources, with `/` between their parts. It looks at no disk: the caller says which files there are,
//! where it knows them.

use super::Join;
use super::model::Coverage;

/// How paths of reports become those of the sources.
///
/// In this order: `\` becomes `/` where a path is one of Windows; the longest of the
/// [prefixes](Self::prefix) that fits is replaced; a path below one of the [roots](Self::root) is made
/// relative to it; `.` and `..` are resolved. Where the [known files](Self::known) are given, a path
/// that is none of them is looked for below the roots that the report names, and as the end of a
/// known path, if it is that of one alone.
#[derive(Debug, Clone, Default)]
pub struct PathMap {
    prefixes: Vec<(String, String)>,
    roots: Vec<String>,
    known: Vec<String>,
}

impl PathMap {
    /// Paths stay as they are, but for `\`, `.` and `..`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `to` in place of the directory `from` at the start of a path. An empty `to` takes it away.
    #[must_use]
    pub fn prefix(mut self, from: &str, to: &str) -> Self {
        let to = slashes(to);
        self.prefixes.push((
            normalize(&slashes(from)),
            to.trim_end_matches('/').to_owned(),
        ));
        // The longest first, so that a directory within another one can go elsewhere.
        self.prefixes
            .sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        self
    }

    /// Puts the directory `directory` in place of the Go module `module` (the name in its `go.mod`);
    /// an empty one when the module is at the root of the sources.
    #[must_use]
    pub fn go_module(self, module: &str, directory: &str) -> Self {
        self.prefix(module, directory)
    }

    /// Makes paths below the directory `root` relative to it.
    #[must_use]
    pub fn root(mut self, root: &str) -> Self {
        self.roots.push(normalize(&slashes(root)));
        self.roots
            .sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self
    }

    /// The files that there are, relative to the root of the sources.
    #[must_use]
    pub fn known<S: Into<String>>(mut self, files: impl IntoIterator<Item = S>) -> Self {
        self.known.extend(
            files
                .into_iter()
                .map(|file| normalize(&slashes(&file.into()))),
        );
        // Sorted by their reverse, those with the same end stand together.
        self.known
            .sort_by(|a, b| a.bytes().rev().cmp(b.bytes().rev()));
        self.known.dedup();
        self
    }

    /// The path of the sources for `path`, which stands in a report that names the roots `roots`.
    pub fn resolve<'a>(&self, path: &str, roots: impl IntoIterator<Item = &'a str>) -> String {
        let plain = self.rewrite(path);
        if self.known.is_empty() || self.is_known(&plain) {
            return plain;
        }
        for root in roots {
            let joined = format!("{}/{path}", slashes(root).trim_end_matches('/'));
            let joined = self.rewrite(&joined);
            if self.is_known(&joined) {
                return joined;
            }
        }
        self.by_end(&plain).unwrap_or(plain)
    }

    /// Gives every file of `coverage` its path of the sources. Files that turn out to be the same are
    /// merged; their counts join as `join` says.
    #[must_use]
    pub fn apply(&self, coverage: Coverage, join: Join) -> Coverage {
        let Coverage { files, roots } = coverage;
        let mut mapped = Coverage::new();
        for (path, file) in files {
            let path = self.resolve(&path, roots.iter().map(|root| &**root));
            mapped.add_file(path.into(), file, join);
        }
        mapped.roots = roots;
        mapped
    }

    fn rewrite(&self, path: &str) -> String {
        let path = normalize(&slashes(path));
        for (from, to) in &self.prefixes {
            if let Some(rest) = below(&path, from) {
                let is_rooted = to.is_empty() || rest.is_empty();
                let path = if is_rooted {
                    format!("{to}{rest}")
                } else {
                    format!("{to}/{rest}")
                };
                return self.relative(normalize(&path));
            }
        }
        self.relative(path)
    }

    fn relative(&self, path: String) -> String {
        let rest = self.roots.iter().find_map(|root| below(&path, root));
        match rest.filter(|rest| !rest.is_empty()) {
            Some(rest) => rest.to_owned(),
            None => path,
        }
    }

    fn is_known(&self, path: &str) -> bool {
        let order = |known: &String| known.bytes().rev().cmp(path.bytes().rev());
        self.known.binary_search_by(order).is_ok()
    }

    /// The one known file whose path ends with as many of the last parts of `path` as any does.
    fn by_end(&self, path: &str) -> Option<String> {
        let mut end = path.trim_start_matches('/');
        loop {
            let order = |known: &String| known.bytes().rev().cmp(end.bytes().rev());
            let from = self.known.partition_point(|known| order(known).is_lt());
            let mut fitting = self.known[from..]
                .iter()
                .take_while(|known| known.ends_with(end))
                .filter(|known| {
                    let before = known.len() - end.len();
                    before == 0 || known.as_bytes()[before - 1] == b'/'
                });
            if let Some(found) = fitting.next() {
                let is_alone = fitting.next().is_none();
                return is_alone.then(|| found.clone());
            }
            end = end.split_once('/')?.1;
        }
    }
}

/// What stands behind the directory `directory` in `path`. Drive letters match in either case.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    let directory = directory.trim_end_matches('/');
    let start = path.get(..directory.len())?;
    let is_drive = |text: &str| text.as_bytes().get(1) == Some(&b':');
    let same = start == directory
        || (is_drive(start)
            && start[..1].eq_ignore_ascii_case(directory.get(..1)?)
            && start[1..] == directory[1..]);
    let rest = &path[directory.len()..];
    if !same || !(rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    Some(rest.trim_start_matches('/'))
}

/// `\` as `/`, where the path is one of Windows: with a drive, or without any `/`.
fn slashes(path: &str) -> String {
    let bytes = path.as_bytes();
    let has_drive = bytes.get(1) == Some(&b':') && bytes[0].is_ascii_alphabetic();
    if has_drive || path.starts_with("\\\\") || !path.contains('/') {
        path.replace('\\', "/")
    } else {
        path.to_owned()
    }
}

/// Resolves `.`, `..` and doubled slashes in the text alone.
fn normalize(path: &str) -> String {
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if is_absolute {
        format!("/{joined}")
    } else {
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(map: &PathMap, path: &str, expected: &str) {
        assert_eq!(
            map.resolve(path, ["/src/lib", "C:\\agent\\src"]),
            expected,
            "`{path}`"
        );
    }

    #[test]
    fn paths_of_other_machines_become_those_of_the_sources() {
        let map = PathMap::new()
            .root("/builds/project")
            .root("c:\\agent\\src")
            .prefix("example.com/me/tool", "")
            .prefix("example.com/me/tool/sub", "modules/sub");
        check(&map, "/builds/project/src/./a.rs", "src/a.rs");
        check(&map, "C:\\agent\\src\\lib\\a.cs", "lib/a.cs");
        check(&map, "lib\\a.cs", "lib/a.cs");
        check(&map, "example.com/me/tool/cmd/main.go", "cmd/main.go");
        check(&map, "example.com/me/tool/sub/x.go", "modules/sub/x.go");
        check(
            &map,
            "example.com/me/toolbox/x.go",
            "example.com/me/toolbox/x.go",
        );
        check(&map, "a/../b/c.rs", "b/c.rs");
        check(&map, "../c.rs", "../c.rs");
        check(&map, "odd\\name/with slash", "odd\\name/with slash");
    }

    #[test]
    fn known_files_settle_what_a_path_means() {
        let map = PathMap::new().root("/src").known([
            "lib/a.py",
            "app/src/main/java/com/me/A.java",
            "x/same.c",
            "y/same.c",
        ]);
        check(&map, "a.py", "lib/a.py");
        check(&map, "com/me/A.java", "app/src/main/java/com/me/A.java");
        check(&map, "/elsewhere/x/same.c", "x/same.c");
        check(&map, "same.c", "same.c");
        check(&map, "unknown.c", "unknown.c");
        check(&map, "ib/a.py", "lib/a.py");
    }
}
