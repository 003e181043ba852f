//! What a plain scalar stands for: a word, a number, a truth value or nothing.

use super::Value;

/// Which plain scalars are more than words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Schema {
    /// The core schema of YAML 1.2 (<https://yaml.org/spec/1.2.2/#103-core-schema>).
    #[default]
    Core,
    /// YAML 1.1 (<https://yaml.org/type/>) as Ruby's Psych reads it: also `yes`, `no`, `on` and `off`,
    /// octal numbers with a leading zero, underscores in numbers.
    Psych,
}

impl Schema {
    /// The value of a plain scalar.
    pub(super) fn plain(self, text: &str) -> Value {
        self.meaning(text)
            .unwrap_or_else(|| Value::Str(text.into()))
    }

    /// What a plain scalar is if it is more than a word.
    pub(super) fn meaning(self, text: &str) -> Option<Value> {
        Some(match text {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            ".inf" | ".Inf" | ".INF" | "+.inf" => Value::Float(f64::INFINITY),
            "-.inf" | "-.Inf" | "-.INF" => Value::Float(f64::NEG_INFINITY),
            ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
            _ => match self {
                Self::Core => return core_number(text),
                Self::Psych => match text {
                    "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
                    "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
                    _ => return psych_number(text),
                },
            },
        })
    }
}

fn core_number(text: &str) -> Option<Value> {
    let first = *text.as_bytes().first()?;
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return None;
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8).ok().map(Value::Int);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(Value::Int);
    }
    decimal(text)
}

/// An integer, or a float as both schemas write it.
fn decimal(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(number) => Some(Value::Int(number)),
            // Larger than an integer can be.
            Err(_) => text.parse().ok().map(Value::Float),
        };
    }
    let is_float = digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+'))
        && digits.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    is_float.then(|| text.parse().ok().map(Value::Float))?
}

fn psych_number(text: &str) -> Option<Value> {
    let first = *text.as_bytes().first()?;
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) || text.ends_with('_') {
        return None;
    }
    let plain: String = text.chars().filter(|it| !matches!(it, '_' | ',')).collect();
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let radix = |digits: &str, radix| {
        let number = i64::from_str_radix(digits, radix).ok()?;
        Some(Value::Int(sign * number))
    };
    if let Some(hex) = digits.strip_prefix("0x") {
        return radix(hex, 16);
    }
    if let Some(binary) = digits.strip_prefix("0b") {
        return radix(binary, 2);
    }
    if digits.len() > 1 && digits.starts_with('0') && !digits.contains(['.', 'e', 'E']) {
        // Digits that are not octal make it a word.
        return radix(digits.trim_start_matches("0o"), 8);
    }
    if text.contains(',') {
        return None;
    }
    decimal(&plain)
}

/// A float as people write it: a whole one keeps its `.0`.
#[must_use]
pub fn float_text(number: f64) -> String {
    if number.is_nan() {
        ".nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        format!("{number:?}")
    }
}
