//! SARIF 2.1.0, the Static Analysis Results Interchange Format of OASIS.

use std::collections::HashMap;

use serde_json::Value;

use super::found::Found;
use super::values::{at, first, number, some_text, text};
use crate::measure::findings::{Finding, Severity};

/// Takes the results of all runs. Those that are suppressed, or say that nothing is wrong, are no
/// findings.
pub(super) fn read(document: &Value, found: &mut Found) {
    for run in found.entries(document, "runs") {
        let rules = Rules::of(run);
        let tool = text(run, &["tool", "driver", "name"]);
        for (place, result) in found.entries(run, "results").iter().enumerate() {
            if !result.is_object() {
                found.warn(format!("`results[{place}]` is no result"));
                continue;
            }
            if is_finding(result) {
                found.add(finding(result, &rules, &tool));
            }
        }
    }
}

/// Section 3.27.9 (`kind`) and 3.27.23 (`suppressions`): any suppression that was not refused counts.
fn is_finding(result: &Value) -> bool {
    let suppressions = result.get("suppressions").and_then(Value::as_array);
    let suppressed = suppressions.is_some_and(|all| {
        let refused = |it: &Value| matches!(&*text(it, &["status"]), "rejected" | "underReview");
        all.iter().any(|it| !refused(it))
    });
    let kind = text(result, &["kind"]);
    !suppressed && (kind.is_empty() || matches!(&*kind, "fail" | "review" | "open"))
}

fn finding(result: &Value, rules: &Rules<'_>, tool: &str) -> Finding {
    let rule = rules.of_result(result);
    let id = first([
        text(result, &["ruleId"]),
        text(result, &["rule", "id"]),
        rule.map(|rule| text(rule, &["id"])).unwrap_or_default(),
    ]);
    let of_rule = |path: &[&str]| rule.map(|rule| text(rule, path)).unwrap_or_default();
    let location = result.get("locations").and_then(|all| all.get(0));
    let location = location.and_then(|it| it.get("physicalLocation"));
    let place = |path: &[&str]| location.and_then(|it| some_text(it, path));
    Finding {
        tools: vec![tool.to_owned()],
        message: first([
            text(result, &["message", "text"]),
            of_rule(&["shortDescription", "text"]),
            of_rule(&["name"]),
        ]),
        severity: severity(result, rule),
        path: place(&["artifactLocation", "uri"])
            .map(|uri| uri.strip_prefix("file://").unwrap_or(&uri).to_owned()),
        line: location.and_then(|it| number(it, &["region", "startLine"])),
        package: None,
        aliases: rule.map(aliases).unwrap_or_default(),
        rule: id,
    }
}

/// The level of the result, else that of the rule, else `warning` (section 3.27.10). A security
/// severity of the rule, a CVSS score that code scanning made usual, says more.
fn severity(result: &Value, rule: Option<&Value>) -> Severity {
    let score = rule.and_then(|rule| {
        let score = at(rule, &["properties", "security-severity"])?;
        let text = score.as_str().and_then(|text| text.parse().ok());
        text.or_else(|| score.as_f64())
    });
    if let Some(score) = score {
        return Severity::from_score(score);
    }
    let of_rule = |rule| text(rule, &["defaultConfiguration", "level"]);
    let level = first([
        text(result, &["level"]),
        rule.map(of_rule).unwrap_or_default(),
    ]);
    Severity::from_word(&level).unwrap_or_default()
}

/// The CWE numbers among the tags of a rule: `external/cwe/cwe-079` or `CWE-79: …`.
fn aliases(rule: &Value) -> Vec<String> {
    let tags = at(rule, &["properties", "tags"]).and_then(Value::as_array);
    let tags = tags.into_iter().flatten().filter_map(Value::as_str);
    let numbers = tags.filter_map(|tag| {
        let lower = tag.to_ascii_lowercase();
        let (_, rest) = lower.split_once("cwe-")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    });
    numbers.map(|number| format!("CWE-{number}")).collect()
}

/// The rules of a run, by place and by name.
struct Rules<'a> {
    list: &'a [Value],
    by_id: HashMap<&'a str, &'a Value>,
}

impl<'a> Rules<'a> {
    fn of(run: &'a Value) -> Self {
        let list = at(run, &["tool", "driver", "rules"]).and_then(Value::as_array);
        let list = list.map_or(&[][..], Vec::as_slice);
        let extensions = at(run, &["tool", "extensions"]).and_then(Value::as_array);
        let more = extensions.into_iter().flatten();
        let more = more.filter_map(|it| it.get("rules")?.as_array()).flatten();
        let all = list.iter().chain(more);
        let named = all.filter_map(|rule| Some((rule.get("id")?.as_str()?, rule)));
        Self {
            list,
            by_id: named.collect(),
        }
    }

    fn of_result(&self, result: &Value) -> Option<&'a Value> {
        let id = first([text(result, &["ruleId"]), text(result, &["rule", "id"])]);
        // `a/b` is a rule below the rule `a` (section 3.27.5).
        let above = id.split('/').next().unwrap_or_default();
        let index = result
            .get("ruleIndex")
            .or_else(|| at(result, &["rule", "index"]));
        let by_index = || self.list.get(usize::try_from(index?.as_u64()?).ok()?);
        let by_name = self.by_id.get(&*id).or_else(|| self.by_id.get(above));
        by_name.copied().or_else(by_index)
    }
}
