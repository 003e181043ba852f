//! Reads reports of all forms, found from what they have.

mod code;
mod packages;
mod sarif;

use std::io::Read;

use serde_json::Value;

use super::{Finding, FindingsError, FindingsErrorKind, Format, Report};

/// The largest report that is read, in bytes.
const LARGEST: u64 = 64 << 20;
/// The most findings of a report that are kept.
const MOST: usize = 100_000;
/// Longer words are cut, in characters.
const LONGEST: usize = 2000;
/// How many warnings are kept.
const MOST_WARNINGS: usize = 20;

/// Reads a report of any form that is known.
///
/// # Errors
/// When it cannot be read, is larger than 64 MiB, is no JSON, or no report. Entries that cannot be
/// understood are no errors: the report's warnings name them.
pub fn read(mut reader: impl Read) -> Result<Report, FindingsError> {
    let mut bytes = Vec::new();
    let taken = reader.by_ref().take(LARGEST + 1).read_to_end(&mut bytes);
    taken.map_err(|error| {
        FindingsError::new(FindingsErrorKind::Io, "the report cannot be read").because(error)
    })?;
    if bytes.len() as u64 > LARGEST {
        let message = "the report is larger than 64 MiB";
        return Err(FindingsError::new(FindingsErrorKind::TooLarge, message));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    // The reader refuses what is nested more than 128 deep.
    let document: Value = serde_json::from_slice(bytes).map_err(|error| {
        FindingsError::new(FindingsErrorKind::Malformed, "the report is no JSON").because(error)
    })?;
    let Some(format) = detect(&document) else {
        let message = "it is JSON, but no report of findings that is known";
        return Err(FindingsError::new(
            FindingsErrorKind::UnknownFormat,
            message,
        ));
    };
    let mut found = Found::default();
    match format {
        Format::Sarif => sarif::read(&document, &mut found),
        Format::Bandit => code::bandit(&document, &mut found),
        Format::CodeQuality => code::quality(&document, &mut found),
        Format::GitLabSecurity => code::security(&document, &mut found),
        Format::Safety => packages::safety(&document, &mut found),
        Format::PipAudit => packages::pip_audit(&document, &mut found),
    }
    Ok(Report {
        format,
        findings: found.findings,
        warnings: found.warnings,
    })
}

/// The form of a document.
fn detect(document: &Value) -> Option<Format> {
    let has = |key: &str| document.get(key).is_some();
    if let Some(entries) = document.as_array() {
        let first = entries.first();
        let has = |key: &str| first.is_none_or(|entry| entry.get(key).is_some());
        return if first.is_some_and(Value::is_array) {
            Some(Format::Safety)
        } else if first.is_some() && has("name") && (has("vulns") || has("skip_reason")) {
            Some(Format::PipAudit)
        } else if has("location") && (has("description") || has("check_name")) {
            Some(Format::CodeQuality)
        } else {
            None
        };
    }
    if has("runs") && (has("version") || has("$schema")) {
        Some(Format::Sarif)
    } else if has("results") && (has("metrics") || has("generated_at")) {
        Some(Format::Bandit)
    } else if has("scan_results") || has("report_meta") && has("vulnerabilities") {
        Some(Format::Safety)
    } else if has("vulnerabilities") && has("version") {
        Some(Format::GitLabSecurity)
    } else if has("dependencies") && document["dependencies"].is_array() {
        Some(Format::PipAudit)
    } else {
        None
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    findings: Vec<Finding>,
    warnings: Vec<String>,
}

impl Found {
    fn add(&mut self, mut finding: Finding) {
        if self.findings.len() >= MOST {
            self.warn("there are more than 100000 findings; the rest is left out".to_owned());
            return;
        }
        let texts = [&mut finding.rule, &mut finding.message];
        let optional = [&mut finding.path, &mut finding.package];
        let lists = [&mut finding.aliases, &mut finding.tools];
        texts
            .into_iter()
            .chain(optional.into_iter().flatten())
            .chain(lists.into_iter().flatten())
            .for_each(cut);
        self.findings.push(finding);
    }

    fn warn(&mut self, words: String) {
        if self.warnings.len() < MOST_WARNINGS && !self.warnings.contains(&words) {
            self.warnings.push(words);
        }
    }

    /// The entries of a list, each with its place; a warning where there is no list.
    fn entries<'a>(&mut self, document: &'a Value, key: &str) -> &'a [Value] {
        match document.get(key) {
            Some(Value::Array(entries)) => entries,
            None | Some(Value::Null) => &[],
            Some(_) => {
                self.warn(format!("`{key}` is no list"));
                &[]
            }
        }
    }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
}

/// The text at a path of keys; empty where there is none.
fn text(value: &Value, path: &[&str]) -> String {
    match at(value, path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn some_text(value: &Value, path: &[&str]) -> Option<String> {
    Some(text(value, path)).filter(|text| !text.is_empty())
}

fn number(value: &Value, path: &[&str]) -> Option<u64> {
    at(value, path)?.as_u64().filter(|number| *number > 0)
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// The first text that is not empty.
fn first<const N: usize>(texts: [String; N]) -> String {
    let mut texts = texts.into_iter();
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}
