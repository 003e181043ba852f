//! The fuzz targets driven on stable Rust, over their seeds and a bounded number of changed ones, so
//! that the targets cannot rot and the plainest bugs cannot return.
//!
//! To search for longer: `CI_FUZZ_ROUNDS=100000 cargo test -p ci-tests --test fuzz`, or cargo-fuzz, see
//! `tests/fuzz/Cargo.toml`.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::unnecessary_debug_formatting,
    reason = "a test fails by panicking, and paths are told as they are"
)]

mod mutate;
#[path = "../targets/mod.rs"]
#[expect(
    unreachable_pub,
    reason = "the same files are the library of cargo-fuzz's package"
)]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use mutate::Mutator;
use targets::TARGETS;

/// Changed inputs of a target, unless told.
fn usual_rounds(name: &str) -> u64 {
    match name {
        // Each input makes a directory.
        "archive" => 100,
        // Each input builds a finder of its own, or compiles a whole file.
        "masking" | "circleci_expression" => 200,
        _ => 500,
    }
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The seeds of a target, in the order of their names.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let dir = here().join("seeds").join(target);
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{dir:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|it| std::fs::read(it).unwrap()).collect();
    assert!(!seeds.is_empty(), "{dir:?} has no seeds");
    seeds
}

/// Gives the target one input; one that breaks it is kept for whoever looks into it.
fn give(name: &str, target: fn(&[u8]), input: &[u8], round: u64) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{round}"));
        std::fs::write(&path, input).unwrap();
        panic!("`{name}` breaks in round {round}; its input is in {path:?}");
    }
}

fn drive(name: &str) {
    let target = targets::target(name);
    let seeds = seeds(name);
    for (number, seed) in (0..).zip(&seeds) {
        give(name, target, seed, number);
    }
    let rounds = std::env::var("CI_FUZZ_ROUNDS").ok();
    let rounds = rounds.map_or_else(|| usual_rounds(name), |rounds| rounds.parse().unwrap());
    let mut mutator = Mutator::new(seeds);
    for round in 0..rounds {
        let input = mutator.next_input();
        give(name, target, &input, round);
    }
}

macro_rules! smoke {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            drive(stringify!($name));
        })*

        const DRIVEN: &[&str] = &[$(stringify!($name)),*];
    };
}

smoke! {
    archive circleci circleci_expression gitlab gitlab_rules import_github import_jenkins masking
    measure_findings measure_values report_coverage report_diff
    report_glob report_input report_junit_writer report_split report_tests report_xml settings
    workflow_form yaml
}

#[test]
fn every_target_is_driven_here_and_by_cargo_fuzz() {
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, DRIVEN);
    let manifest = std::fs::read_to_string(here().join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let wrapper = here().join("fuzz_targets").join(format!("{name}.rs"));
        let wrapper = std::fs::read_to_string(&wrapper).unwrap();
        assert!(wrapper.contains(&format!("target(\"{name}\")")), "{name}");
    }
    let wrappers = std::fs::read_dir(here().join("fuzz_targets")).unwrap();
    assert_eq!(wrappers.count(), names.len());
}
