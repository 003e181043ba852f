//! The coverage that the output of a job states, found by a pattern while the output goes by.

use std::sync::{Mutex, PoisonError};

use regex::{Regex, RegexBuilder};

use crate::session::{OutputChunk, Stream};

/// A line is looked at so far.
const LONGEST_LINE: usize = 16 * 1024;

/// Reads the output of a job, and remembers the last percentage that it found.
#[derive(Debug)]
pub(super) struct Stated {
    pattern: Regex,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The step that wrote the lines.
    step: u32,
    /// A line of each stream that has not ended.
    lines: [Vec<u8>; 3],
    /// The step and the percentage.
    found: Option<(u32, f64)>,
}

impl State {
    /// Looks at the line of a stream, and begins a new one.
    fn end_line(&mut self, pattern: &Regex, stream: usize) {
        let line = String::from_utf8_lossy(&self.lines[stream]);
        if let Some(percent) = percent(pattern, line.trim_end()) {
            self.found = Some((self.step, percent));
        }
        self.lines[stream].clear();
    }

    fn end_lines(&mut self, pattern: &Regex) {
        for stream in 0..self.lines.len() {
            if !self.lines[stream].is_empty() {
                self.end_line(pattern, stream);
            }
        }
    }
}

impl Stated {
    /// A pattern `/…/` with flags behind it, or a bare one; in words what is wrong with it.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let (text, flags) = match pattern.strip_prefix('/').and_then(|it| it.rsplit_once('/')) {
            Some((text, flags)) => (text, flags),
            None => (pattern, ""),
        };
        let pattern = RegexBuilder::new(text)
            .case_insensitive(flags.contains('i'))
            .dot_matches_new_line(flags.contains('s'))
            .multi_line(flags.contains('m'))
            .build()
            .map_err(|error| format!("the coverage pattern `{pattern}` cannot be used: {error}"))?;
        Ok(Self {
            pattern,
            state: Mutex::default(),
        })
    }

    /// Reads what a step wrote.
    pub(super) fn read(&self, step: u32, chunk: &OutputChunk) {
        if chunk.stream == Stream::Engine {
            return;
        }
        let state = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.step != step {
            state.end_lines(&self.pattern);
            state.step = step;
        }
        let stream = chunk.stream as usize;
        for piece in chunk.bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = &mut state.lines[stream];
            let room = LONGEST_LINE.saturating_sub(line.len());
            line.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                state.end_line(&self.pattern, stream);
            }
        }
    }

    /// The step and the percentage of the last line that matched. What is read later begins new lines.
    pub(super) fn found(&self) -> Option<(u32, f64)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.end_lines(&self.pattern);
        state.found
    }
}

/// The first number of the match, or of its last group that is not empty.
fn percent(pattern: &Regex, line: &str) -> Option<f64> {
    let found = pattern.captures_iter(line).last()?;
    let groups = found.iter().skip(1).flatten();
    let group = groups.filter(|group| !group.as_str().trim().is_empty());
    let text = group.last().or(found.get(0))?.as_str();
    let from = text.find(|letter: char| letter.is_ascii_digit())?;
    let rest = &text[from..];
    let mut dots = 0;
    let end = rest.find(|letter: char| {
        dots += u32::from(letter == '.');
        !(letter.is_ascii_digit() || letter == '.' && dots == 1)
    });
    let number = &rest[..end.unwrap_or(rest.len())];
    let percent: f64 = number.trim_end_matches('.').parse().ok()?;
    percent.is_finite().then_some(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn found(pattern: &str, pieces: &[&str]) -> Option<f64> {
        let stated = Stated::new(pattern).unwrap();
        for piece in pieces {
            let chunk = OutputChunk {
                stream: Stream::Stdout,
                time: Timestamp::default(),
                bytes: piece.as_bytes().to_vec().into(),
            };
            stated.read(2, &chunk);
        }
        stated.found().map(|(_, percent)| percent)
    }

    #[test]
    fn the_last_line_and_the_last_group_count() {
        for (pattern, pieces, expected) in [
            (
                r"/Lines:\s*(\d+.\d+)\%/",
                &["Lines: 1.5%\nLin", "es: 78.46% (510/650)\nx"][..],
                Some(78.46),
            ),
            (
                r"/All files.*?\|.*?\|.*?([\d\.]+)/",
                &["All files | 99.3 |  97.91 |"],
                Some(97.91),
            ),
            (
                r"/(?i)total.*? (100(?:\.0+)?\%|[1-9]?\d(?:\.\d+)?\%)$/",
                &["TOTAL  18  0  100%"],
                Some(100.0),
            ),
            (r"/total: \d+/i", &["TOTAL: 12.5.3"], Some(12.0)),
            (r"\d+%", &["nothing"], None),
        ] {
            assert_eq!(found(pattern, pieces), expected, "{pattern}");
        }
        assert!(Stated::new("/(/").is_err());
    }
}
