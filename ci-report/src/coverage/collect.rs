//! Builds the model out of what a report says.

use std::collections::{BTreeMap, HashMap};

use super::count::{Count, Join};
use super::model::{Branch, BranchCount, Coverage, FileCoverage, Function, Line};
use super::packed::Packing;
use super::totals::Totals;
use super::visit::{BranchFact, FunctionFact, Visitor};
use crate::Diagnostic;

/// How many bytes the facts of a kind may take before they are put in order.
const PILE: usize = 512 * 1024;

/// A [`Visitor`] that keeps everything.
#[derive(Debug, Default)]
pub struct Collector {
    names: HashMap<Box<str>, usize>,
    files: Vec<Draft>,
    current: Option<usize>,
    /// What is said about the current file, until it ends: the next file takes over its room.
    said: Said,
    roots: Vec<Box<str>>,
    diagnostics: Vec<Diagnostic>,
}

/// Facts about a file in the order in which they came.
#[derive(Debug, Default)]
struct Said {
    lines: Packing,
    branches: Packing,
    branch_counts: Packing,
    functions: Packing,
    stated: Totals,
}

impl Said {
    /// Everything in order. What comes next has the same room.
    fn take(&mut self, join: Join) -> FileCoverage {
        let file = FileCoverage {
            lines: self.lines.pack::<Line>(join),
            branches: self.branches.pack::<Branch<'_>>(join),
            branch_counts: self.branch_counts.pack::<BranchCount>(join),
            functions: self.functions.pack::<Function<'_>>(join),
            stated: std::mem::take(&mut self.stated),
        };
        self.lines.clear();
        self.branches.clear();
        self.branch_counts.clear();
        self.functions.clear();
        file
    }
}

/// A file about which more may come.
#[derive(Debug)]
struct Draft {
    /// What came at each time, in order. Each has more than twice the facts of the next, so that a
    /// file that comes a million times is not put in order a million times.
    parts: Vec<FileCoverage>,
    join: Join,
}

impl Draft {
    fn add(&mut self, mut part: FileCoverage) {
        while let Some(mut last) = (self.parts).pop_if(|last| last.facts() / 2 <= part.facts()) {
            last.merge_with(&part, self.join);
            part = last;
        }
        // Mostly it stays the only one.
        self.parts.reserve_exact(1);
        self.parts.push(part);
    }

    fn finish(self) -> FileCoverage {
        let join = self.join;
        let parts = self.parts.into_iter().rev();
        let all = parts.reduce(|mut all, part| {
            all.merge_with(&part, join);
            all
        });
        all.unwrap_or_default()
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
            if let Some(draft) = drafts.get_mut(at).and_then(Option::take) {
                files.insert(path, draft.finish());
            }
        }
        let roots = self.roots.into_iter().collect();
        (Coverage { files, roots }, self.diagnostics)
    }

    /// Puts the facts of the current file in order when those of a kind, which take so many bytes, are
    /// too many to wait longer.
    #[inline]
    fn bound(&mut self, size: usize) {
        if size > PILE {
            self.put_in_order();
        }
    }

    #[cold]
    fn put_in_order(&mut self) {
        if let Some(draft) = self.current.and_then(|at| self.files.get_mut(at)) {
            draft.add(self.said.take(draft.join));
        }
    }
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
            parts: Vec::new(),
            join,
        });
    }

    #[expect(
        clippy::inline_always,
        reason = "a fact that goes by way of memory has to wait until it is there"
    )]
    #[inline(always)]
    fn line(&mut self, number: u32, hits: Option<u64>) {
        if self.current.is_some() {
            let hits = Count::new(hits);
            let size = self.said.lines.push(Line { number, hits });
            self.bound(size);
        }
    }

    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn branch(&mut self, branch: BranchFact<'_>) {
        let BranchFact {
            line,
            block,
            arm,
            taken,
            kind,
        } = branch;
        if self.current.is_some() {
            let taken = Count::new(taken);
            let size = self.said.branches.push(Branch {
                line,
                block,
                arm,
                taken,
                kind,
            });
            self.bound(size);
        }
    }

    fn branch_count(&mut self, line: u32, covered: u32, total: u32) {
        if self.current.is_some() {
            let covered = covered.min(total);
            let size = self.said.branch_counts.push(BranchCount {
                line,
                covered,
                total,
            });
            self.bound(size);
        }
    }

    fn function(&mut self, function: FunctionFact<'_>) {
        let FunctionFact {
            name,
            start,
            end,
            hits,
        } = function;
        if self.current.is_some() {
            let hits = Count::new(hits);
            let size = self.said.functions.push(Function {
                name,
                start,
                end,
                hits,
            });
            self.bound(size);
        }
    }

    fn stated(&mut self, totals: Totals) {
        if self.current.is_some() {
            self.said.stated = self.said.stated.larger(totals);
        }
    }

    fn end_file(&mut self) {
        self.put_in_order();
        self.current = None;
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }
}
