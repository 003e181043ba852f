//! The same finding of several tools, once.

use std::collections::HashMap;

use super::Finding;

/// Findings with those that several tools found, or one tool told twice, put together: of dependencies
/// those about the same package that share a name, such as a CVE number; of code those about the same
/// line that share the rule or a CWE number, or have the same words. The worst severity counts.
#[must_use]
pub fn merge(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for finding in findings {
        let names = names(&finding);
        let same = names.iter().find_map(|name| places.get(name).copied());
        let place = if let Some(place) = same {
            unite(&mut merged[place], finding);
            place
        } else {
            merged.push(finding);
            merged.len() - 1
        };
        for name in names {
            places.entry(name).or_insert(place);
        }
    }
    merged
}

/// What a finding is known by: two that have one of these in common are the same.
fn names(finding: &Finding) -> Vec<String> {
    let mut ids: Vec<&str> = finding.aliases.iter().map(String::as_str).collect();
    ids.push(&finding.rule);
    let place = match (&finding.package, &finding.path, finding.line) {
        (Some(package), _, _) => {
            let package = package.to_ascii_lowercase().replace('_', "-");
            format!("package {package}")
        }
        (None, Some(path), Some(line)) => {
            format!("{}:{line}", path.strip_prefix("./").unwrap_or(path))
        }
        // Without a line nobody can say that two are the same, but for the same words.
        (None, path, _) => {
            let path = path.as_deref().unwrap_or_default();
            return vec![format!("{path} {} {}", finding.rule, finding.message)];
        }
    };
    ids.retain(|id| !id.is_empty());
    let mut names: Vec<String> = ids
        .into_iter()
        .map(|id| format!("{place} {}", id.to_ascii_uppercase()))
        .collect();
    names.push(format!("{place} = {}", finding.message));
    names
}

fn unite(one: &mut Finding, other: Finding) {
    one.severity = one.severity.max(other.severity);
    let mut known_as = other.aliases;
    if other.rule != one.rule {
        known_as.push(other.rule);
    }
    for (list, more) in [(&mut one.tools, other.tools), (&mut one.aliases, known_as)] {
        for word in more {
            if !word.is_empty() && !list.contains(&word) {
                list.push(word);
            }
        }
    }
    one.path = one.path.take().or(other.path);
    one.line = one.line.or(other.line);
    one.package = one.package.take().or(other.package);
}
