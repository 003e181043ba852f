//! From a [`Command`] to a process: the program found, the directory and the variables set.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use crate::session::{BASH_OR_SH, Command, Program, SessionError, SessionErrorKind};

/// What every command of a session sees: later layers win, and the command's own variables over both.
#[derive(Debug)]
pub(super) struct Variables {
    /// What all sessions share.
    pub(super) base: Arc<BTreeMap<OsString, OsString>>,
    /// What the job adds.
    pub(super) job: BTreeMap<OsString, OsString>,
    /// Where the shells are.
    pub(super) shells: Arc<Shells>,
}

/// Where shells were found, by name and `PATH`. Nearly every command needs one, and none is installed
/// in the middle of a run.
#[derive(Debug, Default)]
pub(super) struct Shells(Mutex<Vec<(String, OsString, PathBuf)>>);

impl Shells {
    const NAMES: [&str; 2] = ["sh", "bash"];
    /// Jobs that each have a `PATH` of their own are not worth remembering.
    const MOST: usize = 16;

    fn get(&self, name: &str, path: &OsStr) -> Option<PathBuf> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.iter().find(|it| it.0 == name && it.1 == path);
        same.map(|(_, _, file)| file.clone())
    }

    fn put(&self, name: &str, path: &OsStr, file: &Path) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < Self::MOST {
            known.push((name.to_owned(), path.to_owned(), file.to_owned()));
        }
    }
}

impl Variables {
    pub(super) fn get<'a>(&'a self, command: &'a Command, name: &str) -> Option<&'a OsStr> {
        let own = command.env.get(name).map(OsStr::new);
        let layers = [&self.job, &*self.base];
        own.or_else(|| {
            let value = layers.iter().find_map(|layer| layer.get(OsStr::new(name)));
            value.map(OsString::as_os_str)
        })
    }

    /// The words to execute. Where a shell would only look for another one, that is found here.
    fn words<'a>(&self, command: &'a Command, dir: &Path, path: Option<&OsStr>) -> Vec<&'a str> {
        match &command.program {
            Program::Shell { shell, script }
                if *shell == BASH_OR_SH && self.program("bash", dir, path).is_ok() =>
            {
                vec!["bash", "-c", script]
            }
            _ => command.words(),
        }
    }

    /// The file that `name` means in `dir`.
    fn program(
        &self,
        name: &str,
        dir: &Path,
        path: Option<&OsStr>,
    ) -> Result<PathBuf, SessionError> {
        let Some(path) = path.filter(|_| Shells::NAMES.contains(&name)) else {
            return find(name, dir, path);
        };
        if let Some(file) = self.shells.get(name, path) {
            return Ok(file);
        }
        let file = find(name, dir, Some(path))?;
        // One that was found relative to the directory is another one elsewhere.
        if std::env::split_paths(path).all(|place| place.is_absolute()) {
            self.shells.put(name, path, &file);
        }
        Ok(file)
    }
}

/// The process that `command` asks for, in the absolute directory `dir`.
///
/// The program is looked up here, in the job's own `PATH`: the standard library then need not leave
/// its fast way of starting processes, which does not copy the engine's page tables.
pub(super) fn build(
    command: &Command,
    dir: &Path,
    variables: &Variables,
) -> Result<std::process::Command, SessionError> {
    let path = variables.get(command, "PATH");
    let words = variables.words(command, dir, path);
    let Some((name, arguments)) = words.split_first().filter(|(name, _)| !name.is_empty()) else {
        let text = "the command is empty";
        return Err(SessionError::new(SessionErrorKind::Refused, text));
    };
    if words.iter().any(|word| word.contains('\0')) {
        let text = format!("the command `{name}` has a zero byte in it");
        return Err(SessionError::new(SessionErrorKind::Refused, text));
    }
    let program = variables.program(name, dir, path)?;
    let mut process = std::process::Command::new(program);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut process, name);
    process
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .envs(&*variables.base)
        .env("PWD", dir)
        .envs(&variables.job)
        .envs(&command.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(process)
}

/// Says why a process could not be started in `dir`.
pub(super) fn explain(error: std::io::Error, command: &Command, dir: &Path) -> SessionError {
    if !dir.is_dir() {
        let text = format!("the directory `{}` does not exist", dir.display());
        return SessionError::new(SessionErrorKind::NotFound, text);
    }
    let words = command.words();
    let name = words.first().copied().unwrap_or_default();
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => SessionErrorKind::NotFound,
        std::io::ErrorKind::ArgumentListTooLong | std::io::ErrorKind::PermissionDenied => {
            SessionErrorKind::Refused
        }
        _ => SessionErrorKind::Other,
    };
    SessionError::new(kind, format!("could not start `{name}`")).with_source(error)
}

/// The file that `name` means: looked up in `path` as a shell does, or relative to `dir` if it has a
/// slash in it.
#[cfg(unix)]
fn find(name: &str, dir: &Path, path: Option<&OsStr>) -> Result<PathBuf, SessionError> {
    if name.contains('/') {
        let file = dir.join(name);
        return if executable(&file) || file.exists() {
            Ok(file)
        } else {
            let text = format!("the program `{}` does not exist", file.display());
            Err(SessionError::new(SessionErrorKind::NotFound, text))
        };
    }
    // What the C library looks through when there is no `PATH`.
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    std::env::split_paths(path)
        .map(|place| dir.join(place).join(name))
        .find(|file| executable(file))
        .ok_or_else(|| {
            let text = format!(
                "the program `{name}` is not in `PATH` (`{}`); install it on this machine, or run the \
                 job on an executor that has it",
                path.to_string_lossy()
            );
            SessionError::new(SessionErrorKind::NotFound, text)
        })
}

#[cfg(unix)]
fn executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The system itself finds programs and knows their extensions.
#[cfg(not(unix))]
fn find(name: &str, _dir: &Path, _path: Option<&OsStr>) -> Result<PathBuf, SessionError> {
    Ok(name.into())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn no_variables() -> Variables {
        Variables {
            base: Arc::default(),
            job: BTreeMap::new(),
            shells: Arc::default(),
        }
    }

    fn program(path: &Path, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn programs_are_found_as_a_shell_does() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path();
        program(&dir.join("a/tool"), 0o644);
        program(&dir.join("b/tool"), 0o755);
        let path = format!(
            "{}:{}:relative",
            dir.join("a").display(),
            dir.join("b").display()
        );
        let find = |name: &str| find(name, dir, Some(OsStr::new(&path)));
        assert_eq!(find("tool").unwrap(), dir.join("b/tool"));
        assert_eq!(find("./b/tool").unwrap(), dir.join("./b/tool"));
        program(&dir.join("relative/other"), 0o755);
        assert_eq!(find("other").unwrap(), dir.join("relative/other"));
        for missing in ["nothing", "./nothing"] {
            let error = find(missing).unwrap_err();
            assert_eq!(error.kind(), SessionErrorKind::NotFound);
            assert!(error.to_string().contains("nothing"), "{error}");
        }
    }

    #[test]
    fn a_shell_is_looked_up_once_for_each_path() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path();
        program(&dir.join("a/sh"), 0o755);
        program(&dir.join("b/sh"), 0o755);
        let variables = no_variables();
        let find = |path: &Path| variables.program("sh", dir, Some(path.as_os_str()));
        for name in ["a", "b", "a"] {
            assert_eq!(find(&dir.join(name)).unwrap(), dir.join(name).join("sh"));
        }
        fs::remove_file(dir.join("b/sh")).unwrap();
        assert!(find(&dir.join("b")).is_ok(), "it was not looked up again");
        assert_eq!(find(Path::new("a")).unwrap(), dir.join("a/sh"));
        fs::remove_file(dir.join("a/sh")).unwrap();
        assert!(
            find(Path::new("a")).is_err(),
            "a relative one was remembered"
        );
    }

    #[test]
    fn bash_is_started_at_once_where_there_is_one() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path();
        program(&dir.join("both/sh"), 0o755);
        program(&dir.join("both/bash"), 0o755);
        program(&dir.join("one/sh"), 0o755);
        let variables = no_variables();
        let command = Command::shell(BASH_OR_SH, "true");
        let started = |path: &str| {
            let command = command
                .clone()
                .env("PATH", dir.join(path).to_string_lossy());
            let process = build(&command, dir, &variables).unwrap();
            let words = process
                .get_args()
                .map(|word| word.to_string_lossy().into_owned());
            (process.get_program().to_owned(), words.collect::<Vec<_>>())
        };
        let (program, words) = started("both");
        assert_eq!(program, dir.join("both/bash"));
        assert_eq!(words, ["-c", "true"]);
        let (program, words) = started("one");
        assert_eq!(program, dir.join("one/sh"));
        assert_eq!(words, ["-c", BASH_OR_SH[2], "true"]);
    }

    #[test]
    fn what_cannot_be_a_command_is_refused() {
        for words in [vec![], vec![""], vec!["a\0b"]] {
            let variables = no_variables();
            let error = build(&Command::argv(words), Path::new("/"), &variables).unwrap_err();
            assert_eq!(error.kind(), SessionErrorKind::Refused);
        }
    }
}
