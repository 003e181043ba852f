//! Every JUnit file of the shared corpus gives exactly the counts that its table expects.
//!
//! The corpus is no part of the project. Where it is not there, this says so and passes.
#![expect(clippy::unwrap_used, reason = "helpers of a test")]
#![expect(
    clippy::print_stdout,
    reason = "the figure is what this test is run for"
)]

use std::fs;
use std::path::{Path, PathBuf};

use ci_report::tests::{Case, Counts, Format, Options, Parser, Visitor, read, write_junit};

/// Where the corpus is: beside the workspace, or where `CI_REPORT_CORPUS` says.
fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/reports");
    let corpus = std::env::var_os("CI_REPORT_CORPUS").map_or(beside, PathBuf::from);
    if corpus.join("EXPECTED_JUNIT.tsv").is_file() {
        return Some(corpus);
    }
    println!(
        "no corpus of reports in `{}`: nothing is checked",
        corpus.display()
    );
    None
}

/// The files of the table, each with tests, failures, errors and skipped tests.
fn table(corpus: &Path) -> Vec<(PathBuf, [u64; 4])> {
    let table = fs::read_to_string(corpus.join("EXPECTED_JUNIT.tsv")).unwrap();
    let rows = table.lines().skip(1).map(|line| {
        let mut cells = line.split('\t');
        let path = corpus.join(cells.next().unwrap());
        let counts = [(); 4].map(|()| cells.next().unwrap().parse().unwrap());
        (path, counts)
    });
    rows.collect()
}

fn counts(counts: &Counts) -> [u64; 4] {
    [counts.tests, counts.failed, counts.errors, counts.skipped]
}

#[derive(Default)]
struct Count(Counts);

impl Visitor for Count {
    fn case(&mut self, case: &Case) {
        self.0.add(case.outcome, case.flaky, case.time);
    }
}

#[test]
fn every_file_of_the_corpus_gives_exactly_the_expected_counts() {
    let Some(corpus) = corpus() else { return };
    let (mut exact, mut cases, mut wrong) = (0, 0, Vec::new());
    let table = table(&corpus);
    for (path, expected) in &table {
        let report = read(fs::File::open(path).unwrap()).unwrap();
        let found = counts(&report.counts);
        if found == *expected && report.format == Some(Format::Junit) {
            exact += 1;
            cases += found[0];
        } else {
            wrong.push(format!(
                "{}: {found:?} instead of {expected:?}",
                path.display()
            ));
        }
    }
    println!("{exact} of {} files exact, with {cases} cases", table.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_of_the_corpus_gives_the_same_in_small_pieces() {
    let Some(corpus) = corpus() else { return };
    for (path, expected) in table(&corpus) {
        let mut count = Count::default();
        let mut parser = Parser::new(Options::default());
        for piece in fs::read(&path).unwrap().chunks(61) {
            parser.feed(piece, &mut count);
        }
        parser.finish(&mut count);
        assert_eq!(counts(&count.0), expected, "{}", path.display());
    }
}

#[test]
fn every_file_of_the_corpus_is_the_same_when_written_and_read_again() {
    let Some(corpus) = corpus() else { return };
    for (path, expected) in table(&corpus) {
        let report = read(fs::File::open(&path).unwrap()).unwrap();
        let mut written = Vec::new();
        write_junit(&report, &mut written).unwrap();
        let again = read(&written[..]).unwrap();
        assert_eq!(counts(&again.counts), expected, "{}", path.display());
        assert_eq!(
            again.counts.flaky,
            report.counts.flaky,
            "{}",
            path.display()
        );
        assert_eq!(again.diagnostics, [], "{}", path.display());
    }
}
