//! How the console shows a run, and what the environment says about it.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

/// Whether to do something, or to let the environment decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// As the environment suggests.
    #[default]
    Auto,
    /// Yes, whatever the environment suggests.
    Always,
    /// No, whatever the environment suggests.
    Never,
}

/// How much of the output the console shows. It shows how every job ended in any case, and a failed
/// job's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Failed jobs' output, after they failed, and nothing more.
    Quiet,
    /// On a live board failed jobs' output, after they failed; in plain lines all output.
    #[default]
    Normal,
    /// All output as it comes, and what happens between jobs and steps.
    Verbose,
}

/// How the console shows a run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConsoleOptions {
    /// Whether to use colours.
    pub color: Choice,
    /// Whether to show a live board (feature `console`; without it there are only plain lines).
    pub live: Choice,
    /// How much to show.
    pub verbosity: Verbosity,
    /// How long jobs usually take, by name: what the board estimates from.
    pub history: HashMap<Arc<str>, Duration>,
    /// How the command line is called, such as `ci`: then hints say what to type next.
    pub hints: Option<String>,
    /// What `Auto` goes by.
    pub environment: Environment,
}

impl ConsoleOptions {
    /// The default options in `environment`.
    #[must_use]
    pub fn from_env(environment: Environment) -> Self {
        Self {
            environment,
            ..Self::default()
        }
    }

    /// Whether the console will use colours.
    #[must_use]
    pub fn colors(&self) -> bool {
        match self.color {
            Choice::Always => true,
            Choice::Never => false,
            Choice::Auto => self.environment.suggests_color(),
        }
    }

    /// Whether the console will show a live board.
    #[must_use]
    pub fn shows_board(&self) -> bool {
        cfg!(feature = "console")
            && match self.live {
                Choice::Always => true,
                Choice::Never => false,
                Choice::Auto => self.environment.suggests_board(),
            }
    }
}

/// What the environment says about the place where the console writes. The default says nothing and is
/// no terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Environment {
    /// Whether the console writes to a terminal.
    pub terminal: bool,
    /// The variable `NO_COLOR` (<https://no-color.org>).
    pub no_color: Option<String>,
    /// The variable `CLICOLOR_FORCE` (<https://bixense.com/clicolors>).
    pub force_color: Option<String>,
    /// The variable `CI`, which CI services set.
    pub ci: Option<String>,
    /// The variable `TERM`.
    pub term: Option<String>,
}

impl Environment {
    /// What this process sees, for a console that writes to standard error.
    #[must_use]
    pub fn of_stderr() -> Self {
        Self::read(std::io::stderr().is_terminal(), |name| {
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    /// What `variable` says, for a console that writes to a terminal or not.
    #[must_use]
    pub fn read(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            terminal,
            no_color: variable("NO_COLOR"),
            force_color: variable("CLICOLOR_FORCE"),
            ci: variable("CI"),
            term: variable("TERM"),
        }
    }

    fn suggests_color(&self) -> bool {
        if is_set(self.no_color.as_ref()) {
            return false;
        }
        let forced = |value: &String| !value.is_empty() && value != "0";
        self.force_color.as_ref().is_some_and(forced) || (self.terminal && !self.is_dumb())
    }

    fn suggests_board(&self) -> bool {
        let no = |value: &String| value.is_empty() || value == "false" || value == "0";
        self.terminal && !self.is_dumb() && self.ci.as_ref().is_none_or(no)
    }

    fn is_dumb(&self) -> bool {
        match self.term.as_deref() {
            Some("dumb") => true,
            Some("") | None => cfg!(unix),
            Some(_) => false,
        }
    }
}

fn is_set(value: Option<&String>) -> bool {
    value.is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether there are colours, and a board.
    fn with(terminal: bool, variables: &[(&str, &str)]) -> (bool, bool) {
        let environment = Environment::read(terminal, |name| {
            let found = variables.iter().find(|variable| variable.0 == name);
            found.map(|variable| variable.1.to_owned())
        });
        let options = ConsoleOptions::from_env(environment);
        (options.colors(), options.shows_board())
    }

    #[test]
    fn the_environment_decides() {
        let board = cfg!(feature = "console");
        let xterm = ("TERM", "xterm-256color");
        assert_eq!(with(true, &[xterm]), (true, board));
        assert_eq!(with(false, &[xterm]), (false, false));
        assert_eq!(with(true, &[("TERM", "dumb")]), (false, false));
        assert_eq!(with(true, &[xterm, ("CI", "true")]), (true, false));
        assert_eq!(with(true, &[xterm, ("CI", "false")]), (true, board));
        assert_eq!(with(true, &[xterm, ("NO_COLOR", "1")]), (false, board));
        assert_eq!(with(true, &[xterm, ("NO_COLOR", "")]), (true, board));
        assert_eq!(with(false, &[("CLICOLOR_FORCE", "1")]), (true, false));
        assert_eq!(with(false, &[("CLICOLOR_FORCE", "0")]), (false, false));
        let both = [("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")];
        assert_eq!(with(false, &both), (false, false));
    }

    #[test]
    fn a_choice_stands_above_the_environment() {
        let mut options = ConsoleOptions {
            color: Choice::Always,
            live: Choice::Always,
            ..ConsoleOptions::default()
        };
        assert!(options.colors());
        assert_eq!(options.shows_board(), cfg!(feature = "console"));
        options.environment = Environment::read(true, |_| Some("xterm".to_owned()));
        options.color = Choice::Never;
        options.live = Choice::Never;
        assert!(!options.colors() && !options.shows_board());
    }
}
