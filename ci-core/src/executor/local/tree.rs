//! The processes of a run, a session or a command: which they are, and their end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::env::{COMMAND_MARK, RUN_MARK, SESSION_MARK};
use super::process::{self, Signal};

/// The pause between two looks at processes that were told to end.
const LOOK: Duration = Duration::from_millis(10);
/// How long forced processes may take to be gone: longer, and they hang in the kernel.
const FORCED: Duration = Duration::from_secs(5);

/// The marks that processes carry in their environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) run: String,
    pub(super) session: Option<String>,
    pub(super) command: Option<String>,
}

impl Marks {
    /// The marks as variables.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            (RUN_MARK, Some(self.run.as_str())),
            (SESSION_MARK, self.session.as_deref()),
            (COMMAND_MARK, self.command.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// Whether an environment, as its NUL-separated block, carries all of the marks.
    pub(super) fn are_in(&self, environ: &[u8]) -> bool {
        self.variables().all(|(name, value)| {
            environ.split(|byte| *byte == 0).any(|variable| {
                variable
                    .strip_prefix(name.as_bytes())
                    .and_then(|rest| rest.strip_prefix(b"="))
                    == Some(value.as_bytes())
            })
        })
    }
}

/// A process as the table of the machine shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) parent: u32,
    pub(super) group: u32,
    /// Whether it carries the marks that are looked for.
    pub(super) marked: bool,
    /// Whether it is dead and only its exit status is left.
    pub(super) zombie: bool,
}

/// The living processes that belong to what is ended: those with its marks, those in its groups, and
/// all who descend from either. Never `own`, the engine itself.
pub(super) fn members(table: &BTreeMap<u32, Process>, groups: &[u32], own: u32) -> BTreeSet<u32> {
    let mut found: BTreeSet<u32> = table
        .iter()
        .filter(|(_, process)| process.marked || groups.contains(&process.group))
        .map(|(pid, _)| *pid)
        .collect();
    // Descent by widening until nothing is added: tables are small and trees flat.
    loop {
        let children: Vec<u32> = table
            .iter()
            .filter(|(pid, process)| !found.contains(pid) && found.contains(&process.parent))
            .map(|(pid, _)| *pid)
            .collect();
        if children.is_empty() {
            break;
        }
        found.extend(children);
    }
    found.remove(&own);
    found.retain(|pid| table.get(pid).is_some_and(|process| !process.zombie));
    found
}

/// What came of ending processes.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) ended: BTreeSet<u32>,
    pub(super) left: BTreeSet<u32>,
}

/// Ends the processes with these marks or in these groups, and all who descend from them: asks, waits
/// up to `grace`, forces.
pub(super) async fn end(marks: &Marks, groups: &[u32], grace: Duration) -> Ended {
    let mut result = Ended::default();
    for (signal, patience) in [(Signal::Terminate, grace), (Signal::Kill, FORCED)] {
        let mut waited = Duration::ZERO;
        let mut told = BTreeSet::new();
        loop {
            let alive = process::find(marks, groups);
            process::reap(result.ended.union(&told).copied());
            result.ended.extend(alive.iter().copied());
            if alive.is_empty() {
                result.left.clear();
                return result;
            }
            // A process that was forked while the others were told has not been told yet.
            let new: Vec<u32> = alive.difference(&told).copied().collect();
            for pid in &new {
                process::signal(*pid, signal);
            }
            told.extend(new);
            result.left = alive;
            if waited >= patience {
                break;
            }
            tokio::time::sleep(LOOK).await;
            waited += LOOK;
        }
    }
    result.ended = result.ended.difference(&result.left).copied().collect();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(parent: u32, group: u32, marked: bool) -> Process {
        Process {
            parent,
            group,
            marked,
            zombie: false,
        }
    }

    #[test]
    fn members_are_found_by_mark_by_group_and_by_descent() {
        let mut table = BTreeMap::from([
            (1, process(0, 1, false)),
            (10, process(1, 10, false)),
            (20, process(10, 20, true)),
            (21, process(20, 21, false)),
            (22, process(21, 22, false)),
            (30, process(10, 33, false)),
            (40, process(1, 40, false)),
        ]);
        assert_eq!(members(&table, &[33], 10), BTreeSet::from([20, 21, 22, 30]));
        if let Some(process) = table.get_mut(&21) {
            process.zombie = true;
        }
        assert_eq!(members(&table, &[], 10), BTreeSet::from([20, 22]));
        assert_eq!(members(&table, &[], 20), BTreeSet::from([22]));
    }

    #[test]
    fn all_marks_have_to_be_there_and_whole() {
        let marks = Marks {
            run: "r1".into(),
            session: Some("s".into()),
            command: None,
        };
        assert!(marks.are_in(b"A=b\0CI_CORE_RUN=r1\0CI_CORE_SESSION=s\0"));
        assert!(!marks.are_in(b"CI_CORE_RUN=r1\0CI_CORE_SESSION=s2\0"));
        assert!(!marks.are_in(b"XCI_CORE_RUN=r1\0CI_CORE_SESSION=s\0"));
        assert!(!marks.are_in(b""));
    }
}
