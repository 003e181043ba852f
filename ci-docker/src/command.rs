//! The words and variables that a command of a session becomes in its container.

use std::collections::BTreeMap;

use ci_core::session::{Command, SessionError, SessionErrorKind};

use crate::engine::ExecSpec;
use crate::script;

/// The variable that marks the processes of a command, as in ci-core's local executor.
pub(crate) const MARKER: &str = "CI_CORE_COMMAND";

/// The variables of every command of a job, the job's own words added last.
pub(crate) fn variables(
    env: &BTreeMap<String, String>,
    run: &str,
    job: &str,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([("CI".to_owned(), "true".to_owned())]);
    variables.extend(env.clone());
    variables.insert("CI_CORE_RUN".to_owned(), run.to_owned());
    variables.insert("CI_CORE_JOB".to_owned(), job.to_owned());
    variables
}

/// What to run for `command` in `dir`. Its processes have `marker` in their environment.
pub(crate) fn spec(
    command: &Command,
    variables: &BTreeMap<String, String>,
    dir: &str,
    number: &str,
    marker: &str,
) -> Result<ExecSpec, SessionError> {
    let words = command.words();
    if words.first().is_none_or(|program| program.is_empty()) {
        return Err(refused("a command needs a program".to_owned()));
    }
    let mut env = variables.clone();
    env.extend(command.env.clone());
    for (name, value) in &env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(refused(format!("the variable `{name}` cannot be set")));
        }
    }
    // An engine around this one finds its own marker in front.
    let outer = env.remove(MARKER).filter(|outer| !outer.is_empty());
    let chain = outer.map_or_else(|| marker.to_owned(), |outer| format!("{outer}:{marker}"));
    env.insert(MARKER.to_owned(), chain);
    let begin = ["sh", "-c", script::BEGIN, "ci-core", number, dir];
    let all: Vec<String> = begin
        .iter()
        .chain(&words)
        .map(|&word| word.to_owned())
        .collect();
    if let Some(word) = all.iter().find(|word| word.contains('\0')) {
        let shown = word.replace('\0', "\\0");
        return Err(refused(format!("the word `{shown}` has a zero byte in it")));
    }
    Ok(ExecSpec {
        words: all,
        env: env
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        user: None,
    })
}

fn refused(text: String) -> SessionError {
    SessionError::new(SessionErrorKind::Refused, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(command: &Command) -> Result<ExecSpec, SessionError> {
        let env = BTreeMap::from([("CI".to_owned(), "1".to_owned())]);
        spec(
            command,
            &variables(&env, "run", "job"),
            "/w",
            "7",
            "mark.7.",
        )
    }

    #[test]
    fn the_commands_words_come_after_ours_and_its_variables_win() {
        let command = Command::argv(["echo", "two words"]).env("CI_CORE_JOB", "own");
        let spec = built(&command).unwrap();
        assert_eq!(spec.words[3..], ["ci-core", "7", "/w", "echo", "two words"]);
        for line in [
            "CI=1",
            "CI_CORE_RUN=run",
            "CI_CORE_JOB=own",
            "CI_CORE_COMMAND=mark.7.",
        ] {
            assert!(
                spec.env.iter().any(|it| it == line),
                "{line}: {:?}",
                spec.env
            );
        }
    }

    #[test]
    fn the_marker_of_an_engine_around_is_kept_in_front() {
        let spec = built(&Command::argv(["true"]).env(MARKER, "outer.1.")).unwrap();
        assert!(
            spec.env
                .contains(&"CI_CORE_COMMAND=outer.1.:mark.7.".to_owned())
        );
    }

    #[test]
    fn what_no_system_can_run_is_refused() {
        for command in [
            Command::argv::<String>([]),
            Command::argv([""]),
            Command::argv(["a\0b"]),
            Command::argv(["true"]).env("a=b", ""),
            Command::argv(["true"]).env("a", "\0"),
        ] {
            let error = built(&command).unwrap_err();
            assert_eq!(error.kind(), SessionErrorKind::Refused, "{error}");
        }
    }
}
