//! The markers that commands carry in their environment, as they are looked for.

use super::mark::Mark;
use crate::executor::local::env::{COMMAND, Marker};
use crate::id::RunId;

/// What the processes of a command, of a session or of a run carry: its marker, or the beginning of it,
/// in the environment, and a mark.
#[derive(Debug, Clone)]
pub(super) struct Signs {
    pub(super) marker: String,
    pub(super) mark: Mark,
}

impl Signs {
    /// Those of all commands of `run`.
    pub(super) fn of_run(run: RunId) -> Self {
        Self {
            marker: format!("{run}/"),
            mark: Mark::of_run(run),
        }
    }
}

impl Marker {
    /// A name for things that belong to the session; starts with the run.
    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.run, self.session)
    }

    /// What all commands of the session carry.
    pub(super) fn signs(&self) -> Signs {
        Signs {
            marker: format!("{}/{}/", self.run, self.session),
            mark: Mark::of_session(self),
        }
    }

    /// What the command `number` carries.
    pub(super) fn signs_of(&self, number: u64) -> Signs {
        Signs {
            marker: self.of_command(number),
            mark: Mark::of_command(self, number),
        }
    }
}

/// Whether `environ`, with a NUL after each variable as in proc(5), has a marker that is `wanted`, or
/// that starts with it where `wanted` ends in a slash.
pub(super) fn carries(environ: &[u8], wanted: &str) -> bool {
    let value = environ.split(|byte| *byte == 0).find_map(|variable| {
        variable
            .strip_prefix(COMMAND.as_bytes())?
            .strip_prefix(b"=")
    });
    value.is_some_and(|chain| {
        chain.split(|byte| *byte == b':').any(|marker| {
            marker == wanted.as_bytes()
                || (wanted.ends_with('/') && marker.starts_with(wanted.as_bytes()))
        })
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::executor::local::env::chain;

    #[test]
    fn a_marker_matches_its_command_its_session_its_run_and_no_other() {
        let run = RunId::new();
        let (one, other) = (Marker::new(run), Marker::new(run));
        let environ = format!("A=1\0{COMMAND}={}\0B=2\0", one.of_command(1));
        let carries = |wanted: &str| carries(environ.as_bytes(), wanted);
        assert!(carries(&one.of_command(1)));
        assert!(carries(&one.signs().marker));
        assert!(carries(&Signs::of_run(run).marker));
        assert!(!carries(&one.of_command(11)));
        assert!(!carries(&other.signs().marker));
        assert!(!carries(&Signs::of_run(RunId::new()).marker));
        assert!(!super::carries(b"X=1\0", &one.signs().marker));
    }

    #[test]
    fn both_engines_find_what_the_inner_one_started() {
        let (outer, inner) = (Marker::new(RunId::new()), Marker::new(RunId::new()));
        let value = chain(Some(OsStr::new(&outer.of_command(1))), &inner.of_command(2));
        let environ = [COMMAND.as_bytes(), b"=", value.as_encoded_bytes()].concat();
        assert!(carries(&environ, &outer.signs().marker));
        assert!(carries(&environ, &inner.of_command(2)));
        assert!(!carries(&environ, &inner.of_command(1)));
    }
}
