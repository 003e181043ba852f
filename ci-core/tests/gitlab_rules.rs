//! The expressions of `rules:if` against the verdicts that GitLab gives.
#![cfg(feature = "gitlab")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test says what it found"
)]

use std::path::{Path, PathBuf};

use ci_core::config::gitlab::{Expression, Value};

fn variable(name: &str) -> Option<String> {
    Some(
        match name {
            "PRESENT_VARIABLE" => "my variable",
            "PATH_VARIABLE" => "a/path/variable/value",
            "FULL_PATH_VARIABLE" => "/a/full/path/variable/value",
            "EMPTY_VARIABLE" => "",
            "teststring" => "abcde",
            "pattern1" => "/^ab.*/",
            "pattern2" => "/^at.*/",
            _ => return None,
        }
        .to_owned(),
    )
}

/// The corpus beside the project, or further out.
fn corpus() -> Option<PathBuf> {
    let outer = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    outer
        .map(|dir| dir.join("shared/corpus/configs"))
        .find(|dir| dir.is_dir())
}

fn written(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Text(text) => format!("\"{text}\""),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_row_of_the_table_has_its_verdict() {
    let table = corpus().map(|dir| std::fs::read_to_string(dir.join("gitlab-rules-if.tsv")));
    let Some(Ok(table)) = table else {
        eprintln!("the table is not on this machine: nothing to compare with");
        return;
    };
    let mut wrong = Vec::new();
    let mut rows = 0;
    for row in table
        .lines()
        .filter(|row| row.contains('\t') && !row.starts_with('#'))
    {
        let columns: Vec<&str> = row.split('\t').collect();
        let [text, value, included] = columns[..] else {
            panic!("a row with {} columns: {row}", columns.len());
        };
        rows += 1;
        let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found = expression.evaluate(variable);
        if found.is_true().to_string() != included || (value != "-" && written(&found) != value) {
            wrong.push(format!("{row}\tfound {}", written(&found)));
        }
    }
    println!("{} of {rows} rows agree", rows - wrong.len());
    assert!(rows > 0 && wrong.is_empty(), "{}", wrong.join("\n"));
}
