//! Conversions: what comes out, that it compiles, and that nothing goes in silence.

mod samples;

use proptest::prelude::*;

use super::{Imported, Target, github, jenkins};
use crate::config::circleci::{CompileOptions, compile};

fn both(convert: impl Fn(Target) -> Imported) -> [Imported; 2] {
    [convert(Target::CircleCi), convert(Target::GitLab)]
}

/// The file and the notes, for people.
fn shown(imported: &Imported) -> String {
    let notes: Vec<String> = imported.notes.iter().map(ToString::to_string).collect();
    format!("{}\n---\n{}", imported.to_yaml(), notes.join("\n"))
}

/// What was written is a file of its vendor.
fn compiles(imported: &Imported) {
    let text = imported.to_yaml();
    match imported.target {
        Target::CircleCi => {
            let options = CompileOptions::default();
            match compile(&text, "config.yml", &options) {
                Ok(compiled) => {
                    if let Err(error) = compiled.lower(None, &options) {
                        panic!("{error}\n{text}");
                    }
                }
                Err(error) => panic!("{error}\n{text}"),
            }
        }
        Target::GitLab => {
            #[cfg(feature = "gitlab")]
            {
                use crate::config::gitlab::{MemoryFiles, Options, Project};
                let files = MemoryFiles::from_iter([(".gitlab-ci.yml", text.clone())]);
                if let Err(error) = Project::load(&files, &Options::new()) {
                    panic!("{error}\n{text}");
                }
            }
        }
    }
}

#[test]
fn github_workflows_become_files_that_compile() {
    for ((name, text), steps) in samples::GITHUB.into_iter().zip([8, 7, 4, 7, 4, 5]) {
        for imported in both(|target| github(&[(name, text)], target).unwrap()) {
            compiles(&imported);
            assert_eq!(
                imported.steps.converted + imported.steps.listed,
                imported.steps.total,
                "{name}"
            );
            assert_eq!(imported.steps.total, steps, "{name}");
        }
    }
}

#[test]
fn what_comes_out_of_github() {
    for (name, text) in samples::GITHUB {
        for (imported, to) in both(|target| github(&[(name, text)], target).unwrap())
            .iter()
            .zip(["circleci", "gitlab"])
        {
            insta::assert_snapshot!(format!("github_{name}_{to}"), shown(imported));
        }
    }
}

#[test]
fn what_comes_out_of_jenkins() {
    for (name, text) in samples::JENKINS {
        for (imported, to) in both(|target| jenkins(&[(name, text)], target).unwrap())
            .iter()
            .zip(["circleci", "gitlab"])
        {
            compiles(imported);
            insta::assert_snapshot!(format!("jenkins_{name}_{to}"), shown(imported));
        }
    }
}

#[test]
fn several_files_become_one() {
    let files: Vec<(&str, &str)> = samples::GITHUB
        .iter()
        .map(|(name, text)| (*name, *text))
        .collect();
    for imported in both(|target| github(&files, target).unwrap()) {
        compiles(&imported);
    }
}

#[test]
fn files_that_are_none_are_refused_with_their_place() {
    let wrong = |text: &str| {
        jenkins(&[("Jenkinsfile", text)], Target::CircleCi)
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(
        [
            wrong(""),
            wrong("node { sh 'x' }"),
            wrong("pipeline {\n  stages {\n"),
            wrong("pipeline { agent any }"),
            wrong("pipeline { stages { } }"),
            wrong("pipeline {\n  stages { stage('a) { } } }\n}"),
            wrong("/* pipeline { }"),
            wrong(&format!("pipeline {}", "a {".repeat(100))),
            github(&[("ci.yml", "a: 1")], Target::CircleCi)
                .unwrap_err()
                .to_string(),
            github(&[("ci.yml", "a: [")], Target::CircleCi)
                .unwrap_err()
                .to_string(),
        ]
        .join("\n")
    );
}

proptest! {
    #[test]
    fn any_text_is_converted_or_refused(text in "(pipeline \\{ ?)?[a-z{}()\\[\\]'\"$,:=\n -]{0,200}") {
        let _ = jenkins(&[("f", &text)], Target::GitLab);
        let _ = github(&[("f", &text)], Target::CircleCi);
    }

    #[test]
    fn any_expression_in_a_workflow_leaves_a_file_that_can_be_read(expression in "[a-z.()'!&|=${} ]{0,40}") {
        let quoted = serde_json::Value::from(expression).to_string();
        let text = format!("jobs:\n  a:\n    if: {quoted}\n    steps: [{{run: {quoted}, if: {quoted}}}]\n");
        for target in [Target::CircleCi, Target::GitLab] {
            let written = github(&[("f", &text)], target).unwrap().to_yaml();
            prop_assert!(crate::yaml::from_str::<serde_json::Value>(&written).is_ok());
        }
    }
}
