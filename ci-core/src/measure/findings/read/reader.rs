//! Takes a report of any form, and gives it to the reader of its form.

use std::io::Read;

use serde_json::Value;

use super::found::Found;
use super::{code, packages, sarif};
use crate::measure::findings::{FindingsError, FindingsErrorKind, Format, Report};

/// The largest report that is read, in bytes.
const LARGEST: u64 = 64 << 20;

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
