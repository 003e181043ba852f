//! What a mock executor was asked for.

use std::collections::BTreeMap;

use crate::executor::ReapScope;
use crate::session::{Command, Program};

/// One thing that a mock executor or a session of it was asked for. Sessions are numbered from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MockCall {
    /// A session was given to a job.
    Prepared {
        /// The session.
        session: u32,
        /// The job.
        job: String,
        /// Counts from 1.
        attempt: u32,
    },
    /// A job got no session.
    Refused {
        /// The job.
        job: String,
    },
    /// A command was started.
    Command {
        /// The session.
        session: u32,
        /// The job.
        job: String,
        /// The command.
        command: Command,
    },
    /// Files were copied in.
    CopiedIn {
        /// The session.
        session: u32,
        /// The job.
        job: String,
        /// The directory, as it was given.
        dir: String,
    },
    /// Files were copied out.
    CopiedOut {
        /// The session.
        session: u32,
        /// The job.
        job: String,
        /// The directories, as they were given.
        dirs: Vec<String>,
    },
    /// A session was torn down.
    TornDown {
        /// The session.
        session: u32,
        /// The job.
        job: String,
    },
    /// The executor was asked to clean up.
    Reaped(ReapScope),
}

/// The script of a command, or its words with spaces between.
pub(super) fn text_of(command: &Command) -> String {
    match &command.program {
        Program::Shell { script, .. } => script.clone(),
        Program::Argv(words) => words.join(" "),
    }
}

/// What is wrong with the lives of the sessions: torn down never, or twice, or used after.
pub(super) fn wrongs(calls: &[MockCall]) -> Vec<String> {
    let mut names = BTreeMap::new();
    let mut teardowns = BTreeMap::new();
    let mut wrongs = Vec::new();
    for call in calls {
        match call {
            MockCall::Prepared {
                session,
                job,
                attempt,
            } => {
                names.insert(
                    *session,
                    format!("session {session} (job `{job}`, attempt {attempt})"),
                );
                teardowns.insert(*session, 0_u32);
            }
            MockCall::TornDown { session, .. } => {
                *teardowns.entry(*session).or_default() += 1;
            }
            MockCall::Command { session, .. }
            | MockCall::CopiedIn { session, .. }
            | MockCall::CopiedOut { session, .. } => {
                if teardowns.get(session).is_some_and(|count| *count > 0) {
                    wrongs.push(format!("{} was used after its teardown", names[session]));
                }
            }
            MockCall::Refused { .. } | MockCall::Reaped(_) => {}
        }
    }
    for (session, count) in teardowns {
        match count {
            0 => wrongs.push(format!("{} was never torn down", names[&session])),
            1 => {}
            _ => wrongs.push(format!("{} was torn down {count} times", names[&session])),
        }
    }
    wrongs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(session: u32) -> MockCall {
        let job = "build".to_owned();
        MockCall::Prepared {
            session,
            job,
            attempt: 1,
        }
    }

    fn torn_down(session: u32) -> MockCall {
        let job = "build".to_owned();
        MockCall::TornDown { session, job }
    }

    fn command(session: u32) -> MockCall {
        let (job, command) = ("build".to_owned(), Command::sh("true"));
        MockCall::Command {
            session,
            job,
            command,
        }
    }

    #[test]
    fn every_session_is_torn_down_once_and_not_used_after() {
        let good = [
            prepared(1),
            prepared(2),
            command(1),
            torn_down(1),
            command(2),
            torn_down(2),
        ];
        assert_eq!(wrongs(&good), [""; 0]);
        let name = "session 1 (job `build`, attempt 1) was";
        for (calls, wrong) in [
            (vec![prepared(1)], "never torn down"),
            (
                vec![prepared(1), torn_down(1), torn_down(1)],
                "torn down 2 times",
            ),
            (
                vec![prepared(1), torn_down(1), command(1)],
                "used after its teardown",
            ),
        ] {
            assert_eq!(wrongs(&calls), [format!("{name} {wrong}")]);
        }
    }
}
