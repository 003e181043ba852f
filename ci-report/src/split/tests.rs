//! Tests of the split: nothing lost, nothing twice, the same everywhere, close to even.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn names_are_found_in_every_spelling() {
    let timings: Timings = [
        ("tests/test_a.py::TestX::test_one", 1.0),
        ("tests/test_a.py::TestX::test_two", 2.0),
        ("tests/test_a.py::test_three", 4.0),
        ("tests.test_b", 8.0),
        ("com.me.ATest", 16.0),
        ("com.me.BTest#first", 32.0),
        ("com.me.BTest#second", 32.0),
        ("spec/models/user_spec.rb", 128.0),
    ]
    .into_iter()
    .collect();
    let cases = [
        ("tests/test_a.py", Some((7.0, Match::Parts))),
        ("./tests/test_a.py", Some((7.0, Match::Parts))),
        ("tests\\test_a.py", Some((7.0, Match::Parts))),
        ("tests/test_a.py::TestX", Some((3.0, Match::Parts))),
        ("tests.test_b", Some((8.0, Match::Exact))),
        ("tests/test_b.py", Some((8.0, Match::Spelling))),
        ("src/test/java/com/me/ATest.java", Some((16.0, Match::End))),
        (
            "src/test/java/com/me/BTest.java",
            Some((64.0, Match::Parts)),
        ),
        ("com.me.BTest", Some((64.0, Match::Parts))),
        ("models/user_spec.rb", Some((128.0, Match::End))),
        ("tests/unit", None),
        ("test_c.py", None),
    ];
    for (name, expected) in cases {
        assert_eq!(timings.get(name), expected, "`{name}`");
    }
}

#[test]
fn what_is_unknown_counts_as_the_median() {
    let timings: Timings = [("a", 1.0), ("b", 3.0), ("c", 100.0)].into_iter().collect();
    let split = by_timings(["a", "b", "c", "new"], &timings, 2);
    let why = split.explanation();
    assert!((why.assumed - 3.0).abs() < 1e-9);
    assert_eq!(why.unmatched, ["new"]);
    assert_eq!(why.matched.len(), 3);
    assert_eq!(split.shards(), [vec!["c"], vec!["a", "b", "new"]]);
}

#[test]
fn names_alone_are_dealt_out_in_turn() {
    let split = by_name(["d", "b", "a", "c", "a"], 2);
    assert_eq!(split.shards(), [vec!["a", "c"], vec!["d", "b"]]);
    assert!(split.shard(7).is_empty());
}

#[test]
fn files_are_shared_out_by_size() {
    let size = |name: &str| (name != "gone").then_some(name.len() as u64);
    let split = by_filesize(["aaaa", "bb", "c", "gone"], size, 2);
    assert_eq!(split.explanation().unmatched, ["gone"]);
    assert_eq!(split.explanation().seconds, [5.0, 4.0]);
}

#[test]
fn odd_numbers_of_shards_are_no_trouble() {
    let none = by_timings(Vec::<String>::new(), &Timings::new(), 3);
    assert!(none.shard(0).is_empty());
    let all = by_timings(["a", "b"], &Timings::new(), 0);
    assert_eq!(all.shard(0), ["a", "b"]);
    let many = by_timings(["a", "b"], &Timings::new(), usize::MAX);
    assert_eq!(many.shards().iter().map(Vec::len).sum::<usize>(), 2);
}

fn names() -> impl Strategy<Value = Vec<(String, Option<f64>)>> {
    let name = "[a-c]{1,3}(/[a-c]{1,2})?";
    proptest::collection::vec((name, proptest::option::of(0.0..100.0)), 0..40)
}

fn timings(names: &[(String, Option<f64>)]) -> Timings {
    let known = names
        .iter()
        .filter_map(|(name, seconds)| Some((name, (*seconds)?)));
    known.collect()
}

proptest! {
    #[test]
    fn every_name_is_in_exactly_one_shard(names in names(), shards in 0..9_usize) {
        let plain: Vec<_> = names.iter().map(|(name, _)| name.clone()).collect();
        let expected: BTreeSet<_> = plain.iter().cloned().collect();
        for split in [
            by_timings(&plain, &timings(&names), shards),
            by_filesize(&plain, |name| Some(name.len() as u64), shards),
            by_name(&plain, shards),
        ] {
            let all: Vec<_> = split.shards().concat();
            prop_assert_eq!(all.len(), expected.len());
            prop_assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), expected.clone());
        }
    }

    #[test]
    fn the_order_of_the_names_does_not_matter(names in names(), shards in 1..9_usize) {
        let plain: Vec<_> = names.iter().map(|(name, _)| name.clone()).collect();
        let turned: Vec<_> = plain.iter().rev().cloned().collect();
        let times = timings(&names);
        let sets = |split: &Split| -> Vec<BTreeSet<String>> {
            split.shards().iter().map(|shard| shard.iter().cloned().collect()).collect()
        };
        let (left, right) = (by_timings(&plain, &times, shards), by_timings(&turned, &times, shards));
        prop_assert_eq!(sets(&left), sets(&right));
        let (left, right) = (by_name(&plain, shards), by_name(&turned, shards));
        prop_assert_eq!(sets(&left), sets(&right));
    }

    /// Any list schedule ends within the mean load and one further test.
    #[test]
    fn no_shard_has_more_than_the_bound(names in names(), shards in 1..9_usize) {
        let plain: BTreeSet<_> = names.iter().map(|(name, _)| name.clone()).collect();
        let times = timings(&names);
        let split = by_timings(&plain, &times, shards);
        let why = split.explanation();
        let weight = |name: &String| times.get(name).map_or(why.assumed, |(seconds, _)| seconds);
        let longest = plain.iter().map(weight).fold(0.0, f64::max);
        let total: f64 = plain.iter().map(weight).sum();
        let count = u32::try_from(shards).map(f64::from).unwrap();
        let bound = total / count + longest * (1.0 - 1.0 / count);
        let most = why.seconds.iter().copied().fold(0.0, f64::max);
        prop_assert!(most <= bound + 1e-6, "{most} is more than {bound}");
    }
}
