//! Colours, where they are wanted, and the marks of outcomes.

use crate::outcome::OutcomeKind;

/// Paints text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::event) struct Paint {
    pub(in crate::event) color: bool,
}

/// What a colour says. It never says it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::event) enum Tone {
    Good,
    Bad,
    Warn,
    #[cfg(feature = "console")]
    Busy,
    Dim,
    Bold,
    /// The Nth job of the run.
    Job(usize),
}

/// Colours of jobs: those of the 16 that are readable on light and dark ground, red left to failures.
const JOBS: [&str; 6] = ["36", "35", "34", "32", "33", "96"];

impl Paint {
    /// `text` in `tone`.
    pub(in crate::event) fn tone(self, tone: Tone, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Warn => "33",
            #[cfg(feature = "console")]
            Tone::Busy => "36",
            Tone::Dim => "2",
            Tone::Bold => "1",
            Tone::Job(index) => JOBS[index % JOBS.len()],
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// The mark that stands before an outcome, and its tone.
pub(in crate::event) fn mark(kind: OutcomeKind, allowed: bool) -> (&'static str, Tone) {
    let (mark, tone) = match kind {
        OutcomeKind::Success => return ("✓", Tone::Good),
        OutcomeKind::Failed | OutcomeKind::TimedOut => ("✗", Tone::Bad),
        OutcomeKind::InfrastructureFailure | OutcomeKind::Interrupted => ("!", Tone::Bad),
        OutcomeKind::Canceled => ("⊘", Tone::Warn),
        OutcomeKind::OnHold => ("‖", Tone::Warn),
        OutcomeKind::Skipped | OutcomeKind::NotRun => ("○", Tone::Dim),
    };
    (mark, if allowed { Tone::Warn } else { tone })
}

/// The mark that stands before an outcome.
pub(crate) fn mark_of(kind: OutcomeKind) -> &'static str {
    mark(kind, false).0
}
