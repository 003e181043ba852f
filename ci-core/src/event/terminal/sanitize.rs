//! A filter that takes from a line what could do more to a terminal than show text.

use std::iter::Peekable;
use std::str::Chars;

/// Makes lines of output safe to show: colours stay if they are wanted, every other escape sequence
/// and control character goes. Cursor movement, titles, links, clipboard access and answers that the
/// terminal would type for the user are so out of the reach of a program whose output is shown.
///
/// Of a line that was written over with carriage returns, the last state is shown. A colour goes on
/// in the next line as it does on a terminal, and never past the end of a shown line.
///
/// The grammar of the sequences is that of ECMA-48, with the string forms ended by BEL as well.
///
/// ```
/// use ci_core::event::Sanitizer;
///
/// let mut filter = Sanitizer::new(false);
/// assert_eq!(filter.line("10%\r\u{1b}[2K\u{1b}[32m100%\u{1b}]0;title\u{7}"), "100%");
/// ```
#[derive(Debug, Clone)]
pub struct Sanitizer {
    color: bool,
    /// The colour sequences in force, as written.
    active: String,
}

/// Longer colour sequences than this are no honest ones.
const LONGEST_COLOR: usize = 64;
/// How much of the sequences in force is kept.
const LONGEST_ACTIVE: usize = 128;

impl Sanitizer {
    /// Lets colours through if `color`.
    #[must_use]
    pub fn new(color: bool) -> Self {
        Self {
            color,
            active: String::new(),
        }
    }

    /// The safe form of a line. What ends the line may be there and goes.
    #[must_use]
    pub fn line(&mut self, raw: &str) -> String {
        let raw = raw.trim_end_matches(['\r', '\n']);
        let mut shown = self.active.clone();
        let mut visible = false;
        let mut chars = raw.chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '\r' => {
                    shown.clone_from(&self.active);
                    visible = false;
                }
                '\u{1b}' => self.escape(&mut chars, &mut shown),
                '\u{9b}' => self.control_sequence(&mut chars, &mut shown),
                '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
                '\t' => {
                    shown.push('\t');
                    visible = true;
                }
                char if char.is_control() => {}
                char => {
                    shown.push(char);
                    visible = true;
                }
            }
        }
        if !visible {
            return String::new();
        }
        if !self.active.is_empty() {
            shown.push_str("\u{1b}[0m");
        }
        shown
    }

    fn escape(&mut self, chars: &mut Peekable<Chars<'_>>, shown: &mut String) {
        match chars.peek() {
            Some('[') => {
                chars.next();
                self.control_sequence(chars, shown);
            }
            Some(']' | 'P' | 'X' | '^' | '_') => {
                chars.next();
                skip_string(chars);
            }
            _ => {
                while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
                chars.next_if(|c| ('0'..='~').contains(c));
            }
        }
    }

    /// What follows CSI: parameters and one final letter. Only `m`, which sets colours, may stay.
    fn control_sequence(&mut self, chars: &mut Peekable<Chars<'_>>, shown: &mut String) {
        let mut parameters = String::new();
        while let Some(char) = chars.next_if(|c| (' '..='?').contains(c)) {
            if parameters.len() <= LONGEST_COLOR {
                parameters.push(char);
            }
        }
        // A control character or a letter beyond ASCII breaks the sequence off, and stands for itself.
        let end = chars.next_if(|c| ('@'..='~').contains(c));
        let honest = parameters.len() <= LONGEST_COLOR
            && parameters
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, ';' | ':'));
        if end != Some('m') || !honest || !self.color {
            return;
        }
        let sequence = format!("\u{1b}[{parameters}m");
        shown.push_str(&sequence);
        if parameters.chars().all(|c| matches!(c, '0' | ';')) {
            self.active.clear();
            return;
        }
        if parameters.starts_with("0;") || self.active.len() + sequence.len() > LONGEST_ACTIVE {
            self.active.clear();
        }
        self.active.push_str(&sequence);
    }
}

/// Skips the text of an OSC, DCS, SOS, PM or APC up to its end.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(char) = chars.next() {
        match char {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' if chars.next_if_eq(&'\\').is_some() => return,
            _ => {}
        }
    }
}

/// A name, a prompt or a message as one plain line.
pub(crate) fn one_line(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_owned();
    }
    let spaced = text.trim_end().replace(['\n', '\r', '\t'], " ");
    Sanitizer::new(false).line(&spaced)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(raw: &str) -> String {
        Sanitizer::new(false).line(raw)
    }

    fn colored(raw: &str) -> String {
        Sanitizer::new(true).line(raw)
    }

    #[test]
    fn hostile_sequences_leave_only_text() {
        let hostile = [
            ("a\u{1b}[2Jb", "ab"),
            ("a\u{1b}[10;10Hb\u{1b}[1A", "ab"),
            ("a\u{1b}]0;owned\u{7}b", "ab"),
            ("a\u{1b}]52;c;cm0gLXJm\u{1b}\\b", "ab"),
            ("a\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "alink"),
            ("a\u{1b}P$qm\u{1b}\\b", "ab"),
            ("a\u{1b}_apc\u{9c}b", "ab"),
            ("a\u{9b}5nb\u{9d}0;t\u{7}c", "abc"),
            ("a\u{1b}cb\u{1b}(0c\u{1b}#8d", "abcd"),
            ("a\u{1b}[?1049hb\u{1b}[>cc", "abc"),
            ("a\u{7}\u{8}\u{8}b\u{0}\u{7f}\u{85}c", "abc"),
            ("a\u{1b}]0;never ended", "a"),
            ("a\u{1b}", "a"),
            ("a\u{1b}[31", "a"),
            ("a\u{1b}[3\u{1b}[2Jb", "ab"),
            ("a\u{1b}\u{1b}[2Jb", "ab"),
            ("tab\tkept", "tab\tkept"),
        ];
        for (raw, text) in hostile {
            assert_eq!(plain(raw), text, "{raw:?}");
            assert_eq!(colored(raw), text, "{raw:?} in colour");
        }
    }

    #[test]
    fn colours_stay_where_they_are_wanted() {
        let raw = "\u{1b}[1;31merror\u{1b}[0m: \u{1b}[38:5:208mx";
        assert_eq!(plain(raw), "error: x");
        assert_eq!(colored(raw), format!("{raw}\u{1b}[0m"));
        assert_eq!(
            colored("\u{1b}[>4;1mx\u{1b}[?25my"),
            "xy",
            "private forms of m are no colours"
        );
    }

    #[test]
    fn a_colour_goes_on_in_the_next_line_only() {
        let mut filter = Sanitizer::new(true);
        assert_eq!(filter.line("\u{1b}[32mone"), "\u{1b}[32mone\u{1b}[0m");
        assert_eq!(filter.line("two\u{1b}[m"), "\u{1b}[32mtwo\u{1b}[m");
        assert_eq!(filter.line("three"), "three");
        for _ in 0..1000 {
            let _ = filter.line("\u{1b}[1mx\u{1b}[4m");
        }
        assert!(filter.active.len() <= LONGEST_ACTIVE);
    }

    #[test]
    fn the_last_state_of_a_line_is_shown() {
        assert_eq!(plain("10%\r50%\r100%"), "100%");
        assert_eq!(plain("50%\r"), "50%");
        assert_eq!(plain("ends like a DOS file\r\n"), "ends like a DOS file");
        assert_eq!(plain("spinner\r\u{1b}[K"), "");
        assert_eq!(colored("\u{1b}[32m1\r2"), "\u{1b}[32m2\u{1b}[0m");
    }

    #[test]
    fn names_become_one_plain_line() {
        assert_eq!(one_line("ship\nit?\u{1b}[2J\n"), "ship it?");
    }

    proptest! {
        #[test]
        fn nothing_but_text_and_colours_comes_out(raw in any_text(), color: bool) {
            let safe = Sanitizer::new(color).line(&raw);
            let without_color = regex::Regex::new("\u{1b}\\[[0-9;:]*m").unwrap().replace_all(&safe, "");
            prop_assert!(!without_color.chars().any(|c| c.is_control() && c != '\t'), "{safe:?}");
            prop_assert!(color || without_color == safe);
            let last = safe.rsplit_once('\u{1b}').map_or("[m", |(_, end)| end);
            let last = last.split('m').next().unwrap();
            prop_assert!(last.chars().all(|c| "[0;".contains(c)), "a colour leaks: {safe:?}");
        }

        #[test]
        fn a_filtered_line_is_left_alone(raw in any_text()) {
            let once = plain(&raw);
            prop_assert_eq!(plain(&once), once);
        }
    }

    fn any_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("\u{1b}".to_owned()),
            Just("\u{1b}[".to_owned()),
            Just("\u{1b}]".to_owned()),
            "[\\[\\];:?mHJK0-9a-z \r\t\u{7}\u{9b}\u{9c}\u{9d}\\\\]{0,8}",
            any::<String>(),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }
}
