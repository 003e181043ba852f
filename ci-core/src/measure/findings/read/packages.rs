//! Reports about dependencies of Python projects: those of Safety and pip-audit.

use serde_json::Value;

use super::found::Found;
use super::values::{at, first, text};
use crate::measure::findings::{Finding, Severity};

/// `pip-audit -f json`, with or without the object around the list.
pub(super) fn pip_audit(document: &Value, found: &mut Found) {
    let list = match document {
        Value::Array(list) => list,
        _ => found.entries(document, "dependencies"),
    };
    for dependency in list {
        let name = text(dependency, &["name"]);
        if let Some(why) = dependency.get("skip_reason") {
            let why = why.as_str().unwrap_or_default();
            found.warn(format!("pip-audit passed over `{name}`: {why}"));
        }
        let version = text(dependency, &["version"]);
        for entry in found.entries(dependency, "vulns") {
            let aliases = entry.get("aliases").and_then(Value::as_array);
            let aliases = aliases.into_iter().flatten().filter_map(Value::as_str);
            found.add(Finding {
                tools: vec!["pip-audit".to_owned()],
                rule: text(entry, &["id"]),
                // It does not rate them, and an advisory is no trifle.
                severity: Severity::High,
                message: first([text(entry, &["description"]), text(entry, &["id"])]),
                package: Some(format!("{name} {version}")),
                aliases: aliases.map(str::to_owned).collect(),
                ..Finding::default()
            });
        }
    }
}

/// `safety check --json` of all versions, and `safety scan --output json`.
pub(super) fn safety(document: &Value, found: &mut Found) {
    if let Value::Array(rows) = document {
        for row in rows {
            first_form(row, found);
        }
        return;
    }
    for entry in found.entries(document, "vulnerabilities") {
        let package = first([
            text(entry, &["package_name"]),
            text(entry, &["package", "name"]),
        ]);
        let version = text(entry, &["analyzed_version"]);
        known(entry, &format!("{package} {version}"), found);
    }
    let projects = at(document, &["scan_results", "projects"]).and_then(Value::as_array);
    for project in projects.into_iter().flatten() {
        for file in found.entries(project, "files") {
            let results = file.get("results").unwrap_or(&Value::Null);
            for dependency in found.entries(results, "dependencies") {
                scanned(dependency, found);
            }
        }
    }
}

fn scanned(dependency: &Value, found: &mut Found) {
    for specification in found.entries(dependency, "specifications") {
        let raw = first([
            text(specification, &["raw"]).replace("==", " "),
            text(dependency, &["name"]),
        ]);
        let known_ones = specification.get("vulnerabilities").unwrap_or(&Value::Null);
        for entry in found.entries(known_ones, "known_vulnerabilities") {
            // An entry with a reason to ignore it is no finding.
            if !entry.get("ignored").is_some_and(Value::is_object) {
                known(entry, &raw, found);
            }
        }
    }
}

fn known(entry: &Value, package: &str, found: &mut Found) {
    let score = at(entry, &["severity", "cvssv3", "base_score"]).and_then(Value::as_f64);
    let cve = first([text(entry, &["CVE"]), text(entry, &["cve"])]);
    found.add(Finding {
        tools: vec!["safety".to_owned()],
        rule: first([text(entry, &["vulnerability_id"]), text(entry, &["id"])]),
        severity: score.map_or(Severity::High, Severity::from_score),
        message: first([text(entry, &["advisory"]), cve.clone()]),
        package: Some(package.trim_end().to_owned()),
        aliases: Some(cve)
            .filter(|cve| !cve.is_empty())
            .into_iter()
            .collect(),
        ..Finding::default()
    });
}

/// The form of version 1: package, what is affected, version, advisory, number.
fn first_form(row: &Value, found: &mut Found) {
    let cell = |index: usize| row.get(index).and_then(Value::as_str).unwrap_or_default();
    if cell(0).is_empty() {
        found.warn("a row of the report has no package".to_owned());
        return;
    }
    found.add(Finding {
        tools: vec!["safety".to_owned()],
        rule: cell(4).to_owned(),
        severity: Severity::High,
        message: cell(3).to_owned(),
        package: Some(format!("{} {}", cell(0), cell(2))),
        ..Finding::default()
    });
}
