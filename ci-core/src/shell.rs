//! Words and names for a POSIX shell (POSIX.1-2024, Shell Command Language, section 2.2).

/// `text` in single quotes: one word of a shell that stands for exactly this text.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `text` as people would type it: in quotes only where a shell would take it apart without.
#[must_use]
pub fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+=,".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        quote(text)
    }
}

/// Whether a shell can have a variable of this name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn read_back(word: &str) -> String {
        let script = format!("printf %s {word}");
        let mut shell = std::process::Command::new("sh");
        let out = shell.args(["-c", &script]).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for text in [
            "",
            "a b",
            "it's",
            "$HOME `id` \\ \"x\"",
            "new\nline",
            "-n",
            "~",
            "*",
        ] {
            assert_eq!(read_back(&quote(text)), text);
            assert_eq!(read_back(&word(text)), text);
        }
    }

    #[test]
    fn what_needs_no_quotes_has_none() {
        for text in ["test-1/2", "a.b:c@1.0", "key=value"] {
            assert_eq!(word(text), text);
        }
    }

    #[test]
    fn names_of_variables() {
        for (name, is) in [
            ("A", true),
            ("_1", true),
            ("1A", false),
            ("A.B", false),
            ("", false),
        ] {
            assert_eq!(is_name(name), is, "{name}");
        }
    }
}
