//! What is written is read back the same, also by others.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::yaml::problem::Problems;
use crate::yaml::{Loader, Schema, from_str, load, of_json, to_string};

/// Texts that a reader could take for something else.
const NASTY: [&str; 65] = [
    "",
    " ",
    "\n",
    "\n\n",
    "a\n",
    "a\nb",
    "a\nb\n",
    "a\nb\n\n",
    "\na",
    "\na\nb",
    " a\nb",
    "\ta\nb",
    "a\n\tb",
    "a \nb",
    "a\n \nb",
    "a\r\nb",
    "a\tb",
    "a\n ",
    " \na",
    "\t\n a\n",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "~",
    "null",
    "True",
    "1",
    "-1",
    "1.10",
    "1e3",
    "1.0e+3",
    "0x1F",
    "0o17",
    "017",
    "0b1",
    "1_000",
    "1,000",
    ".5",
    ".inf",
    ".NaN",
    "1:30",
    "12:30:45.5",
    "2026-11-22",
    "2026-11-22 10:00:00",
    "=",
    "<<",
    "- a",
    "-",
    "---",
    "...",
    "a: b",
    "a:",
    "a #b",
    "#a",
    "'",
    "\"",
    "\\",
    "%a",
    "@a",
    "`a`",
    "\u{85}",
    "\u{2028}",
    "\u{feff}🦀\u{7f}\u{1}",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::sample::select(&NASTY[..]).prop_map(str::to_owned),
        1 => "[a-z]{1,6}",
        2 => "[-:#?&*!|>%@'\"\\[\\]{}, \n\t\\\\a0.~=<+_]{0,10}",
        1 => "[0-9]{1,3}[-:._eExob0-9TtZz+ ]{0,9}",
        1 => "\\PC{0,12}",
        1 => any::<String>(),
        1 => (1010usize..1030).prop_map(|length| "k".repeat(length)),
    ]
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::from),
        1 => any::<i64>().prop_map(Json::from),
        1 => any::<u64>().prop_map(Json::from),
        1 => any::<f64>().prop_map(Json::from),
        1 => (-40i32..40).prop_map(|exponent| Json::from(10f64.powi(exponent))),
        4 => text().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(text(), inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// What a reader of YAML 1.1 makes of it.
fn psych(text: &str) -> Json {
    let loader = Loader::default().schema(Schema::Psych);
    let documents = loader.load(text, "f", &mut Problems::new()).expect(text);
    serde_json::to_value(&documents[0]).expect("JSON")
}

/// Whether all whole numbers fit into 64 bits with a sign.
fn is_signed(value: &Json) -> bool {
    match value {
        Json::Number(number) => number.as_u64().is_none() || number.is_i64(),
        Json::Array(values) => values.iter().all(is_signed),
        Json::Object(map) => map.values().all(is_signed),
        _ => true,
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in value()) {
        let text = to_string(&value);
        let back = from_str::<Json>(&text);
        prop_assert_eq!(back.expect(&text), value.clone(), "{}", text);
        if is_signed(&value) {
            prop_assert_eq!(psych(&text), value, "{}", text);
        }
    }

    #[test]
    fn another_reader_reads_the_same(value in value()) {
        let text = to_string(&value);
        let back = serde_saphyr::from_str::<Json>(&text);
        prop_assert_eq!(back.expect(&text), value, "{}", text);
    }

    #[test]
    fn a_text_stays_a_text_for_every_reader(word in text()) {
        let text = to_string(&json!([word, {word.as_str(): word}]));
        prop_assert_eq!(psych(&text), json!([word, {word.as_str(): word}]), "{}", text);
        let texts = serde_saphyr::options! { strict_booleans: false };
        let back = serde_saphyr::from_str_with_options::<Json>(&text, texts);
        prop_assert_eq!(back.expect(&text), json!([word, {word.as_str(): word}]), "{}", text);
    }

    #[test]
    fn json_is_written_with_its_values(value in value()) {
        let text = of_json(&value.to_string()).expect("JSON");
        prop_assert_eq!(from_str::<Json>(&text).expect(&text), value, "{}", text);
    }
}

#[test]
fn values_are_written_for_people() {
    let value = json!([
        {"run": "make\nmake test\n", "name": "it's \"so\"", "env": {}, "with": []},
        [["a", 1, 1.0, 1e20, 1e-7, null, true], {"k": {"l": [{"m": "yes"}]}}],
        "a: b",
        "--flag",
        "cimg/rust:1.95",
        "1.95",
        "a\nb\n\n",
    ]);
    insta::assert_snapshot!(to_string(&value));
}

#[test]
fn a_node_is_written_in_its_order() {
    let text = "z: 1.0\na: !reference [b]\n\"on\": ~\nnan: .nan\n";
    let node = &load(text, "f", &mut Problems::new()).expect("YAML")[0];
    assert_eq!(
        node.to_yaml(),
        "z: 1.0\na:\n- b\n\"on\": null\n\"nan\": .nan\n"
    );
    assert_eq!(
        of_json(r#"{"z": 1, "a": 1e3}"#).expect("JSON"),
        "z: 1\na: 1000.0\n"
    );
}

#[test]
fn nasty_texts_are_quoted() {
    let mut nasty = String::new();
    for text in NASTY {
        let _ = write!(nasty, "{}", to_string(&json!([text])));
    }
    insta::assert_snapshot!(nasty);
}
