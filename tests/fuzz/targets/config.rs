//! Configurations: any text compiles or is refused with bounded words.

use std::path::Path;

use ci_core::config::circleci::{CompileOptions, compile};
use ci_core::config::gitlab::{Expression, MemoryFiles, Options, Project};
use ci_core::config::import::{Imported, Target, github, jenkins};
use ci_core::config::problem::{ConfigError, Problems};
use ci_core::settings::Settings;
use ci_core::workflow::WorkflowSpec;
use ci_core::yaml::{Limits, Map, Node, Value, from_str, load, to_string};

use super::bytes::text;

/// What is wrong is told in so many problems at most.
fn bounded(error: &ConfigError) {
    assert!(!error.problems().is_empty(), "an error says what is wrong");
    let length = error.to_string().len();
    assert!(length <= 4 << 20, "{length} bytes of words");
}

/// The YAML layer: the values of a file, and any type out of it, which is written and read back the same.
pub fn yaml(bytes: &[u8]) {
    if let Ok(value) = from_str::<serde_json::Value>(&text(bytes)) {
        let written = to_string(&value);
        let back = from_str::<serde_json::Value>(&written);
        assert_eq!(back.ok(), Some(value), "{written}");
    }
    let mut problems = Problems::new();
    let Ok(documents) = load(&text(bytes), "fuzz.yml", &mut problems) else {
        return;
    };
    let limits = Limits::default();
    let (mut nodes, mut open) = (0, Vec::new());
    open.extend(documents.iter().map(|node| (node, 1)));
    while let Some((node, depth)) = open.pop() {
        nodes += 1;
        assert!(depth <= limits.depth + 1, "values are {depth} deep");
        assert!(nodes <= limits.nodes, "there are more values than allowed");
        let (seq, map) = (node.as_seq().unwrap_or_default(), node.as_map());
        open.extend(seq.iter().map(|node| (node, depth + 1)));
        open.extend(
            map.into_iter()
                .flat_map(Map::iter)
                .map(|(_, node)| (node, depth + 1)),
        );
    }
    assert!(
        documents
            .iter()
            .all(|node| Node::same(node, node) || has_nan(node))
    );
}

/// Whether a value has a number that is not itself.
fn has_nan(node: &Node) -> bool {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        if matches!(node.value, Value::Float(number) if number.is_nan()) {
            return true;
        }
        open.extend(node.as_seq().unwrap_or_default());
        open.extend(
            node.as_map()
                .into_iter()
                .flat_map(Map::iter)
                .map(|(_, node)| node),
        );
    }
    false
}

/// CircleCI files, compiled and lowered.
pub fn circleci(bytes: &[u8]) {
    let options = CompileOptions::default();
    match compile(&text(bytes), "fuzz.yml", &options) {
        Ok(compiled) => {
            if let Err(error) = compiled.lower(None, &options) {
                bounded(&error);
            }
        }
        Err(error) => bounded(&error),
    }
}

/// CircleCI's templates and conditions: the text stands as a condition and in a command.
pub fn circleci_expression(bytes: &[u8]) {
    let text = text(bytes);
    let (condition, command) = (quoted(&text), quoted(&format!("echo << {text} >>")));
    circleci(
        format!(
            "version: 2.1
jobs:
  a:
    docker: [{{image: alpine}}]
    steps:
      - run: {command}
      - when: {{condition: {condition}, steps: [run: 'true']}}
workflows:
  w: {{when: {condition}, jobs: [a]}}
"
        )
        .as_bytes(),
    );
}

/// A text between the double quotes of YAML, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// GitLab files, compiled and lowered.
pub fn gitlab(bytes: &[u8]) {
    let files = MemoryFiles::from_iter([
        (".gitlab-ci.yml", text(bytes).into_owned()),
        ("other.yml", "other: {script: [true]}".to_owned()),
    ]);
    match Project::load(&files, &Options::new()) {
        Ok(compiled) => {
            if let Err(error) = compiled.workflow() {
                bounded(&error);
            }
        }
        Err(error) => bounded(&error),
    }
}

/// GitLab's `rules:if`.
pub fn gitlab_rules(bytes: &[u8]) {
    let text = text(bytes);
    let variable = |name: &str| match name.len() % 4 {
        0 => None,
        1 => Some(String::new()),
        2 => Some("/a+/".to_owned()),
        _ => Some(name.to_owned()),
    };
    match Expression::parse(&text) {
        Ok(expression) => {
            let value = expression.evaluate(variable);
            assert_eq!(value.is_true(), expression.holds(variable));
        }
        Err(error) => assert!(error.at() <= text.len(), "the error stands in the text"),
    }
}

/// Workflows as JSON and YAML; what is read is written and read back the same.
pub fn workflow_form(bytes: &[u8]) {
    let text = text(bytes);
    for read in [
        WorkflowSpec::from_json(&text),
        WorkflowSpec::from_yaml(&text),
    ] {
        let Ok(spec) = read else {
            continue;
        };
        let written = spec.to_json();
        let Ok(written) = written else {
            panic!("what was read cannot be written: {written:?}");
        };
        let back = WorkflowSpec::from_json(&written);
        assert_eq!(back.ok().as_ref(), Some(&spec), "{written}");
    }
}

/// The settings of a project.
pub fn settings(bytes: &[u8]) {
    if let Err(error) = Settings::parse(&text(bytes), Path::new("fuzz.yml")) {
        assert!(!error.to_string().is_empty());
    }
}

/// GitHub Actions workflows, converted both ways: what comes out can be written.
pub fn import_github(bytes: &[u8]) {
    imported(|target| github(&[("fuzz.yml", &text(bytes))], target));
}

/// Jenkins files, converted both ways.
pub fn import_jenkins(bytes: &[u8]) {
    imported(|target| jenkins(&[("Jenkinsfile", &text(bytes))], target));
}

fn imported(convert: impl Fn(Target) -> Result<Imported, ConfigError>) {
    for target in [Target::CircleCi, Target::GitLab] {
        match convert(target) {
            Ok(imported) => {
                assert!(from_str::<serde_json::Value>(&imported.to_yaml()).is_ok());
                let steps = imported.steps;
                assert_eq!(steps.converted + steps.listed, steps.total);
                assert!(
                    steps.listed <= imported.notes.len(),
                    "a step went in silence"
                );
            }
            Err(error) => bounded(&error),
        }
    }
}
