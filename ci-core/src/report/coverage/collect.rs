//! Builds the model out of what a report says.

use std::collections::{BTreeMap, HashMap};

use super::count::{Count, Join};
use super::model::{Arm, Branch, BranchCount, Coverage, FileCoverage, Function, Line};
use super::totals::Totals;
use super::visit::{ArmFact, BranchFact, FunctionFact, Visitor};
use crate::report::Diagnostic;

/// How many facts about a file may pile up before they are put in order, at least.
const PILE: usize = 4096;

/// A [`Visitor`] that keeps everything.
#[derive(Debug, Default)]
pub struct Collector {
    names: HashMap<Box<str>, usize>,
    files: Vec<Draft>,
    current: Option<usize>,
    /// What is said about the current file, until it ends: the next file takes over its room.
    said: FileCoverage,
    roots: Vec<Box<str>>,
    diagnostics: Vec<Diagnostic>,
}

/// A file about which more may come.
#[derive(Debug)]
struct Draft {
    file: FileCoverage,
    join: Join,
    /// How many facts there were when it was last in order.
    ordered: usize,
}

impl Draft {
    fn facts(&self) -> usize {
        let file = &self.file;
        file.lines.len() + file.branches.len() + file.branch_counts.len() + file.functions.len()
    }

    fn order(&mut self) {
        self.file.normalize(self.join);
        self.ordered = self.facts();
    }
}

impl Collector {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the reports said, and what was wrong in them.
    pub fn finish(mut self) -> (Coverage, Vec<Diagnostic>) {
        self.end_file();
        let mut files = BTreeMap::new();
        let mut drafts: Vec<Option<Draft>> = self.files.into_iter().map(Some).collect();
        for (path, at) in self.names {
            if let Some(mut draft) = drafts.get_mut(at).and_then(Option::take) {
                draft.order();
                files.insert(path, draft.file);
            }
        }
        let roots = self.roots.into_iter().collect();
        (Coverage { files, roots }, self.diagnostics)
    }

    fn file(&mut self) -> Option<&mut FileCoverage> {
        self.current.map(|_| &mut self.said)
    }
}

/// Moves everything, into as much room as it takes where there was nothing before.
fn take_in<T>(into: &mut Vec<T>, from: &mut Vec<T>) {
    if into.is_empty() {
        into.reserve_exact(from.len());
    }
    into.append(from);
}

impl Visitor for Collector {
    fn root(&mut self, path: &str) {
        self.roots.push(path.into());
    }

    fn begin_file(&mut self, path: &str, join: Join) {
        self.end_file();
        if let Some(at) = self.names.get(path) {
            self.current = Some(*at);
            return;
        }
        self.current = Some(self.files.len());
        self.names.insert(path.into(), self.files.len());
        self.files.push(Draft {
            file: FileCoverage::default(),
            join,
            ordered: 0,
        });
    }

    #[inline]
    fn line(&mut self, number: u32, hits: Option<u64>) {
        let hits = Count::new(hits);
        if let Some(file) = self.file() {
            file.lines.push(Line { number, hits });
        }
    }

    #[inline]
    fn branch(&mut self, branch: BranchFact<'_>) {
        let arm = match branch.arm {
            ArmFact::Number(number) => Arm::Number(number),
            ArmFact::Text(text) => Arm::Text(text.into()),
        };
        let taken = Count::new(branch.taken);
        if let Some(file) = self.file() {
            file.branches.push(Branch {
                line: branch.line,
                block: branch.block,
                arm,
                taken,
                kind: branch.kind,
            });
        }
    }

    fn branch_count(&mut self, line: u32, covered: u32, total: u32) {
        let covered = covered.min(total);
        if let Some(file) = self.file() {
            file.branch_counts.push(BranchCount {
                line,
                covered,
                total,
            });
        }
    }

    fn function(&mut self, function: FunctionFact<'_>) {
        let FunctionFact {
            name,
            start,
            end,
            hits,
        } = function;
        let hits = Count::new(hits);
        if let Some(file) = self.file() {
            // The facts about a function mostly follow each other.
            let last = file.functions.last_mut().filter(|last| &*last.name == name);
            if let Some(last) = last
                && (last.hits.get().is_none_or(|hits| hits == 0) || hits.get().is_none())
            {
                use super::merge::Fact as _;
                let name = Box::default();
                last.absorb(
                    &Function {
                        name,
                        start,
                        end,
                        hits,
                    },
                    Join::Sum,
                );
                return;
            }
            let name = name.into();
            file.functions.push(Function {
                name,
                start,
                end,
                hits,
            });
        }
    }

    fn stated(&mut self, totals: Totals) {
        if let Some(file) = self.file() {
            file.stated = file.stated.larger(totals);
        }
    }

    fn end_file(&mut self) {
        let Some(draft) = self.current.take().and_then(|at| self.files.get_mut(at)) else {
            return;
        };
        let (file, said) = (&mut draft.file, &mut self.said);
        take_in(&mut file.lines, &mut said.lines);
        take_in(&mut file.branches, &mut said.branches);
        take_in(&mut file.branch_counts, &mut said.branch_counts);
        take_in(&mut file.functions, &mut said.functions);
        file.stated = file.stated.larger(std::mem::take(&mut said.stated));
        // Ordering only what has doubled keeps a file that comes a million times from being ordered
        // a million times.
        if draft.facts() > PILE.max(draft.ordered.saturating_mul(2)) {
            draft.order();
        }
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }
}
