//! A snapshot of the process table, and which processes of it belong to a session. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// The number of a process.
pub(super) type Pid = i32;

/// A process as the kernel describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) parent: Pid,
    pub(super) group: Pid,
    pub(super) session: Pid,
    /// When it started, in clock ticks since boot. With the pid it names a process for good.
    pub(super) start: u64,
    /// It has ended, and its parent has not asked how.
    pub(super) dead: bool,
    /// It carries what is looked for: the marker in its environment, or the mark.
    pub(super) marked: bool,
}

/// What makes a process belong, beside its marker.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// The engine. It and its ancestors never belong, whatever else is known of them.
    pub(super) engine: Pid,
    /// Processes that were started for the session.
    pub(super) roots: BTreeSet<Pid>,
    /// Process groups of the session. A group's number may be used again by a stranger, so it counts
    /// only for descendants of the engine.
    pub(super) groups: BTreeSet<Pid>,
    /// Processes in the session's cgroup.
    pub(super) confined: BTreeSet<Pid>,
}

/// All processes of the machine at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    processes: BTreeMap<Pid, Process>,
}

impl FromIterator<Process> for Table {
    fn from_iter<T: IntoIterator<Item = Process>>(processes: T) -> Self {
        Self {
            processes: processes
                .into_iter()
                .map(|process| (process.pid, process))
                .collect(),
        }
    }
}

impl Table {
    /// The processes that belong: those with direct evidence, and all their descendants.
    pub(super) fn belonging(&self, evidence: &Evidence) -> Vec<Process> {
        let spared = self.line(evidence.engine);
        let mut verdicts = BTreeMap::new();
        for process in self.processes.values() {
            self.judge(process, evidence, &spared, &mut verdicts);
        }
        let belongs = |process: &&Process| verdicts.get(&process.pid) == Some(&true);
        self.processes.values().filter(belongs).copied().collect()
    }

    /// A process and its ancestors, from the process up.
    fn line(&self, pid: Pid) -> Vec<Pid> {
        let mut line = Vec::new();
        let mut next = Some(pid);
        // A snapshot that was torn by changes may have a ring in it.
        while let Some(pid) = next.filter(|pid| !line.contains(pid)) {
            line.push(pid);
            next = self.processes.get(&pid).map(|process| process.parent);
        }
        line
    }

    fn judge(
        &self,
        process: &Process,
        evidence: &Evidence,
        spared: &[Pid],
        verdicts: &mut BTreeMap<Pid, bool>,
    ) {
        let line = self.line(process.pid);
        let ours = line.contains(&evidence.engine);
        // Upwards until somebody is known; then everybody on the way is known too.
        let mut verdict = false;
        let mut depth = line.len();
        for (height, pid) in line.iter().enumerate() {
            if let Some(known) = verdicts.get(pid) {
                verdict = *known;
                depth = height;
                break;
            }
            if spared.contains(pid) {
                depth = height;
                break;
            }
        }
        for pid in line[..depth].iter().rev() {
            verdict |= self.processes.get(pid).is_some_and(|process| {
                process.marked
                    || evidence.roots.contains(pid)
                    || evidence.confined.contains(pid)
                    || (ours && evidence.groups.contains(&process.group))
            });
            verdicts.insert(*pid, verdict);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn process(pid: Pid, parent: Pid) -> Process {
        Process {
            pid,
            parent,
            group: pid,
            session: pid,
            start: 0,
            dead: false,
            marked: false,
        }
    }

    fn marked(pid: Pid, parent: Pid) -> Process {
        Process {
            marked: true,
            ..process(pid, parent)
        }
    }

    fn in_group(group: Pid, pid: Pid, parent: Pid) -> Process {
        Process {
            group,
            ..process(pid, parent)
        }
    }

    fn pids(table: impl IntoIterator<Item = Process>, evidence: &Evidence) -> Vec<Pid> {
        let table: Table = table.into_iter().collect();
        let found = table.belonging(evidence);
        found.iter().map(|process| process.pid).collect()
    }

    fn engine() -> Evidence {
        Evidence {
            engine: 10,
            ..Evidence::default()
        }
    }

    #[test]
    fn descendants_of_what_belongs_belong() {
        let table = [
            process(1, 0),
            process(10, 1),
            marked(20, 10),
            process(21, 20),
            process(22, 21),
            process(30, 10),
        ];
        assert_eq!(pids(table, &engine()), [20, 21, 22]);
    }

    #[test]
    fn a_daemon_with_the_marker_belongs_wherever_it_hangs() {
        let table = [process(1, 0), process(10, 1), marked(40, 1), process(41, 1)];
        assert_eq!(pids(table, &engine()), [40]);
    }

    #[test]
    fn a_group_counts_only_below_the_engine() {
        let mut evidence = engine();
        evidence.groups.insert(20);
        let table = [
            process(1, 0),
            process(10, 1),
            in_group(20, 25, 10),
            in_group(20, 26, 1),
        ];
        assert_eq!(pids(table, &evidence), [25]);
    }

    #[test]
    fn the_engine_and_what_is_above_and_beside_it_are_spared() {
        let table = [
            marked(1, 0),
            marked(9, 1),
            marked(10, 9),
            marked(11, 10),
            process(12, 9),
        ];
        assert_eq!(pids(table, &engine()), [11]);
    }

    proptest! {
        /// The same as asking of each process on its own whether it or an ancestor has evidence.
        #[test]
        fn the_verdicts_do_not_depend_on_order(
            parents in prop::collection::vec(0i32..30, 1..30),
            marks in prop::collection::vec(any::<bool>(), 30),
            groups in prop::collection::vec(0i32..5, 30),
            engine in 1i32..30,
            group in 0i32..5,
        ) {
            let processes: Vec<Process> = (1..).zip(&parents).zip(&marks).zip(&groups)
                .map(|(((pid, parent), marked), group)| Process {
                    group: *group,
                    marked: *marked,
                    ..process(pid, *parent)
                })
                .collect();
            let evidence = Evidence { engine, groups: [group].into(), ..Evidence::default() };
            let table: Table = processes.iter().copied().collect();
            let spared = table.line(engine);
            let expected: Vec<Pid> = processes.iter()
                .filter(|process| {
                    let line = table.line(process.pid);
                    let own = line.iter().take_while(|pid| !spared.contains(pid));
                    let ours = line.contains(&engine);
                    own.filter_map(|pid| table.processes.get(pid)).any(|process| {
                        process.marked || (ours && process.group == group)
                    })
                })
                .map(|process| process.pid)
                .collect();
            let found: Vec<Pid> = table.belonging(&evidence).iter().map(|it| it.pid).collect();
            // Rings come only from torn snapshots; any answer that spares the engine is good there.
            let torn = processes.iter().any(|it| {
                table.line(it.pid).last().is_some_and(|top| table.processes.contains_key(top))
            });
            if torn {
                prop_assert!(found.iter().all(|pid| !spared.contains(pid)));
            } else {
                prop_assert_eq!(found, expected);
            }
        }
    }
}
