//! Lines in a test's output that name its attachments and properties.
//!
//! `[[ATTACHMENT|path]]` is what the JUnit attachments plugin of Jenkins reads;
//! `[[PROPERTY|name=value]]` is its sibling.

use super::{Case, Property};

/// Bytes of a line that are looked at.
const LONGEST: usize = 4096;

/// Things of one sort that one case or suite may have.
pub(super) const MOST: usize = 1000;

/// Looks for marker lines in output that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Markers {
    line: String,
    /// The line is none, until the next one begins.
    passed: bool,
}

impl Markers {
    pub(super) fn push(&mut self, text: &str, case: &mut Case) {
        let mut rest = text;
        loop {
            let end = memchr::memchr(b'\n', rest.as_bytes());
            let part = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            self.part(part);
            let Some(end) = end else { return };
            self.end(case);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }

    fn part(&mut self, part: &str) {
        if self.passed {
            return;
        }
        let part = if self.line.is_empty() {
            part.trim_ascii_start()
        } else {
            part
        };
        if self.line.len() + part.len() > LONGEST {
            self.passed = true;
            return;
        }
        self.line.push_str(part);
        let length = self.line.len().min(2);
        self.passed = self.line.get(..length) != "[[".get(..length);
    }

    /// Ends the last line.
    pub(super) fn end(&mut self, case: &mut Case) {
        let inside = self.line.trim_ascii_end().strip_prefix("[[");
        if !self.passed
            && let Some(inside) = inside.and_then(|line| line.strip_suffix("]]"))
        {
            if let Some(path) = inside.strip_prefix("ATTACHMENT|")
                && case.attachments.len() < MOST
            {
                case.attachments.push(path.to_owned());
            } else if let Some(property) = inside.strip_prefix("PROPERTY|")
                && case.properties.len() < MOST
            {
                let (name, value) = property.split_once('=').unwrap_or((property, ""));
                case.properties.push(Property::new(name, value));
            }
        }
        self.line.clear();
        self.passed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_however_the_text_is_cut() {
        let text = "hello\n [[ATTACHMENT|/tmp/a.png]] \n[[PROPERTY|k=v=w]]\nx [[ATTACHMENT|no]]\n\
                    [[ATTACHMENT|b]]";
        for size in [1, 3, 7, 1000] {
            let (mut markers, mut case) = (Markers::default(), Case::default());
            for piece in text.as_bytes().chunks(size) {
                markers.push(std::str::from_utf8(piece).unwrap(), &mut case);
            }
            markers.end(&mut case);
            assert_eq!(case.attachments, ["/tmp/a.png", "b"]);
            assert_eq!(case.properties, [Property::new("k", "v=w")]);
        }
    }
}
