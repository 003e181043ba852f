//! Commands that are printed to be typed next. They carry the options that say where runs are kept.

use std::path::Path;

use crate::args::Global;

impl Global {
    /// The program with the options that say where runs are kept, as a shell takes them.
    pub(crate) fn program(&self) -> String {
        let options = [
            ("--store", &self.store, "CI_STORE"),
            ("--storage", &self.storage, "CI_STORAGE"),
        ];
        let mut words = vec!["ci".to_owned()];
        for (name, path, variable) in options {
            let Some(path) = path else { continue };
            // What the environment says, it says to the next command too.
            if std::env::var_os(variable).is_none_or(|said| said != path.as_os_str()) {
                words.extend([name.to_owned(), quoted(path)]);
            }
        }
        words.join(" ")
    }

    /// A text whose commands carry these options.
    pub(crate) fn typed(&self, text: &str) -> String {
        typed(text, &self.program())
    }
}

/// A text in which `program` stands in the place of the program's name in commands.
pub(crate) fn typed(text: &str, program: &str) -> String {
    text.replace("`ci ", &format!("`{program} "))
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+=,".contains(letter);
    if !path.is_empty() && path.chars().all(is_plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}
