//! Reports about source code: Bandit's, and the two kinds that GitLab reads.

use serde_json::Value;

use super::found::Found;
use super::values::{first, number, some_text, text};
use crate::measure::findings::{Finding, Severity};

/// `bandit -f json`.
pub(super) fn bandit(document: &Value, found: &mut Found) {
    for result in found.entries(document, "results") {
        let cwe = number(result, &["issue_cwe", "id"]).map(|id| format!("CWE-{id}"));
        found.add(Finding {
            tools: vec!["bandit".to_owned()],
            rule: text(result, &["test_id"]),
            severity: severity(result, "issue_severity"),
            message: text(result, &["issue_text"]),
            path: some_text(result, &["filename"]),
            line: number(result, &["line_number"]),
            package: None,
            aliases: cwe.into_iter().collect(),
        });
    }
    for error in found.entries(document, "errors") {
        let (file, why) = (text(error, &["filename"]), text(error, &["reason"]));
        found.warn(format!("bandit could not look at `{file}`: {why}"));
    }
}

/// GitLab's code quality report: a list of issues.
pub(super) fn quality(document: &Value, found: &mut Found) {
    let issues = document.as_array().map_or(&[][..], Vec::as_slice);
    for (place, issue) in issues.iter().enumerate() {
        if !issue.is_object() {
            found.warn(format!("`[{place}]` is no issue"));
            continue;
        }
        let location = issue.get("location").unwrap_or(&Value::Null);
        let line = number(location, &["lines", "begin"])
            .or_else(|| number(location, &["positions", "begin", "line"]));
        found.add(Finding {
            tools: vec![first([
                text(issue, &["engine_name"]),
                "code quality".into(),
            ])],
            rule: text(issue, &["check_name"]),
            severity: severity(issue, "severity"),
            message: text(issue, &["description"]),
            path: some_text(location, &["path"]),
            line,
            package: None,
            aliases: Vec::new(),
        });
    }
}

/// GitLab's security reports.
pub(super) fn security(document: &Value, found: &mut Found) {
    let scanner = text(document, &["scan", "scanner", "id"]);
    for entry in found.entries(document, "vulnerabilities") {
        let identifiers = entry.get("identifiers").and_then(Value::as_array);
        let identifiers = identifiers.map_or(&[][..], Vec::as_slice);
        let location = entry.get("location").unwrap_or(&Value::Null);
        let name = some_text(location, &["dependency", "package", "name"]);
        let version = text(location, &["dependency", "version"]);
        let aliases = identifiers.iter().filter_map(|it| {
            let (kind, value) = (text(it, &["type"]), text(it, &["value"]));
            match &*kind {
                "cwe" if !value.is_empty() => Some(format!("CWE-{value}")),
                "cve" | "ghsa" | "osvdb" | "usn" => Some(value),
                _ => None,
            }
        });
        found.add(Finding {
            tools: vec![first([
                text(entry, &["scanner", "id"]),
                scanner.clone(),
                text(entry, &["category"]),
            ])],
            // The first identifier is the one that the report goes by.
            rule: first([
                identifiers
                    .first()
                    .map(|it| text(it, &["value"]))
                    .unwrap_or_default(),
                text(entry, &["cve"]),
                text(entry, &["id"]),
            ]),
            severity: severity(entry, "severity"),
            message: first([
                text(entry, &["name"]),
                text(entry, &["message"]),
                text(entry, &["description"]),
            ]),
            path: some_text(location, &["file"]),
            line: number(location, &["start_line"]),
            package: name.map(|name| format!("{name} {version}").trim_end().to_owned()),
            aliases: aliases.filter(|alias| !alias.is_empty()).collect(),
        });
    }
}

fn severity(entry: &Value, key: &str) -> Severity {
    Severity::from_word(&text(entry, &[key])).unwrap_or_default()
}
