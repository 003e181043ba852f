//! What a mock executor does instead of doing something.

use std::sync::Arc;
use std::time::Duration;

use super::calls::text_of;
use super::executor::Shared;
use crate::executor::ExecutorErrorKind;
use crate::session::{Command, ExitStatus, SessionErrorKind, Stream};

/// A rule, as it is being made: what it is for, and what happens then. Each method changes the rule at
/// once.
///
/// A rule that names nothing but a job is for the job's commands; they succeed at once. For each call
/// the first rule counts that fits and is not used up.
#[derive(Debug)]
pub struct MockRule {
    shared: Arc<Shared>,
    index: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    job: Option<String>,
    script: Option<String>,
    left: Option<u32>,
    call: Call,
    pub(super) behavior: Behavior,
}

/// What a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Command,
    Prepare,
    Teardown,
}

/// What happens.
#[derive(Debug, Clone)]
pub(super) struct Behavior {
    pub(super) output: Vec<(Stream, String)>,
    pub(super) files: Vec<(String, String)>,
    pub(super) after: Duration,
    pub(super) end: End,
    pub(super) refusal: Option<ExecutorErrorKind>,
}

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Exit(ExitStatus),
    Fail(SessionErrorKind),
    Hang,
    Panic,
    ByHand,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            output: Vec::new(),
            files: Vec::new(),
            after: Duration::ZERO,
            end: End::Exit(ExitStatus::Code(0)),
            refusal: None,
        }
    }
}

impl Rule {
    pub(super) fn new(job: Option<String>) -> Self {
        Self {
            job,
            script: None,
            left: None,
            call: Call::Command,
            behavior: Behavior::default(),
        }
    }

    fn fits(&self, call: Call, job: &str, command: Option<&Command>) -> bool {
        self.call == call
            && self.left != Some(0)
            && self.job.as_deref().is_none_or(|name| name == job)
            && self
                .script
                .as_deref()
                .is_none_or(|part| command.is_some_and(|command| text_of(command).contains(part)))
    }
}

/// What happens with a call: the behavior of the first rule that fits. Uses the rule up by one.
pub(super) fn pick(
    rules: &mut [Rule],
    call: Call,
    job: &str,
    command: Option<&Command>,
) -> Behavior {
    let Some(rule) = rules.iter_mut().find(|rule| rule.fits(call, job, command)) else {
        return Behavior::default();
    };
    if let Some(left) = &mut rule.left {
        *left -= 1;
    }
    rule.behavior.clone()
}

impl MockRule {
    pub(super) fn new(shared: Arc<Shared>, job: Option<&str>) -> Self {
        let index = {
            let mut state = shared.state();
            state.rules.push(Rule::new(job.map(ToOwned::to_owned)));
            state.rules.len() - 1
        };
        Self { shared, index }
    }

    fn change(&self, change: impl FnOnce(&mut Rule)) -> &Self {
        change(&mut self.shared.state().rules[self.index]);
        self
    }

    fn end(&self, end: End) -> &Self {
        self.change(|rule| rule.behavior.end = end)
    }

    /// Only for commands whose script holds `part`.
    pub fn script(&self, part: impl Into<String>) -> &Self {
        self.change(|rule| rule.script = Some(part.into()))
    }

    /// Only for the first `count` calls; later ones go to the next rule that fits.
    pub fn times(&self, count: u32) -> &Self {
        self.change(|rule| rule.left = Some(count))
    }

    /// The command ends with `code`.
    pub fn exit(&self, code: i32) -> &Self {
        self.end(End::Exit(ExitStatus::Code(code)))
    }

    /// The command ends like this.
    pub fn ends(&self, status: ExitStatus) -> &Self {
        self.end(End::Exit(status))
    }

    /// The command writes `text` to its standard output when it starts.
    pub fn output(&self, text: impl Into<String>) -> &Self {
        self.change(|rule| rule.behavior.output.push((Stream::Stdout, text.into())))
    }

    /// The command writes `text` to its standard error when it starts.
    pub fn error_output(&self, text: impl Into<String>) -> &Self {
        self.change(|rule| rule.behavior.output.push((Stream::Stderr, text.into())))
    }

    /// The command makes a file when it ends.
    pub fn writes(&self, path: impl Into<String>, content: impl Into<String>) -> &Self {
        self.change(|rule| rule.behavior.files.push((path.into(), content.into())))
    }

    /// It takes this long.
    pub fn after(&self, duration: Duration) -> &Self {
        self.change(|rule| rule.behavior.after = duration)
    }

    /// The command never ends by itself.
    pub fn hang_until_canceled(&self) -> &Self {
        self.end(End::Hang)
    }

    /// The call panics.
    pub fn panic(&self) -> &Self {
        self.end(End::Panic)
    }

    /// The link to the machine breaks: an error of kind [`SessionErrorKind::Lost`].
    pub fn lose(&self) -> &Self {
        self.fail(SessionErrorKind::Lost)
    }

    /// The call gives an error of this kind.
    pub fn fail(&self, kind: SessionErrorKind) -> &Self {
        self.end(End::Fail(kind))
    }

    /// The command waits for the test: see
    /// [`MockHandle::next_command`](super::MockHandle::next_command).
    pub fn by_hand(&self) -> &Self {
        self.end(End::ByHand)
    }

    /// For preparing a session instead of for commands: it gives an error of this kind.
    pub fn prepare_fails(&self, kind: ExecutorErrorKind) -> &Self {
        self.change(|rule| {
            rule.call = Call::Prepare;
            rule.behavior.refusal = Some(kind);
        })
    }

    /// For preparing a session instead of for commands: it takes this long.
    pub fn prepare_takes(&self, duration: Duration) -> &Self {
        self.change(|rule| {
            rule.call = Call::Prepare;
            rule.behavior.after = duration;
        })
    }

    /// For tearing a session down instead of for commands: it gives an error of this kind.
    pub fn teardown_fails(&self, kind: SessionErrorKind) -> &Self {
        self.change(|rule| {
            rule.call = Call::Teardown;
            rule.behavior.end = End::Fail(kind);
        })
    }

    /// For tearing a session down instead of for commands: it takes this long.
    pub fn teardown_takes(&self, duration: Duration) -> &Self {
        self.change(|rule| {
            rule.call = Call::Teardown;
            rule.behavior.after = duration;
        })
    }
}
