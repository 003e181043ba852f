//! Values as YAML that readers of YAML 1.1 and 1.2 take for the same.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::text::{self, Style};
use super::{Node, Value, float_text};

/// Writes a value in block style, with the keys of its maps in their order.
///
/// ```
/// let value = serde_json::json!({"on": "yes", "run": "make\nmake test\n", "timeout": 1.0});
/// assert_eq!(
///     ci_core::yaml::to_string(&value),
///     "\"on\": \"yes\"\nrun: |\n  make\n  make test\ntimeout: 1.0\n"
/// );
/// ```
#[must_use]
pub fn to_string(value: &serde_json::Value) -> String {
    written(&Tree::of_json(value))
}

/// A node as YAML.
pub(super) fn of_node(node: &Node) -> String {
    written(&Tree::of_node(node))
}

/// The text of a JSON value as YAML, with the keys in their order.
pub(crate) fn of_json(json: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str(json).map(|tree| written(&tree))
}

/// What is written.
enum Tree<'a> {
    /// Nothing, a truth value or a number, as it is written.
    Plain(Cow<'static, str>),
    Text(Cow<'a, str>),
    List(Vec<Tree<'a>>),
    Map(Vec<(Cow<'a, str>, Tree<'a>)>),
}

impl<'a> Tree<'a> {
    fn of_json(value: &'a serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match value {
            Json::Null => Self::null(),
            Json::Bool(value) => Self::bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), _, _) => Self::Plain(number.to_string().into()),
                (None, Some(number), _) => Self::Plain(number.to_string().into()),
                (None, None, number) => Self::float(number.unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(text.into()),
            Json::Array(values) => Self::List(values.iter().map(Self::of_json).collect()),
            Json::Object(map) => {
                let entries = map.iter();
                Self::Map(
                    entries
                        .map(|(key, value)| (key.into(), Self::of_json(value)))
                        .collect(),
                )
            }
        }
    }

    fn of_node(node: &'a Node) -> Self {
        match &node.value {
            Value::Null => Self::null(),
            Value::Bool(value) => Self::bool(*value),
            Value::Int(number) => Self::Plain(number.to_string().into()),
            Value::Float(number) => Self::float(*number),
            Value::Str(text) => Self::Text((&**text).into()),
            Value::Seq(nodes) => Self::List(nodes.iter().map(Self::of_node).collect()),
            Value::Map(map) => {
                let entries = map.iter();
                Self::Map(
                    entries
                        .map(|(key, node)| ((&**key).into(), Self::of_node(node)))
                        .collect(),
                )
            }
        }
    }

    fn null() -> Self {
        Self::Plain("null".into())
    }

    fn bool(value: bool) -> Self {
        Self::Plain(if value { "true" } else { "false" }.into())
    }

    /// YAML 1.1 wants a point in a number with a fraction, and a sign before the exponent.
    fn float(number: f64) -> Self {
        let text = float_text(number);
        let Some((digits, exponent)) = text.split_once('e') else {
            return Self::Plain(text.into());
        };
        let point = if digits.contains('.') { "" } else { ".0" };
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        Self::Plain(format!("{digits}{point}e{sign}{exponent}").into())
    }
}

impl<'de> Deserialize<'de> for Tree<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyTree)
    }
}

struct AnyTree;

impl<'de> Visitor<'de> for AnyTree {
    type Value = Tree<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Tree::null())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Tree::bool(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Tree::Plain(number.to_string().into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Tree::Plain(number.to_string().into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Tree::float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Tree::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut trees = Vec::new();
        while let Some(tree) = list.next_element()? {
            trees.push(tree);
        }
        Ok(Tree::List(trees))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut trees = Vec::new();
        while let Some((key, tree)) = map.next_entry::<String, _>()? {
            trees.push((key.into(), tree));
        }
        Ok(Tree::Map(trees))
    }
}

/// The longest key that every reader finds on its own.
const LONGEST_KEY: usize = 1000;

fn written(tree: &Tree<'_>) -> String {
    let mut out = String::new();
    match tree {
        Tree::List(list) if !list.is_empty() => write_list(&mut out, list, 0, true),
        Tree::Map(map) if !map.is_empty() => write_map(&mut out, map, 0, true),
        Tree::Text(text) => {
            text::write_in_line(&mut out, text, text::style_in_line(text));
            out.push('\n');
        }
        scalar => write_in_line(&mut out, scalar, 0),
    }
    out
}

/// Writes the lines of a list, of which the first has begun if `begun`.
fn write_list(out: &mut String, list: &[Tree<'_>], indent: usize, mut begun: bool) {
    for tree in list {
        begin(out, indent, &mut begun);
        out.push_str("- ");
        match tree {
            Tree::List(list) if !list.is_empty() => write_list(out, list, indent + 2, true),
            Tree::Map(map) if !map.is_empty() => write_map(out, map, indent + 2, true),
            scalar => write_in_line(out, scalar, indent),
        }
    }
}

/// Writes the lines of a map, of which the first has begun if `begun`.
fn write_map(out: &mut String, map: &[(Cow<'_, str>, Tree<'_>)], indent: usize, mut begun: bool) {
    for (key, tree) in map {
        begin(out, indent, &mut begun);
        write_key(out, key, indent);
        match tree {
            Tree::List(list) if !list.is_empty() => {
                out.push('\n');
                write_list(out, list, indent, false);
            }
            Tree::Map(map) if !map.is_empty() => {
                out.push('\n');
                write_map(out, map, indent + 2, false);
            }
            scalar => {
                out.push(' ');
                write_in_line(out, scalar, indent);
            }
        }
    }
}

fn begin(out: &mut String, indent: usize, begun: &mut bool) {
    if !std::mem::take(begun) {
        spaces(out, indent);
    }
}

fn write_key(out: &mut String, key: &str, indent: usize) {
    let start = out.len();
    text::write_in_line(out, key, text::style_in_line(key));
    if out.len() - start > LONGEST_KEY {
        out.insert_str(start, "? ");
        out.push('\n');
        spaces(out, indent);
    }
    out.push(':');
}

/// Writes what has no entries to the end of the line; further lines of a text stand below.
fn write_in_line(out: &mut String, tree: &Tree<'_>, indent: usize) {
    match tree {
        Tree::Plain(text) => out.push_str(text),
        Tree::List(_) => out.push_str("[]"),
        Tree::Map(_) => out.push_str("{}"),
        Tree::Text(text) => match text::style(text) {
            Style::Literal(header) => {
                out.push('|');
                out.push_str(header);
                let text = text.strip_suffix('\n').unwrap_or(text);
                for line in text.split('\n') {
                    out.push('\n');
                    if !line.is_empty() {
                        spaces(out, indent + 2);
                        out.push_str(line);
                    }
                }
            }
            style => text::write_in_line(out, text, style),
        },
    }
    out.push('\n');
}

fn spaces(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}
