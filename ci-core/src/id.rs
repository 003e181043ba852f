//! Identifiers: run ids sortable by time, dense ids for the jobs of one run.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names a run everywhere: in the store, on the command line, and as the label on everything the run
/// creates. A UUID version 7 (RFC 9562), so that ids sort by the time the run was made.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct RunId(#[schemars(with = "String", extend("format" = "uuid"))] Uuid);

impl RunId {
    /// A new id, later than every id made before it on this machine.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "two defaults would differ")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// A number to start a random sequence of the run with; never zero.
    pub(crate) fn seed(self) -> u64 {
        let (high, low) = self.0.as_u64_pair();
        (high ^ low.rotate_left(17)) | 1
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunId({})", self.0)
    }
}

impl FromStr for RunId {
    type Err = ParseRunIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text.trim())
            .map(Self)
            .map_err(|_| ParseRunIdError(text.to_owned()))
    }
}

/// The text is not a run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run id (a UUID such as `0193f2a4-7c1e-7000-8000-000000000000`)")]
pub struct ParseRunIdError(String);

/// The place of a job in its run: dense, from zero, in the order of the expanded workflow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobId(u32);

impl JobId {
    /// The id of the job at `index`; indices past `u32::MAX` saturate (validation refuses such
    /// workflows first).
    #[must_use]
    pub fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The position in the expanded workflow.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_creation_and_survive_text() {
        let ids: Vec<RunId> = (0..100).map(|_| RunId::new()).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids[7].to_string().parse(), Ok(ids[7]));
        assert!("nonsense".parse::<RunId>().is_err());
    }
}
