//! What to run, and how it ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A command for a [`Session`](super::Session): a program with its environment and directory.
/// Standard input is always closed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// What runs.
    pub program: Program,
    /// Variables added to the session's environment.
    pub env: BTreeMap<String, String>,
    /// The directory, absolute or relative to the session's working directory; `~` is its home.
    pub dir: Option<String>,
    /// The image of a container of its own, beside the job's, that shares its working directory and its
    /// network. Sessions that are no containers refuse it.
    pub image: Option<String>,
}

/// The words of a shell that is `bash` where there is one and else `sh`, as vendors' runners choose. They
/// find out by themselves, so that a session need not know of them; one that can tell without starting a
/// process may.
pub const BASH_OR_SH: [&str; 3] = [
    "sh",
    "-c",
    "if command -v bash >/dev/null 2>&1; then exec bash -c \"$0\"; else exec sh -c \"$0\"; fi",
];

/// A shell script or a program with arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Program {
    /// `script` handed to a shell: the words of `shell` and then the script as the last argument.
    Shell {
        /// The shell and its options, such as `["bash", "-eo", "pipefail", "-c"]`.
        shell: Vec<String>,
        /// The script.
        script: String,
    },
    /// A program and its arguments, with no shell between.
    Argv(Vec<String>),
}

impl Command {
    /// `script` run by the session's `sh` with `-e`: it ends at the first command that fails.
    #[must_use]
    pub fn sh(script: impl Into<String>) -> Self {
        Self::shell(["sh", "-e", "-c"], script)
    }

    /// `script` run by `shell`, given as its words.
    #[must_use]
    pub fn shell<S: Into<String>>(
        shell: impl IntoIterator<Item = S>,
        script: impl Into<String>,
    ) -> Self {
        Self::new(Program::Shell {
            shell: shell.into_iter().map(Into::into).collect(),
            script: script.into(),
        })
    }

    /// A program and its arguments.
    #[must_use]
    pub fn argv<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self::new(Program::Argv(words.into_iter().map(Into::into).collect()))
    }

    fn new(program: Program) -> Self {
        Self {
            program,
            env: BTreeMap::new(),
            dir: None,
            image: None,
        }
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets the directory.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<String>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The words to execute.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        match &self.program {
            Program::Shell { shell, script } => shell
                .iter()
                .map(String::as_str)
                .chain([script.as_str()])
                .collect(),
            Program::Argv(words) => words.iter().map(String::as_str).collect(),
        }
    }
}

/// How a command ended. A lost link or a machine that went away is no exit status but an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExitStatus {
    /// It ended by itself with this code.
    Code(i32),
    /// The signal of this number ended it.
    Signal(i32),
    /// The machine had no more memory for it.
    OutOfMemory,
    /// It was stopped because the token it was given was canceled.
    Stopped,
}

impl ExitStatus {
    /// The end of a command of which only a shell's word is known, as in a container or behind a
    /// remote shell: `128 + n` stands for the signal `n` (POSIX shell, 2.8.2). What exits with such a
    /// code itself cannot be told from it, so only the signals of POSIX, 1 to 31, count.
    #[must_use]
    pub fn from_shell_code(code: i32) -> Self {
        match code {
            129..=159 => Self::Signal(code - 128),
            _ => Self::Code(code),
        }
    }

    /// The exit code that a shell gives to a command that ended like this: `128 + n` for the signal
    /// `n`, that of `SIGKILL` where memory ran out. None for a command that was stopped.
    #[must_use]
    pub fn shell_code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(number) => Some(128 + number),
            Self::OutOfMemory => Some(137),
            Self::Stopped => None,
        }
    }

    /// Whether the code is zero.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_tells_signals_as_codes() {
        for (code, status) in [
            (0, ExitStatus::Code(0)),
            (127, ExitStatus::Code(127)),
            (128, ExitStatus::Code(128)),
            (129, ExitStatus::Signal(1)),
            (137, ExitStatus::Signal(9)),
            (159, ExitStatus::Signal(31)),
            (160, ExitStatus::Code(160)),
            (255, ExitStatus::Code(255)),
        ] {
            assert_eq!(ExitStatus::from_shell_code(code), status);
            assert_eq!(status.shell_code(), Some(code));
        }
        assert_eq!(ExitStatus::OutOfMemory.shell_code(), Some(137));
        assert_eq!(ExitStatus::Stopped.shell_code(), None);
    }
}
