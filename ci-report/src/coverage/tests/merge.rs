//! The laws of merging.

use proptest::prelude::*;

use super::*;

/// Something that a report can say about a file.
#[derive(Debug, Clone)]
enum Fact {
    Line(u32, Option<u64>),
    Branch(u32, u32, bool, Option<u64>, bool),
    Counted(u32, u32, u32),
    Function(String, Option<u32>, Option<u64>),
    Stated(u64, u64),
}

fn hits() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        Just(None),
        (0..4_u64).prop_map(Some),
        Just(Some(u64::MAX)),
        Just(Some(u64::MAX / 2))
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    let line = 1..6_u32;
    prop_oneof![
        4 => (line.clone(), hits()).prop_map(|(line, hits)| Fact::Line(line, hits)),
        2 => (line.clone(), 0..3_u32, any::<bool>(), hits(), any::<bool>())
            .prop_map(|(line, arm, named, taken, thrown)| Fact::Branch(line, arm, named, taken, thrown)),
        1 => (line.clone(), 0..3_u32, 0..4_u32).prop_map(|(line, a, b)| Fact::Counted(line, a, b)),
        2 => ("[fgh]", proptest::option::of(line), hits())
            .prop_map(|(name, start, hits)| Fact::Function(name, start, hits)),
        1 => (0..4_u64, 0..9_u64).prop_map(|(covered, total)| Fact::Stated(covered, total)),
    ]
}

fn coverage() -> impl Strategy<Value = Coverage> {
    let file = ("[ab]", proptest::collection::vec(fact(), 0..12));
    proptest::collection::vec(file, 0..4).prop_map(|files| {
        let mut collector = Collector::new();
        collector.root("/src");
        for (path, facts) in files {
            collector.begin_file(&path, Join::Sum);
            for fact in &facts {
                tell(fact, &mut collector);
            }
            collector.end_file();
        }
        collector.finish().0
    })
}

fn tell(fact: &Fact, collector: &mut Collector) {
    match fact {
        Fact::Line(line, hits) => collector.line(*line, *hits),
        Fact::Branch(line, arm, named, taken, thrown) => collector.branch(BranchFact {
            line: *line,
            block: 0,
            arm: if *named {
                Arm::Text("x")
            } else {
                Arm::Number(*arm)
            },
            taken: *taken,
            kind: if *thrown {
                BranchKind::Exception
            } else {
                BranchKind::Plain
            },
        }),
        Fact::Counted(line, covered, total) => collector.branch_count(*line, *covered, *total),
        Fact::Function(name, start, hits) => collector.function(FunctionFact {
            name,
            start: *start,
            end: *start,
            hits: *hits,
        }),
        Fact::Stated(covered, total) => {
            let lines = Ratio::new(*covered, *total);
            collector.stated(Totals {
                lines,
                ..Totals::default()
            });
        }
    }
}

fn merged(mut left: Coverage, right: &Coverage, join: Join) -> Coverage {
    left.merge_with(right.clone(), join);
    left
}

fn join() -> impl Strategy<Value = Join> {
    prop_oneof![Just(Join::Sum), Just(Join::Max)]
}

proptest! {
    #[test]
    fn merging_is_commutative(a in coverage(), b in coverage(), join in join()) {
        prop_assert_eq!(merged(a.clone(), &b, join), merged(b, &a, join));
    }

    #[test]
    fn merging_is_associative(a in coverage(), b in coverage(), c in coverage(), join in join()) {
        let left = merged(merged(a.clone(), &b, join), &c, join);
        prop_assert_eq!(left, merged(a, &merged(b, &c, join), join));
    }

    #[test]
    fn the_same_run_twice_is_the_run(a in coverage()) {
        prop_assert_eq!(merged(a.clone(), &a, Join::Max), a);
    }

    #[test]
    fn nothing_changes_nothing(a in coverage(), join in join()) {
        prop_assert_eq!(merged(a.clone(), &Coverage::new(), join), a.clone());
        prop_assert_eq!(merged(Coverage::new(), &a, join), a);
    }

    /// What LCOV can say comes back as it was written.
    #[test]
    fn lcov_is_read_as_it_was_written(a in coverage()) {
        let mut text = Vec::new();
        write_lcov(&a, &mut text).unwrap();
        if a.is_empty() {
            return Ok(());
        }
        let back = read(&text[..]).unwrap();
        prop_assert_eq!(back.diagnostics.len(), 0, "{:?}", back.diagnostics);
        for ((path, file), (back_path, back)) in a.files().zip(back.coverage.files()) {
            prop_assert_eq!(path, back_path);
            let known: Vec<_> = file.lines().filter(|line| line.hits().is_some()).collect();
            prop_assert_eq!(known, back.lines().collect::<Vec<_>>());
            let some = |file: &FileCoverage| -> Vec<_> {
                file.branch_ratios().filter(|(_, ratio)| ratio.total > 0).collect()
            };
            prop_assert_eq!(some(file), some(back));
        }
    }
}

/// A file that is told of in pieces, however large and in whatever order, is one file.
#[test]
fn the_pieces_of_a_large_file_are_one_file() {
    const LINES: u32 = 400_000;
    let told = |numbers: &mut dyn Iterator<Item = u32>, pieces: usize| {
        let mut collector = Collector::new();
        let numbers: Vec<_> = numbers.collect();
        for piece in numbers.chunks(numbers.len().div_ceil(pieces)) {
            collector.begin_file("a", Join::Sum);
            for number in piece {
                collector.line(*number, Some(1));
            }
            collector.end_file();
        }
        collector.finish().0
    };
    let whole = told(&mut (1..=LINES), 1);
    assert_eq!(whole.file("a").unwrap().lines().len(), LINES as usize);
    assert_eq!(told(&mut (1..=LINES).rev(), 1), whole);
    assert_eq!(told(&mut (1..=LINES).rev(), 1_000), whole);
    let twice = told(&mut (1..=LINES).chain(1..=LINES), 7);
    let line = twice.file("a").unwrap().line(LINES).unwrap();
    assert_eq!((line.number(), line.hits()), (LINES, Some(2)));
    assert_eq!(twice.totals(), whole.totals());
}
