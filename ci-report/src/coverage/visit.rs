//! What a coverage report says, piece by piece, for those who want no model in memory.

use super::count::Join;
use super::model::{Arm, BranchKind};
use super::totals::Totals;
use crate::Diagnostic;

/// Is told what stands in a report, in its order. Every method does nothing unless it is written.
///
/// A path can begin again after other files: reports that hold several test runs do so. How the
/// pieces of the same file join is said with [`begin_file`](Self::begin_file).
pub trait Visitor {
    /// A directory against which relative paths stand.
    fn root(&mut self, path: &str) {
        let _ = path;
    }

    /// What follows is about the file `path`. Counts of the same line, branch or function of it
    /// join as `join` says.
    fn begin_file(&mut self, path: &str, join: Join) {
        let _ = (path, join);
    }

    /// A line that can run, with how often it did; `None` when the report does not say.
    fn line(&mut self, number: u32, hits: Option<u64>) {
        let _ = (number, hits);
    }

    /// A branch that is told apart from the others of its line.
    fn branch(&mut self, branch: BranchFact<'_>) {
        let _ = branch;
    }

    /// How many branches of a line were taken, where they are not told apart.
    fn branch_count(&mut self, line: u32, covered: u32, total: u32) {
        let _ = (line, covered, total);
    }

    /// A function, or one more fact about it: the same name can come again.
    fn function(&mut self, function: FunctionFact<'_>) {
        let _ = function;
    }

    /// Sums of the file that the report states itself.
    fn stated(&mut self, totals: Totals) {
        let _ = totals;
    }

    /// The file is complete.
    fn end_file(&mut self) {}

    /// Something is wrong in the report; reading goes on where it can.
    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        let _ = diagnostic;
    }
}

/// A branch as a report gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BranchFact<'a> {
    /// The line that it leaves.
    pub line: u32,
    /// The block of code that ends with it.
    pub block: u32,
    /// Which of the ways out of the block it is.
    pub arm: Arm<'a>,
    /// How often it was taken; `None` when the line never ran.
    pub taken: Option<u64>,
    /// What kind it is.
    pub kind: BranchKind,
}

/// A function as a report gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FunctionFact<'a> {
    /// Its name, which makes it the same function within its file.
    pub name: &'a str,
    /// Its first line.
    pub start: Option<u32>,
    /// Its last line.
    pub end: Option<u32>,
    /// How often it was called.
    pub hits: Option<u64>,
}
