//! Tests of the score and of the lists.

use proptest::prelude::*;

use super::*;
use crate::tests::Outcome::{self, Failed, Passed, Skipped};

/// The one test of a history: each revision with what happened in it, in words of `p`, `f`, `s` and
/// `r` (passed when it was repeated).
fn judged(revisions: &[&str]) -> FlakyTest {
    let mut history = History::new();
    let mut time = 0;
    for (number, outcomes) in revisions.iter().enumerate() {
        let revision = number.to_string();
        for letter in outcomes.chars() {
            time += 1;
            let run = time.to_string();
            let outcome = match letter {
                'p' | 'r' => Passed,
                'f' => Failed,
                _ => Skipped,
            };
            let mut seen = Seen::new("a.B", "c", outcome);
            seen.flaky = letter == 'r';
            history.add(&seen.run(&run).revision(&revision).time(time));
        }
    }
    let mut tests = history.tests();
    assert_eq!(tests.len(), 1);
    tests.remove(0)
}

#[test]
fn contradictions_and_many_changes_make_the_score() {
    for (revisions, score) in [
        (&["p", "pp", "p"][..], 0.0),
        (&["f", "f"], 0.0),
        (&["pf", "p", "p", "p"], 0.25),
        (&["r", "r"], 1.0),
        // A bug that came and went.
        (&["p", "f", "f", "p"], 0.0),
        // Three changes more than that.
        (&["p", "f", "p", "f", "p", "f"], 0.25),
        (&["p", "sss", "p"], 0.0),
    ] {
        let test = judged(revisions);
        assert!((test.score - score).abs() < 1e-9, "{revisions:?}: {test:?}");
    }
}

#[test]
fn what_was_seen_is_told() {
    let test = judged(&["p", "pf", "s", "p"]);
    assert_eq!((test.runs, test.passed, test.failed), (4, 3, 1));
    assert_eq!((test.first_seen, test.last_seen), (1, 5));
    assert_eq!(test.last_failed, Some(3));
    assert_eq!(test.id(), "a.B::c");
}

#[test]
fn a_broken_test_is_not_put_in_quarantine() {
    let proposed = |revisions: &[&str]| {
        let mut history = History::new();
        for (number, outcomes) in revisions.iter().enumerate() {
            for letter in outcomes.chars() {
                let outcome = if letter == 'p' { Passed } else { Failed };
                let revision = number.to_string();
                let time = number as u64;
                history.add(&Seen::new("a", "b", outcome).revision(&revision).time(time));
            }
        }
        history.quarantine(0.1)
    };
    assert_eq!(proposed(&["pf", "p", "pf"]), ["a::b"]);
    assert_eq!(proposed(&["pf", "f", "f", "f"]), [""; 0]);
    assert_eq!(proposed(&["p", "p"]), [""; 0]);
}

#[test]
fn the_same_test_of_two_jobs_is_two() {
    let mut history = History::new();
    for (origin, outcome) in [("linux", Passed), ("mac", Failed)] {
        let mut seen = Seen::new("a", "b", outcome).revision("r");
        seen.origin = origin;
        history.add(&seen);
    }
    assert!(history.tests().iter().all(|test| test.score == 0.0));
}

#[test]
fn every_runner_gets_its_own_words() {
    let tests = [
        FailedTest::new("tests.test_net.TestPing", "test_slow[1]"),
        FailedTest::new("tests.test_net", "test_(x)").file(Some("t/net.py".into())),
        FailedTest::new("tests.test_net.TestPing", "test_slow[1]"),
    ];
    for (runner, expected) in [
        (
            Runner::Lines,
            &[
                "tests.test_net.TestPing::test_slow[1]",
                "tests.test_net::test_(x)",
            ][..],
        ),
        (Runner::Files, &["t/net.py"]),
        (
            Runner::Pytest,
            &[
                "tests/test_net.py::TestPing::test_slow[1]",
                "t/net.py::test_(x)",
            ],
        ),
        (
            Runner::Go,
            &[
                r"-run=^(test_slow\[1\]|test_\(x\))$",
                "tests.test_net.TestPing",
                "tests.test_net",
            ],
        ),
        (
            Runner::Jest,
            &[r"--testNamePattern=(test_slow\[1\]|test_\(x\))", "t/net.py"],
        ),
        (Runner::Cargo, &["--exact", "test_slow[1]", "test_(x)"]),
        (
            Runner::Nextest,
            &["-E", "test(=test_slow[1]) | test(=test_(x))"],
        ),
        (
            Runner::Maven,
            &["-Dtest=tests.test_net#test_,tests.test_net.TestPing#test_slow"],
        ),
        (
            Runner::Gradle,
            &[
                "--tests",
                "tests.test_net.TestPing.test_slow",
                "--tests",
                "tests.test_net.test_",
            ],
        ),
    ] {
        assert_eq!(arguments(runner, &tests), expected, "{runner:?}");
        assert!(arguments(runner, &[]).is_empty());
    }
    let subtest = [FailedTest::new("me/pkg", "TestA/sub")];
    assert_eq!(
        arguments(Runner::Go, &subtest),
        ["-run=^(TestA)$", "me/pkg"]
    );
}

fn seen() -> impl Strategy<Value = (u8, u8, u8, Outcome, bool)> {
    let outcome = prop::sample::select(vec![Passed, Failed, Skipped, Outcome::Error]);
    (0..3_u8, 0..4_u8, 0..6_u8, outcome, any::<bool>())
}

fn history(all: &[(u8, u8, u8, Outcome, bool)]) -> History {
    let mut history = History::new();
    for (name, revision, run, outcome, flaky) in all {
        let (name, revision) = (name.to_string(), revision.to_string());
        let run_name = run.to_string();
        let mut seen = Seen::new("c", &name, *outcome).run(&run_name);
        seen.flaky = *flaky && *outcome == Passed;
        history.add(&seen.revision(&revision).time(u64::from(*run)));
    }
    history
}

proptest! {
    #[test]
    fn the_order_in_which_it_is_told_does_not_matter(
        all in prop::collection::vec(seen(), 0..40), by in 0..40_usize
    ) {
        let mut turned = all.clone();
        turned.reverse();
        turned.rotate_left(by % all.len().max(1));
        prop_assert_eq!(history(&all).tests(), history(&turned).tests());
    }

    #[test]
    fn scores_are_shares_and_need_both_outcomes(all in prop::collection::vec(seen(), 0..40)) {
        for test in history(&all).tests() {
            prop_assert!((0.0..=1.0).contains(&test.score));
            let flaky = all.iter().any(|(name, _, _, outcome, flaky)| {
                name.to_string() == test.name && *flaky && *outcome == Passed
            });
            if !flaky && (test.passed == 0 || test.failed == 0) {
                prop_assert!(test.score == 0.0);
            }
            prop_assert!(test.first_seen <= test.last_seen);
        }
    }

    /// One more run that contradicts a revision never makes a test look better.
    #[test]
    fn another_contradiction_never_lowers_the_score(
        outcomes in prop::collection::vec(any::<bool>(), 1..12)
    ) {
        let told = |extra: bool| {
            let mut history = History::new();
            for (index, passed) in outcomes.iter().enumerate() {
                let revision = index.to_string();
                let seen = |passed| {
                    let outcome = if passed { Passed } else { Failed };
                    Seen::new("c", "n", outcome)
                };
                history.add(&seen(*passed).revision(&revision).time(index as u64));
                if extra {
                    history.add(&seen(!*passed).revision(&revision).time(index as u64));
                }
            }
            history.tests()[0].score
        };
        prop_assert!(told(true) >= told(false));
    }
}
