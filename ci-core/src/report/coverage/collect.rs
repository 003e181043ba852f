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
    pub fn finish(self) -> (Coverage, Vec<Diagnostic>) {
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
        let current = self.current?;
        self.files.get_mut(current).map(|draft| &mut draft.file)
    }
}

impl Visitor for Collector {
    fn root(&mut self, path: &str) {
        self.roots.push(path.into());
    }

    fn begin_file(&mut self, path: &str, join: Join) {
        let at = match self.names.get(path) {
            Some(at) => *at,
            None => {
                self.files.push(Draft {
                    file: FileCoverage::default(),
                    join,
                    ordered: 0,
                });
                self.names.insert(path.into(), self.files.len() - 1);
                self.files.len() - 1
            }
        };
        self.current = Some(at);
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
