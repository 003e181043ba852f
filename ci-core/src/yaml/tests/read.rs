//! Values of types out of text, and what is said where there is none.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::yaml::{YamlErrorKind, from_str};

fn read<T: DeserializeOwned>(text: &str) -> T {
    match from_str(text) {
        Ok(value) => value,
        Err(error) => panic!("{text}\n{error}"),
    }
}

fn wrong<T: DeserializeOwned + Debug>(text: &str) -> String {
    from_str::<T>(text).unwrap_err().to_string()
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    name: String,
    #[serde(default)]
    count: Option<u8>,
    #[serde(default)]
    ready: bool,
    #[serde(default)]
    list: Vec<String>,
    #[serde(default)]
    inner: Option<Box<Strict>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Choice {
    Nothing,
    Number(i64),
    Pair(u8, String),
    Fields { a: bool },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Tagged {
    One { number: u64 },
    Two { text: String },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Bool(bool),
    Number(i64),
    Text(String),
    Map(BTreeMap<String, Untagged>),
}

#[derive(Debug, PartialEq, Deserialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

#[test]
fn a_text_is_what_is_written() {
    let words = "[1.10, 0x1F, on, Yes, 1e3, 012, +1, 'null', \"\", 2026-11-22, .inf, -0, 1_000]";
    assert_eq!(
        read::<Vec<String>>(words),
        [
            "1.10",
            "0x1F",
            "on",
            "Yes",
            "1e3",
            "012",
            "+1",
            "null",
            "",
            "2026-11-22",
            ".inf",
            "-0",
            "1_000"
        ]
    );
    let keys = read::<BTreeMap<String, String>>("1.10: a\non: b\n~: c\n");
    assert_eq!(keys.into_keys().collect::<Vec<_>>(), ["1.10", "on", "~"]);
    assert_eq!(
        read::<BTreeMap<u8, bool>>("{1: true, 0x2: false}"),
        [(1, true), (2, false)].into()
    );
}

#[test]
fn what_may_be_anything_is_resolved_by_yaml_1_2() {
    assert_eq!(
        read::<Json>(
            "[1, -1, 1.5, true, FALSE, ~, yes, '1', !!str 2, 18446744073709551615, 0o17, 1e2, !x 5]"
        ),
        json!([
            1,
            -1,
            1.5,
            true,
            false,
            null,
            "yes",
            "1",
            "2",
            u64::MAX,
            15,
            100.0,
            "5"
        ])
    );
    assert_eq!(
        read::<Json>("{1.10: a, b: {c: [d]}}"),
        json!({"1.10": "a", "b": {"c": ["d"]}})
    );
    assert_eq!(
        read::<[f64; 2]>("[3, 1e-2]").map(f64::to_bits),
        [3.0, 0.01].map(f64::to_bits)
    );
    assert_eq!(read::<i64>("-9223372036854775808"), i64::MIN);
    assert_eq!(read::<char>("x"), 'x');
    assert_eq!(read::<(u8, String)>("[1, 2]"), (1, "2".to_owned()));
}

#[test]
fn nothing_is_no_value_and_an_empty_list_or_map() {
    assert_eq!(read::<Option<String>>("~"), None);
    assert_eq!(read::<Option<String>>("''"), Some(String::new()));
    read::<()>("null");
    let strict: Strict = read("name: x\ncount:\nlist:\ninner:\n");
    assert_eq!(
        (strict.count, strict.list, strict.inner),
        (None, vec![], None)
    );
    assert_eq!(read::<BTreeMap<String, u8>>("---"), BTreeMap::new());
}

#[test]
fn enums_are_a_name_or_a_map_of_one_key() {
    let all: Vec<Choice> =
        read("[nothing, {nothing: }, {number: -5}, {pair: [1, a]}, {fields: {a: true}}]");
    let pair = Choice::Pair(1, "a".to_owned());
    let fields = Choice::Fields { a: true };
    assert_eq!(
        all,
        [
            Choice::Nothing,
            Choice::Nothing,
            Choice::Number(-5),
            pair,
            fields
        ]
    );
    assert_eq!(
        read::<BTreeMap<String, Tagged>>("a: {number: 1, kind: one}\nb: {kind: two, text: '5'}\n"),
        [
            ("a".to_owned(), Tagged::One { number: 1 }),
            (
                "b".to_owned(),
                Tagged::Two {
                    text: "5".to_owned()
                }
            )
        ]
        .into()
    );
    assert_eq!(
        read::<Vec<Untagged>>("[true, 5, '5', {1.10: yes}]"),
        [
            Untagged::Bool(true),
            Untagged::Number(5),
            Untagged::Text("5".to_owned()),
            Untagged::Map([("1.10".to_owned(), Untagged::Text("yes".to_owned()))].into()),
        ]
    );
    let flat: Flat = read("name: 1.0\n2.0: x\n");
    assert_eq!(flat.name, "1.0");
    assert_eq!(flat.rest, [("2.0".to_owned(), "x".to_owned())].into());
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    let text = "a: &a {name: x, list: [y]}\nb: {<<: *a, name: z}\n";
    let all: BTreeMap<String, Strict> = read(text);
    assert_eq!(
        (&*all["b"].name, &all["b"].list),
        ("z", &vec!["y".to_owned()])
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let cases = [
        "name: x\ncuont: 1",
        "name: x\ncount: 300",
        "name: x\ncount: -1",
        "name: x\ncount: '1'",
        "name: x\ncount: 1.5",
        "name: x\nready: yes",
        "name: x\nready: 1",
        "name: x\nlist: a",
        "name: x\nlist: [a, ]\ninner:\n  list: [b]",
        "name: x\nlist: [a, [b]]",
        "name: x\nlist: [a, ~]",
        "name:",
        "name: x\ninner: 5",
        "name: x\ninner: {name: x, name: y}",
        "name: x\n---\nname: y",
        "name: [",
        "# nothing",
        "",
        "a: &a [*a]",
        "<<: 5",
    ];
    let mut all = String::new();
    for text in cases {
        let _ = writeln!(all, "{text:?}\n  {}", wrong::<Strict>(text));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_is_wrong_with_an_enum_is_told_with_its_place() {
    let cases = [
        "[nothin]",
        "[{numbr: 5}]",
        "[{number: x}]",
        "[number]",
        "[{nothing: 5}]",
        "[{pair: [1, a, b]}]",
        "[{pair: [1]}]",
        "[{number: 1, pair: 2}]",
        "[~]",
    ];
    let mut all = String::new();
    for text in cases {
        let _ = writeln!(all, "{text:?}\n  {}", wrong::<Vec<Choice>>(text));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn numbers_are_finite() {
    for text in [".inf", "-.inf", ".nan", "1e999"] {
        let expected = format!("line 1, column 4: `{text}` is not a finite number");
        assert_eq!(
            wrong::<Vec<f64>>(&format!("[ {text}]").replacen(' ', "  ", 1)),
            expected
        );
        assert_eq!(wrong::<Json>(&format!("-  {text}")), expected);
    }
}

#[test]
fn errors_know_whether_it_was_the_text_or_the_value() {
    let kind = |text| from_str::<Strict>(text).unwrap_err().kind();
    assert_eq!(kind("a: ["), YamlErrorKind::Syntax);
    assert_eq!(kind("name: x\n---\nname: x"), YamlErrorKind::Syntax);
    assert_eq!(kind("name: x\nname: x"), YamlErrorKind::Value);
    assert_eq!(kind("nmae: x"), YamlErrorKind::Value);
}

#[test]
fn aliases_cannot_stand_for_gigabytes_of_text() {
    let mut text = format!("a0: &a0 {}\n", "x".repeat(64 << 10));
    for level in 1..6 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{aliases}]");
    }
    assert!(wrong::<Json>(&text).contains("more than 1000000 values"));
}
