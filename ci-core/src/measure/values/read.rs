//! Reads measured values in the forms that tools write.

use std::io::Read;

use serde::Serialize;
use serde_json::Value;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 16 << 20;
/// The most values of a file.
const MOST: usize = 100_000;
/// Longer names are cut, in characters.
const LONGEST: usize = 400;
/// How many warnings are kept.
const MOST_WARNINGS: usize = 20;

/// A value that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Measured {
    /// Its name, with labels as the `OpenMetrics` form writes them.
    pub name: String,
    /// The value, a number.
    pub value: f64,
    /// Its unit, where that is told.
    pub unit: Option<String>,
}

/// A form of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// An object of numbers, or a list of objects with `name`, `value` and `unit`.
    Json,
    /// `OpenMetrics` and the Prometheus text form, which GitLab's metrics reports are in.
    OpenMetrics,
    /// `estimates.json` of criterion: its median, in nanoseconds. The name of the benchmark is in the
    /// file's path only.
    Criterion,
    /// `--benchmark-json` of pytest-benchmark: its medians, in seconds.
    PytestBenchmark,
}

/// What a file has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Values {
    /// The form it is in.
    pub format: Format,
    /// The values, in the order of the file.
    pub values: Vec<Measured>,
    /// What could not be understood, the first twenty things.
    pub warnings: Vec<String>,
}

impl Values {
    /// The values of the file at `path`: those of criterion are named by it, such as `parse/large` for
    /// `target/criterion/parse/large/new/estimates.json`.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        let parts: Vec<&str> = path.split(['/', '\\']).collect();
        if let (Format::Criterion, [dirs @ .., _, "estimates.json"]) = (self.format, &parts[..]) {
            let from = dirs.iter().position(|part| *part == "criterion");
            let name = dirs[from.map_or(0, |place| place + 1)..].join("/");
            for value in self.values.iter_mut().filter(|_| !name.is_empty()) {
                value.name = name.chars().take(LONGEST).collect();
            }
        }
        self
    }
}

/// Why values could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ValuesError {
    kind: ValuesErrorKind,
    message: String,
    source: Option<std::io::Error>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValuesErrorKind {
    /// It could not be read to its end.
    Io,
    /// It is larger than any honest one.
    TooLarge,
    /// It has no values in any form that is known.
    UnknownFormat,
}

impl ValuesError {
    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> ValuesErrorKind {
        self.kind
    }

    fn new(kind: ValuesErrorKind, message: &str) -> Self {
        Self {
            kind,
            message: message.to_owned(),
            source: None,
        }
    }
}

/// Reads values in any form that is known.
///
/// # Errors
/// When the file cannot be read, is larger than 16 MiB, or has no value in any form.
pub fn read(reader: impl Read) -> Result<Values, ValuesError> {
    let mut bytes = Vec::new();
    let taken = reader.take(LARGEST + 1).read_to_end(&mut bytes);
    taken.map_err(|error| ValuesError {
        source: Some(error),
        ..ValuesError::new(ValuesErrorKind::Io, "the values cannot be read")
    })?;
    if bytes.len() as u64 > LARGEST {
        let message = "the file is larger than 16 MiB";
        return Err(ValuesError::new(ValuesErrorKind::TooLarge, message));
    }
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut found = Found::default();
    let format = if text.starts_with(['{', '[']) {
        let document: Option<Value> = serde_json::from_str(text).ok();
        document.and_then(|document| from_json(&document, &mut found))
    } else {
        open_metrics(text, &mut found)
    };
    let message = "the file has no values in a form that is known";
    let unknown = || ValuesError::new(ValuesErrorKind::UnknownFormat, message);
    Ok(Values {
        format: format.ok_or_else(unknown)?,
        values: found.values,
        warnings: found.warnings,
    })
}

#[derive(Default)]
struct Found {
    values: Vec<Measured>,
    warnings: Vec<String>,
}

impl Found {
    fn add(&mut self, name: &str, value: f64, unit: Option<&str>) {
        if name.is_empty() || self.values.len() >= MOST {
            return;
        }
        if !value.is_finite() {
            self.warn(format!("`{name}` is no number"));
            return;
        }
        self.values.push(Measured {
            name: name.chars().take(LONGEST).collect(),
            value,
            unit: unit.map(|unit| unit.chars().take(LONGEST).collect()),
        });
    }

    fn warn(&mut self, words: String) {
        if self.warnings.len() < MOST_WARNINGS {
            self.warnings.push(words);
        }
    }
}

fn from_json(document: &Value, found: &mut Found) -> Option<Format> {
    if let Some(list) = document.get("benchmarks").and_then(Value::as_array) {
        for entry in list {
            let name = entry.get("fullname").or_else(|| entry.get("name"));
            let name = name.and_then(Value::as_str).unwrap_or_default();
            match entry.pointer("/stats/median").and_then(Value::as_f64) {
                Some(median) => found.add(name, median, Some("s")),
                None => found.warn(format!("the benchmark `{name}` has no median")),
            }
        }
        return Some(Format::PytestBenchmark);
    }
    let estimate = document.pointer("/median/point_estimate");
    if let Some(median) = estimate.and_then(Value::as_f64) {
        found.add("median", median, Some("ns"));
        return Some(Format::Criterion);
    }
    if let Some(list) = document.as_array() {
        for entry in list {
            let name = entry.get("name").and_then(Value::as_str);
            let value = entry.get("value").and_then(Value::as_f64);
            let unit = entry.get("unit").and_then(Value::as_str);
            match (name, value) {
                (Some(name), Some(value)) => found.add(name, value, unit),
                _ => found.warn("an entry has no `name` and `value`".to_owned()),
            }
        }
    } else {
        flatten(document, found);
    }
    (!found.values.is_empty()).then_some(Format::Json)
}

/// The numbers of an object and of those in it, by their path. The reader of JSON bounds its depth, and
/// the way down is kept here and not on the stack.
fn flatten(document: &Value, found: &mut Found) {
    let mut open = vec![(String::new(), document)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Number(number) => found.add(&path, number.as_f64().unwrap_or(f64::NAN), None),
            Value::Object(entries) => {
                for (key, value) in entries.iter().rev() {
                    let gap = if path.is_empty() { "" } else { "." };
                    open.push((format!("{path}{gap}{key}"), value));
                }
            }
            _ => {}
        }
    }
}

/// The text form: `name{labels} value [timestamp]`, with comments. The end of the labels is found with
/// strings in mind, in which a brace means nothing.
fn open_metrics(text: &str, found: &mut Found) -> Option<Format> {
    let mut strange = 0usize;
    let mut units = std::collections::HashMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_whitespace();
            if words.next() == Some("UNIT")
                && let (Some(name), Some(unit)) = (words.next(), words.next())
            {
                units.insert(name, unit);
            }
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let end = end_of_name(line);
        let (name, rest) = line.split_at(end);
        let value = rest
            .split_whitespace()
            .next()
            .and_then(|it| it.parse().ok());
        match value {
            Some(value) if is_name(name) => {
                let family = name.split('{').next().unwrap_or_default();
                found.add(name, value, units.get(family).copied());
            }
            _ => {
                strange += 1;
                found.warn(format!(
                    "no value: `{}`",
                    line.chars().take(80).collect::<String>()
                ));
            }
        }
    }
    (found.values.len() > strange).then_some(Format::OpenMetrics)
}

fn end_of_name(line: &str) -> usize {
    let (mut in_labels, mut in_string, mut escaped) = (false, false, false);
    for (at, letter) in line.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' if in_labels => in_string = !in_string,
            '{' if !in_string => in_labels = true,
            '}' if !in_string => return at + 1,
            letter if !in_labels && letter.is_whitespace() => return at,
            _ => {}
        }
    }
    line.len()
}

/// Whether a name is one of a metric, before its labels.
fn is_name(name: &str) -> bool {
    let family = name.split('{').next().unwrap_or_default();
    let is_good =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':' | '.');
    let begins = |letter: char| !letter.is_ascii_digit();
    family.starts_with(begins) && family.chars().all(is_good)
}
