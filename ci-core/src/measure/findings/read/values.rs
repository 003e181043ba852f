//! Looks into a document.

use serde_json::Value;

/// The text at a path of keys; empty where there is none.
pub(super) fn text(value: &Value, path: &[&str]) -> String {
    match at(value, path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

pub(super) fn some_text(value: &Value, path: &[&str]) -> Option<String> {
    Some(text(value, path)).filter(|text| !text.is_empty())
}

pub(super) fn number(value: &Value, path: &[&str]) -> Option<u64> {
    at(value, path)?.as_u64().filter(|number| *number > 0)
}

pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// The first text that is not empty.
pub(super) fn first<const N: usize>(texts: [String; N]) -> String {
    let mut texts = texts.into_iter();
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}
