//! Coverage as data: files with the lines, branches and functions that ran or did not.

use std::collections::{BTreeMap, BTreeSet};

use super::count::Count;
use super::packed::{Facts, Packed};
use super::totals::{Ratio, Totals};

/// The coverage of a set of files, keyed by path and in the order of their paths.
///
/// A line mostly takes two bytes, and a branch four.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    pub(super) files: BTreeMap<Box<str>, FileCoverage>,
    pub(super) roots: BTreeSet<Box<str>>,
}

impl Coverage {
    /// No file at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// The files with their paths, as the report wrote them or as a
    /// [`PathMap`](super::PathMap) made them.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&str, &FileCoverage)> {
        self.files.iter().map(|(path, file)| (&**path, file))
    }

    /// The file with the path `path`.
    pub fn file(&self, path: &str) -> Option<&FileCoverage> {
        self.files.get(path)
    }

    /// The directories against which relative paths stand, where the format has them (the
    /// `<source>` elements of Cobertura).
    pub fn roots(&self) -> impl ExactSizeIterator<Item = &str> {
        self.roots.iter().map(|root| &**root)
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Lines, branches and functions of all files.
    pub fn totals(&self) -> Totals {
        self.files
            .values()
            .map(FileCoverage::totals)
            .fold(Totals::default(), Totals::plus)
    }
}

/// The coverage of one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileCoverage {
    /// Each [`Line`] by number.
    pub(super) lines: Packed,
    /// Each [`Branch`] by line, block and arm.
    pub(super) branches: Packed,
    /// Each [`BranchCount`] by line: branches without a name.
    pub(super) branch_counts: Packed,
    /// Each [`Function`] by name.
    pub(super) functions: Packed,
    pub(super) stated: Totals,
}

impl FileCoverage {
    /// The lines that can run, by number.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = Line> + Clone {
        self.lines.facts()
    }

    /// The line with the number `number`, if it can run. It is looked for from the first on: who asks
    /// for many goes through [`lines`](Self::lines).
    pub fn line(&self, number: u32) -> Option<Line> {
        let mut from_there = self.lines().skip_while(|line| line.number < number);
        from_there.next().filter(|line| line.number == number)
    }

    /// The branches that the report tells apart, by line. See [`branch_ratios`](Self::branch_ratios)
    /// for those that it only counts.
    pub fn branches(&self) -> impl ExactSizeIterator<Item = Branch<'_>> + Clone {
        self.branches.facts()
    }

    /// The functions, by name.
    pub fn functions(&self) -> impl ExactSizeIterator<Item = Function<'_>> + Clone {
        self.functions.facts()
    }

    /// The innermost function that holds the line `number`. A function whose end the format does not
    /// give reaches as far as the next one.
    pub fn function_at(&self, number: u32) -> Option<Function<'_>> {
        let holds = |function: &Function<'_>| {
            function.start.is_some_and(|start| start <= number)
                && function.end.is_none_or(|end| number <= end)
        };
        let candidates = self.functions().filter(holds);
        candidates.max_by_key(|function| function.start)
    }

    /// The lines that have branches, each with how many of them were taken, by line. Where the same
    /// line has both branches with names and bare numbers, the larger account counts.
    pub fn branch_ratios(&self) -> impl Iterator<Item = (u32, Ratio)> {
        let mut named = NamedRatios::new(self.branches.facts());
        let mut counts = self.branch_counts.facts::<BranchCount>();
        let mut counted = counts.next();
        std::iter::from_fn(move || {
            let left = named.line();
            let right = counted.map(|count| count.line);
            let line = match (left, right) {
                (None, None) => return None,
                (Some(line), None) | (None, Some(line)) => line,
                (Some(a), Some(b)) => a.min(b),
            };
            let mut ratio = Ratio::default();
            if left == Some(line) {
                ratio = named.ratio_of(line);
            }
            if let Some(count) = counted.filter(|count| count.line == line) {
                counted = counts.next();
                let bare = count.ratio();
                let covered = ratio.covered.max(bare.covered);
                ratio = Ratio::new(covered, ratio.total.max(bare.total));
            }
            Some((line, ratio))
        })
    }

    /// How many lines, branches and functions are told apart.
    pub(super) fn facts(&self) -> usize {
        let Self {
            lines,
            branches,
            branch_counts,
            functions,
            ..
        } = self;
        lines.len() + branches.len() + branch_counts.len() + functions.len()
    }

    /// What the report itself states as sums, where it gives nothing finer.
    pub fn stated(&self) -> &Totals {
        &self.stated
    }

    /// Lines, branches and functions of the file: counted where the report lists them, otherwise
    /// what it states.
    ///
    /// A line whose hits are unknown counts as neither covered nor missed.
    pub fn totals(&self) -> Totals {
        let known = self.lines().filter_map(|line| line.hits.get());
        let lines = known.fold(Ratio::default(), |sum, hits| sum.with(hits > 0));
        let branches = self.branch_ratios().map(|(_, ratio)| ratio);
        let branches = branches.fold(Ratio::default(), Ratio::plus);
        let known = self.functions().filter_map(|it| it.hits.get());
        let functions = known.fold(Ratio::default(), |sum, hits| sum.with(hits > 0));
        Totals {
            lines: lines.or(self.stated.lines),
            branches: branches.or(self.stated.branches),
            functions: functions.or(self.stated.functions),
        }
    }

    /// The numbers of the lines that can run and did not.
    pub fn missed_lines(&self) -> impl Iterator<Item = u32> {
        let missed = self.lines().filter(|line| line.hits.get() == Some(0));
        missed.map(|line| line.number)
    }
}

/// The branches of each line, counted.
struct NamedRatios<'a> {
    branches: Facts<'a, Branch<'a>>,
    /// The line of the next branch, and that branch counted.
    line: Option<u32>,
    covered: u64,
    total: u64,
}

impl<'a> NamedRatios<'a> {
    fn new(branches: Facts<'a, Branch<'a>>) -> Self {
        let mut ratios = Self {
            branches,
            line: None,
            covered: 0,
            total: 0,
        };
        ratios.go_on();
        ratios
    }

    /// The next line that has branches.
    #[inline]
    fn line(&self) -> Option<u32> {
        self.line
    }

    #[inline]
    fn go_on(&mut self) {
        let Some(branch) = self.branches.next() else {
            self.line = None;
            return;
        };
        self.line = Some(branch.line);
        self.total = u64::from(branch.kind != BranchKind::Unreachable);
        self.covered = self.total & u64::from(branch.is_taken());
    }

    /// The branches of `line`, which is the next one that has some.
    #[inline]
    fn ratio_of(&mut self, line: u32) -> Ratio {
        let mut ratio = Ratio::default();
        while self.line == Some(line) {
            ratio.covered += self.covered;
            ratio.total += self.total;
            self.go_on();
        }
        ratio
    }
}

/// A line that can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub(super) number: u32,
    pub(super) hits: Count,
}

impl Line {
    /// Its number, from 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// How often it ran; 1 stands for "it did" where the format only says so. `None` when the
    /// report names the line and does not say.
    pub fn hits(self) -> Option<u64> {
        self.hits.get()
    }
}

/// A way that the code can go on from a line, told apart from the others of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch<'a> {
    pub(super) line: u32,
    pub(super) block: u32,
    pub(super) arm: Arm<'a>,
    pub(super) taken: Count,
    pub(super) kind: BranchKind,
}

impl<'a> Branch<'a> {
    /// The line that it leaves.
    pub fn line(self) -> u32 {
        self.line
    }

    /// The block of code that ends with it.
    pub fn block(self) -> u32 {
        self.block
    }

    /// Which of the ways out of the block it is.
    pub fn arm(self) -> Arm<'a> {
        self.arm
    }

    /// How often it was taken. `None` when the line itself never ran, or the report does not say.
    pub fn taken(self) -> Option<u64> {
        self.taken.get()
    }

    /// Whether it was taken at least once.
    pub fn is_taken(self) -> bool {
        self.taken.get().is_some_and(|taken| taken > 0)
    }

    /// What kind it is.
    pub fn kind(self) -> BranchKind {
        self.kind
    }
}

/// Which of the ways out of a block a branch is: a number, or the words of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arm<'a> {
    /// The number of the way.
    Number(u32),
    /// What the report calls it, such as `jump to line 7`.
    Text(&'a str),
}

impl std::fmt::Display for Arm<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What kind of branch it is, as far as the format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum BranchKind {
    /// A branch like any other.
    #[default]
    Plain,
    /// The way on to the next instruction.
    Fallthrough,
    /// The way of an exception.
    Exception,
    /// Known never to run; it counts nowhere.
    Unreachable,
}

/// How many branches a line has, where the format does not tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BranchCount {
    pub(super) line: u32,
    pub(super) covered: u32,
    pub(super) total: u32,
}

impl BranchCount {
    fn ratio(self) -> Ratio {
        Ratio::new(u64::from(self.covered), u64::from(self.total))
    }
}

/// A function, known by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) start: Option<u32>,
    pub(super) end: Option<u32>,
    pub(super) hits: Count,
}

impl<'a> Function<'a> {
    /// Its name, as the report writes it.
    pub fn name(self) -> &'a str {
        self.name
    }

    /// Its first line, where the report says it.
    pub fn start(self) -> Option<u32> {
        self.start
    }

    /// Its last line, where the report says it.
    pub fn end(self) -> Option<u32> {
        self.end
    }

    /// How often it was called; 1 stands for "it was" where the format only says so.
    pub fn hits(self) -> Option<u64> {
        self.hits.get()
    }
}
