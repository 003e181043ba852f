//! What counts as true.

use crate::yaml::{Node, Value};

/// Whether a value is true where a condition is asked for: all but `false`, nothing, zero, NaN, empty
/// text and an empty list.
pub(super) fn truthy(node: &Node) -> bool {
    match &node.value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Int(number) => *number != 0,
        Value::Float(number) => *number != 0.0 && !number.is_nan(),
        Value::Str(text) => !text.is_empty(),
        Value::Seq(nodes) => !nodes.is_empty(),
        Value::Map(map) => !map.is_empty(),
    }
}

/// A truth value as YAML 1.1 writes it, also as text.
pub(super) fn boolean(node: &Node) -> Option<bool> {
    match &node.value {
        Value::Bool(value) => Some(*value),
        Value::Str(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
