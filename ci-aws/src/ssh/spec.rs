//! From a command to the script that becomes the step: a pure function.

use std::collections::BTreeMap;

use ci_core::session::{Command, SessionError, SessionErrorKind, SessionInfo};
use ci_core::shell::{is_name, quote};

/// The variable that marks the processes of a step.
const MARKER: &str = "CI_CORE_REMOTE";

/// The script of a step, to be read by the supervisor. It ends with a line break.
pub(super) fn script(
    command: &Command,
    info: &SessionInfo,
    job: &BTreeMap<String, String>,
    marker: &str,
) -> Result<String, SessionError> {
    let words = command.words();
    let Some(name) = words.first().filter(|name| !name.is_empty()) else {
        return Err(refused("the command is empty"));
    };
    if words.iter().any(|word| word.contains('\0')) {
        return Err(refused(format!(
            "the command `{name}` has a zero byte in it"
        )));
    }
    let mut variables: BTreeMap<&str, &str> = BTreeMap::new();
    let all = job.iter().chain(&command.env);
    variables.extend(all.map(|(name, value)| (name.as_str(), value.as_str())));
    for (name, value) in &variables {
        if !is_name(name) {
            let text = format!("the variable `{name}` has a name that no shell can set");
            return Err(refused(text));
        }
        if value.contains('\0') {
            return Err(refused(format!(
                "the variable `{name}` has a zero byte in it"
            )));
        }
    }
    variables.insert(MARKER, marker);
    let dir = match &command.dir {
        Some(dir) => info.resolve(dir),
        None => info.work_dir.clone(),
    };
    let path = match variables.get("PATH") {
        Some(path) => quote(path),
        None => "\"$PATH\"".to_owned(),
    };
    let mut script = vec![
        // The mask of the user, not that of the private directories.
        "umask 022".to_owned(),
        format!("cd {} 2>/dev/null || ci_missing directory", quote(&dir)),
        format!("ci_program {} {path}", quote(name)),
        // Known before the step's own path counts.
        "ci_setsid=$(command -v setsid) || ci_setsid=".to_owned(),
    ];
    // `PATH` last: nothing is looked up after it but the step.
    let last = variables.remove_entry("PATH");
    for (name, value) in variables.into_iter().chain(last) {
        script.push(format!("export {name}={}", quote(value)));
    }
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    script.push(format!("exec $ci_setsid {}\n", words.join(" ")));
    Ok(script.join("\n"))
}

fn refused(text: impl Into<String>) -> SessionError {
    SessionError::new(SessionErrorKind::Refused, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &Command) -> Result<String, SessionError> {
        let info = SessionInfo::new("ssh", "/w", "/h");
        let job = BTreeMap::from([("A".to_owned(), "of the job".to_owned())]);
        script(command, &info, &job, "run/session/1;")
    }

    #[test]
    fn values_are_quoted_and_the_command_wins() {
        let command = Command::argv(["echo", "it's"]).env("A", "$(x)").dir("~/d");
        let script = of(&command).unwrap();
        assert!(script.contains("export A='$(x)'\n"), "{script}");
        assert!(script.contains("cd '/h/d'"), "{script}");
        assert!(
            script.ends_with("exec $ci_setsid 'echo' 'it'\\''s'\n"),
            "{script}"
        );
    }

    #[test]
    fn what_no_shell_can_do_is_refused() {
        for command in [
            Command::argv::<String>([]),
            Command::argv(["echo", "a\0b"]),
            Command::argv(["echo"]).env("A.B", "x"),
            Command::argv(["echo"]).env("A", "x\0"),
        ] {
            let error = of(&command).unwrap_err();
            assert_eq!(error.kind(), SessionErrorKind::Refused);
        }
    }
}
