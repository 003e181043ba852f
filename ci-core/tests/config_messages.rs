//! What people read when a vendor's file is wrong: typical mistakes with every message they lead to, as
//! snapshots to be read by eye, and the corpus's invalid files.
//!
//! `mistakes/*.txt` hold the mistakes: a title after `===`, and the file.
#![cfg(all(feature = "circleci", feature = "gitlab"))]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it is a test that prints figures"
)]

use std::fmt::Write as _;
use std::path::Path;

use ci_core::config::circleci::{CompileOptions, compile};
use ci_core::config::gitlab::{MemoryFiles, Options, Project};

/// The titles and the texts of a file of mistakes.
fn mistakes(file: &str) -> Vec<(&str, &str)> {
    let parts = file.split("=== ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap()).collect()
}

/// What is wrong with a CircleCI file; nothing if it is good.
fn circleci(text: &str, file: &str) -> Option<String> {
    let mut options = CompileOptions::default();
    options.pipeline.facts.branch = Some("main".to_owned());
    let done = compile(text, file, &options).and_then(|it| it.lower(None, &options));
    done.err().map(|error| error.to_string())
}

/// What is wrong with a GitLab file; nothing if it is good.
fn gitlab(text: &str) -> Option<String> {
    let files = MemoryFiles::from_iter([
        (".gitlab-ci.yml", text),
        (
            "typed.yml",
            "spec: {inputs: {n: {type: number}, s: {options: [a, b], default: a}}}\n---\nincluded: {script: 'echo $[[ inputs.n ]]'}\n",
        ),
    ]);
    let compiled = Project::load(&files, &Options::new());
    let done = compiled.and_then(|it| it.workflow().map(drop));
    done.err().map(|error| error.to_string())
}

/// The mistakes with their messages. Each is told, with a place.
fn told(file: &str, check: impl Fn(&str) -> Option<String>) -> (usize, String) {
    let all = mistakes(file);
    let mut out = String::new();
    let untold = all.iter().filter(|(_, text)| check(text).is_none());
    let untold: Vec<&str> = untold.map(|(title, _)| *title).collect();
    assert!(untold.is_empty(), "not told: {untold:#?}");
    for (title, text) in &all {
        let message = check(text).unwrap();
        let place = message.split(": ").next().unwrap();
        let numbers = place.rsplit(':').take(2);
        let has_place = numbers.clone().all(|it| it.parse::<u32>().is_ok()) && numbers.count() == 2;
        assert!(has_place, "`{title}` has no place: {message}");
        let _ = writeln!(out, "=== {title}\n{message}\n");
    }
    (all.len(), out)
}

#[test]
fn mistakes_in_circleci_files_are_told() {
    let (count, told) = told(include_str!("mistakes/circleci.txt"), |text| {
        circleci(text, "config.yml")
    });
    assert!(count >= 30, "{count}");
    insta::assert_snapshot!("circleci", told);
}

#[test]
fn mistakes_in_gitlab_files_are_told() {
    let (count, told) = told(include_str!("mistakes/gitlab.txt"), gitlab);
    assert!(count >= 30, "{count}");
    insta::assert_snapshot!("gitlab", told);
}

/// Files of the corpus that a language server finds fault with, and what the vendor would say: that a
/// definition is not used, or an image does not exist, is a remark there and no error.
#[test]
fn invalid_files_of_the_corpus_are_refused() {
    const REMARKS: [&str; 3] = ["bad-docker-image.yml", "unused-job.yml", "unused-orb.yml"];
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/corpus/configs/circleci-yaml-language-server/test-files/.circleci/invalid-files");
    let Ok(entries) = std::fs::read_dir(&dir) else {
        println!(
            "there is no corpus at {}: nothing is checked",
            dir.display()
        );
        return;
    };
    let mut counts = (0, 0);
    for entry in entries.flatten() {
        let name = entry.file_name().into_string().unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let error = circleci(&text, &name);
        println!("{name}: {}", error.as_deref().unwrap_or("good"));
        if let Some(error) = error {
            let begins = format!("{name}:");
            assert!(error.starts_with(&begins), "{name} has no place: {error}");
            counts.0 += 1;
        } else {
            assert!(REMARKS.contains(&name.as_str()), "{name} is accepted");
            counts.1 += 1;
        }
    }
    println!(
        "{} refused with a place, {} have remarks only",
        counts.0, counts.1
    );
}
