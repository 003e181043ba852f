//! Commands that are printed to be typed next. They carry the options that say where runs are kept.

use ci_core::shell::word;

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
                words.extend([name.to_owned(), word(&path.to_string_lossy())]);
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
