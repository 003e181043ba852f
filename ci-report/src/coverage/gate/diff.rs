//! Which lines a change touches, out of the text of `git diff`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The lines that a change adds or alters: ranges of line numbers by path.
pub type ChangedLines = BTreeMap<String, Vec<RangeInclusive<u32>>>;

/// Reads the output of `git diff`, with or without context (`-U0` is the shortest).
///
/// Files that are only removed, renamed or made executable change no line. Text that is no diff changes
/// none either.
pub fn parse_diff(diff: &str) -> ChangedLines {
    let mut changed = ChangedLines::new();
    let mut reader = Reader::default();
    for line in diff.lines() {
        reader.line(line, &mut changed);
    }
    for ranges in changed.values_mut() {
        join(ranges);
    }
    changed
}

#[derive(Default)]
struct Reader {
    path: Option<String>,
    /// Lines of the hunk that are still to come: of the old and of the new file.
    old_left: u32,
    new_left: u32,
    /// The number of the next line of the new file.
    at: u32,
}

impl Reader {
    fn line(&mut self, line: &str, changed: &mut ChangedLines) {
        // Within a hunk `+++ x` is an added line, so what is left to come decides, not the text.
        if self.old_left > 0 || self.new_left > 0 {
            return self.content(line, changed);
        }
        if let Some(path) = line.strip_prefix("+++ ") {
            self.path = path_of(path);
        } else if line.starts_with("diff ") {
            self.path = None;
        } else if let Some((old, new)) = hunk(line) {
            (self.old_left, (self.at, self.new_left)) = (old, new);
        }
    }

    fn content(&mut self, line: &str, changed: &mut ChangedLines) {
        match line.as_bytes().first() {
            Some(b'+') => {
                if let Some(path) = &self.path {
                    let ranges = changed.entry(path.clone()).or_default();
                    ranges.push(self.at..=self.at);
                    join_last(ranges);
                }
                self.next_new();
            }
            Some(b'-') => self.old_left = self.old_left.saturating_sub(1),
            // "\ No newline at end of file" is no line.
            Some(b'\\') => {}
            _ => {
                self.old_left = self.old_left.saturating_sub(1);
                self.next_new();
            }
        }
    }

    fn next_new(&mut self) {
        self.at = self.at.saturating_add(1);
        self.new_left = self.new_left.saturating_sub(1);
    }
}

/// The path of the new file: without `b/` or the letters of other prefixes, quotes and a tab behind.
fn path_of(text: &str) -> Option<String> {
    let text = text.split('\t').next().unwrap_or_default();
    if text == "/dev/null" {
        return None;
    }
    let path = match text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        Some(quoted) => unquote(quoted),
        None => text.to_owned(),
    };
    let prefixes = ["b/", "w/", "i/", "c/", "o/"];
    let plain = prefixes.iter().find_map(|prefix| path.strip_prefix(prefix));
    Some(plain.map_or(path.clone(), str::to_owned))
}

/// Undoes the quotes that git puts around odd paths: `\"`, `\\`, `\n`, `\t` and octal bytes.
fn unquote(quoted: &str) -> String {
    let mut bytes = Vec::with_capacity(quoted.len());
    let mut rest = quoted.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'r') => bytes.push(b'\r'),
            Some(first @ b'0'..=b'3') => {
                let mut digit = || rest.next().map_or(0, |digit| digit.wrapping_sub(b'0') & 7);
                let (second, third) = (digit(), digit());
                bytes.push(((first - b'0') << 6) | (second << 3) | third);
            }
            Some(other) => bytes.push(other),
            None => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `@@ -12,3 +14,2 @@`: how many old lines, and where the new ones begin and how many they are.
fn hunk(line: &str) -> Option<(u32, (u32, u32))> {
    let (old, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let range = |text: &str| -> Option<(u32, u32)> {
        match text.split_once(',') {
            Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
            None => Some((text.parse().ok()?, 1)),
        }
    };
    Some((range(old)?.1, range(new)?))
}

/// Joins the last range with the one before when they touch.
fn join_last(ranges: &mut Vec<RangeInclusive<u32>>) {
    if let [.., before, last] = ranges.as_mut_slice()
        && before.end().checked_add(1) == Some(*last.start())
    {
        *before = *before.start()..=*last.end();
        ranges.pop();
    }
}

/// Brings ranges into their order and joins those that touch.
fn join(ranges: &mut Vec<RangeInclusive<u32>>) {
    ranges.sort_by_key(|range| (*range.start(), *range.end()));
    ranges.dedup_by(|later, first| {
        let touches = *later.start() <= first.end().saturating_add(1);
        if touches {
            *first = *first.start()..=*first.end().max(later.end());
        }
        touches
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_and_altered_lines_are_found() {
        let diff = "diff --git a/src/a.rs b/src/a.rs\nindex 1..2 100644\n--- a/src/a.rs\n+++ b/src/a.rs\n\
            @@ -3 +3,2 @@ fn a() {\n-old\n+new\n+++ b/trick\n@@ -9,2 +10,0 @@\n-x\n-y\n\
            @@ -20,3 +18,4 @@\n same\n+one\n same\n same\n\\ No newline at end of file\n\
            diff --git a/gone b/gone\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
            diff --git \"a/\\303\\244.c\" \"b/\\303\\244.c\"\n--- /dev/null\n+++ \"b/\\303\\244.c\"\n@@ -0,0 +1,2 @@\n+a\n+b\n";
        let changed = parse_diff(diff);
        let expected = [
            ("src/a.rs".to_owned(), vec![3..=4, 19..=19]),
            ("ä.c".to_owned(), vec![1..=2]),
        ];
        assert_eq!(changed.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn text_that_is_no_diff_changes_nothing() {
        for text in [
            "",
            "@@ -x +y @@",
            "+++ b/a\n+x",
            "@@ -1 +1 @@\n+x",
            "\u{0}\n@@",
        ] {
            assert!(parse_diff(text).is_empty(), "{text:?}");
        }
    }
}
