//! The form survives a round trip, keeps the contract, and is what the published schema says.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::event_schema;
use crate::event::{EventRecord, RunEvent, fixtures};

proptest! {
    #[test]
    fn every_record_survives_json(record in fixtures::any_record()) {
        let text = serde_json::to_string(&record).unwrap();
        prop_assert!(!text.contains('\n'), "one line: {text}");
        let back: EventRecord = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back, record);
    }
}

#[test]
fn no_object_has_a_field_twice() {
    for record in fixtures::samples() {
        let text = serde_json::to_string(&record).unwrap();
        for field in ["v", "seq", "time", "run", "type"] {
            let named = outermost(&text).matches(&format!("\"{field}\":")).count();
            assert_eq!(named, 1, "{text}");
        }
    }
}

/// An object without the objects and lists in it. No text of the samples holds a brace or a bracket.
fn outermost(text: &str) -> String {
    let mut depth = 0;
    let mut outer = String::new();
    for letter in text.chars() {
        depth += i32::from(matches!(letter, '{' | '['));
        if depth == 1 {
            outer.push(letter);
        }
        depth -= i32::from(matches!(letter, '}' | ']'));
    }
    outer
}

#[test]
fn the_last_event_is_the_contract() {
    let record = fixtures::samples().pop().unwrap();
    assert_eq!(
        serde_json::to_value(&record).unwrap(),
        json!({
            "v": 1,
            "seq": record.seq,
            "time": record.time.as_millis(),
            "type": "run_finished",
            "run": record.run.to_string(),
            "outcome": "failed",
            "duration": 43.5,
            "jobs": [
                {"name": "lint", "outcome": "failed", "exit_code": 1, "reason": "exit code 1",
                 "attempts": 2, "duration": 1.25, "allowed": false},
                {"name": "build", "outcome": "not_run", "exit_code": null,
                 "reason": "`lint` failed", "attempts": 0, "duration": 0.0, "allowed": false},
            ],
            "budgets": [{"stage": "check", "limit": 300.0, "spent": 312.0}],
        })
    );
}

#[test]
fn a_last_event_without_budgets_is_that_of_older_versions() {
    let mut record = fixtures::samples().pop().unwrap();
    let mut value = serde_json::to_value(&record).unwrap();
    assert!(value.as_object_mut().unwrap().remove("budgets").is_some());
    let read: EventRecord = serde_json::from_value(value.clone()).unwrap();
    if let RunEvent::RunFinished { budgets, .. } = &mut record.event {
        budgets.clear();
    }
    assert_eq!(read, record);
    assert_eq!(serde_json::to_value(&record).unwrap(), value);
}

#[test]
fn a_newer_version_and_broken_objects_are_refused() {
    let parse = |value: Value| serde_json::from_value::<EventRecord>(value).unwrap_err();
    let mut newer = serde_json::to_value(&fixtures::samples()[1]).unwrap();
    newer["v"] = json!(2);
    assert_eq!(
        parse(newer.clone()).to_string(),
        "the event has version `2`, and this program knows no version after `1`"
    );
    newer["v"] = json!("one");
    assert!(parse(newer).to_string().starts_with("`v`: "));
    assert_eq!(parse(json!({})).to_string(), "missing field `v`");
}

/// Compares `text` with the published file, or writes the file when `UPDATE_SCHEMA` is set.
fn published(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("schema")
        .join(file);
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there.replace("\r\n", "\n") == text,
        "schema/{file} is out of date: run the tests of ci-core with UPDATE_SCHEMA=1"
    );
}

#[test]
fn the_published_schema_is_in_step() {
    published("events.schema.json", &event_schema());
}

#[test]
fn there_is_a_sample_of_every_event() {
    let schema: Value = serde_json::from_str(&event_schema()).unwrap();
    let known: BTreeSet<&str> = variants(&schema).iter().map(type_of).collect();
    let samples = fixtures::samples();
    let told: Vec<Value> = samples
        .iter()
        .map(|record| serde_json::to_value(record).unwrap())
        .collect();
    let told: BTreeSet<&str> = told.iter().filter_map(|v| v["type"].as_str()).collect();
    assert_eq!(known, told);
}

/// What stands above the generated part of EVENTS.md.
const MARK: &str =
    "<!-- From here on written by the tests: UPDATE_SCHEMA=1 cargo test -p ci-core wire -->\n";

#[test]
fn the_documentation_is_in_step() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schema/EVENTS.md");
    let there = std::fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    let (by_hand, _) = there.split_once(MARK).expect("EVENTS.md lost its mark");
    published("EVENTS.md", &format!("{by_hand}{MARK}{}", reference()));
}

fn variants(schema: &Value) -> &Vec<Value> {
    schema["oneOf"].as_array().unwrap()
}

fn type_of(variant: &Value) -> &str {
    variant["properties"]["type"]["const"].as_str().unwrap()
}

/// Every event and every field, with an example line.
fn reference() -> String {
    let schema: Value = serde_json::from_str(&event_schema()).unwrap();
    let mut text = String::from("\n## Fields of every event\n\n");
    fields(&mut text, &schema, &[]);
    text.push_str("\n## Events\n");
    let samples = fixtures::samples();
    for variant in variants(&schema) {
        let name = type_of(variant);
        let about = variant["description"]
            .as_str()
            .expect("every event is documented");
        write!(text, "\n### `{name}`\n\n{}\n\n", about.replace('\n', " ")).unwrap();
        fields(&mut text, variant, &["type"]);
        let line = samples
            .iter()
            .map(|record| serde_json::to_string(record).unwrap())
            .find(|line| line.contains(&format!("\"type\":\"{name}\"")))
            .unwrap();
        write!(text, "\n```json\n{line}\n```\n").unwrap();
    }
    text.push_str("\n## Values\n");
    for (name, value) in schema["$defs"].as_object().unwrap() {
        let about = value["description"]
            .as_str()
            .expect("every value is documented");
        write!(text, "\n### {name}\n\n{}\n\n", about.replace('\n', " ")).unwrap();
        if value.get("properties").is_some() {
            fields(&mut text, value, &[]);
        } else if let Some(choices) = value["oneOf"].as_array() {
            for choice in choices {
                let word = choice["const"].as_str().unwrap();
                let about = choice["description"].as_str().unwrap();
                writeln!(text, "- `{word}`: {about}").unwrap();
            }
        }
    }
    text
}

/// A table of the properties of an object.
fn fields(text: &mut String, object: &Value, except: &[&str]) {
    text.push_str("| field | value | meaning |\n|---|---|---|\n");
    let required: BTreeSet<&str> = object["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, property) in object["properties"].as_object().unwrap() {
        if except.contains(&name.as_str()) {
            continue;
        }
        let about = property["description"]
            .as_str()
            .unwrap_or_else(|| panic!("`{name}` is not documented"))
            .replace('\n', " ");
        let optional = if required.contains(name.as_str()) {
            ""
        } else {
            ", may be left out"
        };
        writeln!(
            text,
            "| `{name}` | {}{optional} | {about} |",
            shape(property)
        )
        .unwrap();
    }
}

/// What a property holds, in a few words.
fn shape(property: &Value) -> String {
    if let Some(reference) = property["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = property["anyOf"].as_array() {
        let shapes: Vec<String> = choices.iter().map(shape).collect();
        return shapes.join(" or ");
    }
    match &property["type"] {
        Value::String(kind) if kind == "array" => format!("array of {}", shape(&property["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            kinds.join(" or ")
        }
        _ => "any".to_owned(),
    }
}
