//! The shell scripts of a job: what a runner would give to its shell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::check::flatten;
use super::variables::{Env, Piece, names, pieces};
use crate::shell::quote;
use crate::step::StepSpec;
use crate::yaml::Node;

/// What fails in a pipe counts, where the shell can do that. Bash can; asking another takes a process.
const PIPEFAIL: &str =
    "if [ -n \"${BASH_VERSION-}\" ] || (set -o pipefail) 2>/dev/null; then set -o pipefail; fi";

/// Where a job leaves its dotenv reports for those that fetch its artifacts.
pub(super) const DOTENV: &str = ".gitlab-dotenv";

/// The variable that only the machine of the job knows.
const PROJECT_DIR: &str = "CI_PROJECT_DIR";

/// Where the texts of variables of the type file stand, as a shell says it.
pub(super) const FILES: &str = "$HOME/.gitlab-files";

/// The step that writes the files of such variables.
pub(super) fn write_files(files: &BTreeMap<String, String>) -> StepSpec {
    let mut script = format!("umask 077\nmkdir -p \"{FILES}\"\n");
    for name in files.keys() {
        let _ = writeln!(
            script,
            "printf %s \"$CI_CORE_FILE_{name}\" >\"{FILES}/{name}\""
        );
    }
    let mut step = StepSpec::run(script).name("write file variables");
    for (name, text) in files {
        step = step.env(format!("CI_CORE_FILE_{name}"), text);
    }
    step
}

/// The commands of a key, lists in lists made flat.
pub(super) fn commands(node: Option<&Node>) -> Vec<String> {
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return Vec::new();
    };
    let mut flat = Vec::new();
    flatten(
        node.as_seq().unwrap_or(std::slice::from_ref(node)),
        10,
        &mut flat,
    );
    let texts = flat
        .into_iter()
        .filter(|node| !node.is_null())
        .filter_map(Node::scalar);
    texts.map(std::borrow::Cow::into_owned).collect()
}

/// The script that runs `commands` in one shell: it ends at the first that fails, also within a pipe,
/// and shows each before it runs.
pub(super) fn script(commands: &[String], env: &Env, dotenv: &[String]) -> String {
    let mut out = format!("set -e\n{PIPEFAIL}\n");
    out.push_str("export CI_PROJECT_DIR=\"$PWD\" CI_BUILDS_DIR=\"${PWD%/*}\"\n");
    for file in dotenv {
        out.push_str(&load_dotenv(file));
    }
    for (name, value) in &env.own {
        // What reports bring is not known before; what nobody knows stays as it is written.
        let late =
            |inner: &str| inner == PROJECT_DIR || (!dotenv.is_empty() && env.get(inner).is_none());
        let is_file = value.contains(FILES);
        let late = |inner: &str| late(inner) || (is_file && inner == "HOME");
        if names(value).into_iter().any(late) {
            let _ = writeln!(out, "export {name}={}", filled_late(value, late));
        }
    }
    for command in commands {
        let command = command.trim_end();
        let mut lines = command.lines();
        let first = lines.next().unwrap_or_default();
        let more = if lines.next().is_some() {
            " # collapsed multi-line command"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "printf '%s\\n' {}\n{command}",
            quote(&format!("$ {first}{more}"))
        );
    }
    out
}

/// The script that keeps a dotenv report for other jobs.
pub(super) fn keep_dotenv(paths: &[String], slug: &str) -> String {
    let mut out = format!("mkdir -p {DOTENV}\n: > {DOTENV}/{slug}\n");
    for path in paths {
        let path = quote(path);
        let _ = writeln!(
            out,
            "if [ -f {path} ]; then cat {path} >> {DOTENV}/{slug}; fi"
        );
    }
    out
}

/// Reads `NAME=VALUE` lines of a file, if it is there.
fn load_dotenv(file: &str) -> String {
    let file = quote(&format!("{DOTENV}/{file}"));
    format!(
        "if [ -f {file} ]; then while IFS= read -r ci_line || [ -n \"$ci_line\" ]; do\n\
         case \"$ci_line\" in \\#*) ;; [A-Za-z_]*=*) export \"$ci_line\" ;; esac\n\
         done < {file}; fi\n"
    )
}

/// A word of the shell for a value of which the shell fills in some variables.
fn filled_late(value: &str, late: impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    for piece in pieces(value) {
        match piece {
            Piece::Variable { name, .. } if name == PROJECT_DIR => {
                out.push_str("\"$CI_PROJECT_DIR\"");
            }
            Piece::Variable { name, written } if late(name) => {
                let unset = written.replace('$', "\\$").replace('}', "\\}");
                let _ = write!(out, "\"${{{name}-{unset}}}\"");
            }
            Piece::Variable { written: text, .. } | Piece::Text(text) => {
                out.push_str(&quote(text));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_the_project_directory_is_filled_by_the_shell() {
        assert_eq!(
            filled_late("$CI_PROJECT_DIR/it's", |name| name == PROJECT_DIR),
            "''\"$CI_PROJECT_DIR\"'/it'\\''s'"
        );
    }

    #[test]
    fn commands_are_shown_and_run() {
        let text = script(
            &["a 'b'".to_owned(), "c\nd".to_owned()],
            &Env::default(),
            &[],
        );
        assert!(text.ends_with(
            "printf '%s\\n' '$ a '\\''b'\\'''\na 'b'\n\
             printf '%s\\n' '$ c # collapsed multi-line command'\nc\nd\n"
        ));
    }
}
