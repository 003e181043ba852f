//! What the first process of a container is told, in the words of a shell: pure text.

use std::fmt::Write as _;

use ci_core::shell::quote;

use crate::script;

/// Names that a shell has for itself: it does not take them, or changes them by its own work.
const OF_SHELLS: [&str; 27] = [
    "_",
    "BASHOPTS",
    "BASHPID",
    "BASH_VERSINFO",
    "DIRSTACK",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "ERRNO",
    "EUID",
    "FUNCNAME",
    "FUNCNEST",
    "GROUPS",
    "HISTCMD",
    "IFS",
    "LINENO",
    "OLDPWD",
    "OPTARG",
    "OPTIND",
    "POSIXLY_CORRECT",
    "PPID",
    "PWD",
    "RANDOM",
    "SECONDS",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "UID",
];

/// A command that the first process starts.
#[derive(Debug)]
pub(crate) struct ToRun<'a> {
    /// The words after those of [`script::BEGIN`]: number, directory, command.
    pub(crate) words: &'a [String],
    /// As `NAME=value`, all of which [`can_export`].
    pub(crate) env: &'a [String],
}

/// Whether a shell hands on a variable of this name as it is.
pub(crate) fn can_export(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("_ci_")
        && !OF_SHELLS.contains(&name)
}

/// A mark as it comes over the wire. It begins with a byte that output hardly has, so that little is
/// held back, and ends before what it says.
pub(super) fn mark(nonce: &str, number: u64) -> String {
    format!("\u{1e}ci-core-{nonce}-{number}=")
}

/// The words that print a mark and after it `say` on standard output, and the mark alone on the other.
fn print(mark: &str, say: &str) -> String {
    let mark = mark.trim_start_matches('\u{1e}');
    // Both streams are carried apart from each other: each tells where it ends.
    format!("printf '\\036{mark}.' >&2\nprintf '\\036{mark}%s.' \"{say}\"\n")
}

/// What a shell is told before anything else.
pub(super) fn prelude() -> String {
    format!("_ci_begin={}\n{}", quote(script::BEGIN), script::PRELUDE)
}

/// What to tell a shell: to run the script on its own, and to print the mark with its exit code.
pub(super) fn question(mark: &str, script: &str, arguments: &[&str]) -> String {
    let arguments = quoted_all(arguments);
    let end = print(mark, "$_ci_code");
    format!("{{\n(\nset --{arguments}\n{script}\n) </dev/null\n_ci_code=$?\n{end}}}\n")
}

/// What to tell a shell: to run a command in a session of its own, to look what it left, and to print the
/// mark with what [`Done::read`] reads.
pub(super) fn command(mark: &str, task: &ToRun<'_>) -> String {
    let words = quoted_all(task.words);
    let variables: String = task.env.iter().fold(String::new(), |mut all, line| {
        if let Some((name, value)) = line.split_once('=') {
            let _ = writeln!(all, "export {name}={}", quote(value));
        }
        all
    });
    let end = print(mark, "$_ci_code,$_ci_alone,$_ci_held");
    // A shell tells of the signal that ended a command, on its own standard error. The command waits in
    // front: what is behind ignores signals of the keyboard (POSIX, asynchronous lists).
    format!(
        "{{\n{{\n(\nexec 2>&9 9>&-\nunset OLDPWD PWD SHLVL _\n{variables}\
         exec \"$_ci_setsid\" \"$_ci_sh\" -c \"$_ci_begin\" ci-core{words}\n) </dev/null\n_ci_code=$?\n\
         }} 9>&2 2>/dev/null\n_ci_looks 9>&2 2>/dev/null\n{end}}}\n"
    )
}

fn quoted_all<T: AsRef<str>>(words: &[T]) -> String {
    let words = words.iter();
    words.fold(String::new(), |all, word| all + " " + &quote(word.as_ref()))
}

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    /// Its exit code as a shell tells it.
    pub(crate) code: i64,
    /// Whether no process is in the container but the keeper's own.
    pub(crate) alone: bool,
    /// Whether a process may still write where the keeper does.
    pub(crate) held: bool,
}

impl Done {
    /// Reads what the mark of a [`command`] says.
    pub(super) fn read(said: &str) -> Option<Self> {
        let mut parts = said.split(',');
        let code = parts.next()?.parse().ok()?;
        let mut is = || parts.next().map(|part| !part.is_empty());
        Some(Self {
            code,
            alone: is()?,
            held: is()?,
        })
    }
}
