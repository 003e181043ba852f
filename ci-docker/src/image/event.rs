//! What is told while images are built.

use std::sync::Arc;

use super::Platform;

/// What is told while an image is built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildEvent {
    /// A step of the build began, as BuildKit names it: `[2/3] RUN make`.
    Started {
        /// The step.
        step: String,
    },
    /// A step ended well.
    Done {
        /// The step.
        step: String,
        /// Whether its result was there from an earlier build.
        cached: bool,
    },
    /// A step failed.
    Failed {
        /// The step.
        step: String,
        /// Why.
        why: String,
    },
    /// A step wrote something.
    Output {
        /// Whether it was to standard error.
        is_error: bool,
        /// What it wrote, as it came.
        bytes: Vec<u8>,
    },
    /// Something the engine says that is no step.
    Note(String),
    /// An image is pushed under this name.
    Pushing(String),
    /// An image was pushed.
    Pushed {
        /// Its name.
        name: String,
        /// Its digest.
        digest: String,
    },
}

/// Is told what happens: the target of a bake file, or nothing for a single build; the platform, if one
/// was asked for; and the event.
pub type BuildWatch = Arc<dyn Fn(&str, Option<&Platform>, BuildEvent) + Send + Sync>;
