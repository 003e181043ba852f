//! Reports of every form, told apart from what was known, and judged.

use proptest::prelude::*;

use super::*;

const SARIF: &str = r#"{"version": "2.1.0", "runs": [{
  "tool": {"driver": {"name": "scan", "rules": [
    {"id": "py/sql", "shortDescription": {"text": "SQL injection"},
     "properties": {"security-severity": "8.8", "tags": ["security", "external/cwe/cwe-089"]}},
    {"id": "style", "defaultConfiguration": {"level": "note"}}]}},
  "results": [
    {"ruleId": "py/sql", "message": {"text": "This query depends on user input."}, "locations": [
      {"physicalLocation": {"artifactLocation": {"uri": "app/db.py"}, "region": {"startLine": 12}}}]},
    {"ruleIndex": 1, "message": {"text": "long line"}},
    {"ruleId": "style", "kind": "pass", "message": {"text": "fine"}},
    {"ruleId": "py/sql", "suppressions": [{"kind": "inSource"}], "message": {"text": "known"}},
    "nonsense"]}]}"#;

const BANDIT: &str = r#"{"errors": [{"filename": "x.py", "reason": "syntax error"}],
  "generated_at": "2026-01-01T00:00:00Z", "metrics": {}, "results": [
  {"filename": "./app/db.py", "issue_confidence": "MEDIUM", "issue_cwe": {"id": 89},
   "issue_severity": "MEDIUM", "issue_text": "Possible SQL injection.", "line_number": 12,
   "test_id": "B608", "test_name": "hardcoded_sql_expressions"}]}"#;

const PIP_AUDIT: &str = r#"{"dependencies": [{"name": "jinja2", "version": "2.4.1", "vulns": [
  {"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": ["CVE-2019-10906"],
   "description": "Sandbox escape."}]}, {"name": "local", "skip_reason": "not on the index"}], "fixes": []}"#;

const SAFETY: &str = r#"{"report_meta": {}, "vulnerabilities": [{"vulnerability_id": "39525",
  "package_name": "Jinja2", "analyzed_version": "2.4.1", "advisory": "Sandbox escape in jinja2.",
  "CVE": "CVE-2019-10906", "severity": {"cvssv3": {"base_score": 9.8}}}]}"#;

const SAFETY_1: &str = r#"[["jinja2", "<2.10.1", "2.4.1", "Sandbox escape.", "39525"]]"#;

const SCAN: &str = r#"{"scan_results": {"projects": [{"files": [{"results": {"dependencies": [
  {"name": "jinja2", "specifications": [{"raw": "jinja2==2.4.1", "vulnerabilities":
    {"known_vulnerabilities": [{"id": "39525", "ignored": null}, {"id": "1", "ignored": {}}]}}]}]}}]}]}}"#;

const SAST: &str = r#"{"version": "15.0.7", "vulnerabilities": [{"id": "1", "category": "sast",
  "name": "SQL injection", "severity": "Critical", "scanner": {"id": "semgrep", "name": "Semgrep"},
  "location": {"file": "app/db.py", "start_line": 12},
  "identifiers": [{"type": "semgrep_id", "name": "x", "value": "python.sql"},
                  {"type": "cwe", "name": "CWE-89", "value": "89"}]}]}"#;

const QUALITY: &str = r#"[{"description": "Unused variable `a`", "check_name": "unused",
  "severity": "minor", "fingerprint": "f", "location": {"path": "a.rs", "lines": {"begin": 3}}},
  {"description": "Too long", "check_name": "length", "severity": "blocker", "fingerprint": "g",
   "location": {"path": "a.rs", "positions": {"begin": {"line": 9, "column": 1}}}}]"#;

fn report(text: &str) -> Report {
    read(text.as_bytes()).expect("a report")
}

fn shown(text: &str) -> Vec<String> {
    report(text)
        .findings
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_form_is_read() {
    assert_eq!(
        shown(SARIF),
        [
            "high py/sql app/db.py:12: This query depends on user input.",
            "info style: long line"
        ]
    );
    assert_eq!(report(SARIF).warnings, ["`results[4]` is no result"]);
    assert_eq!(
        shown(BANDIT),
        ["medium B608 ./app/db.py:12: Possible SQL injection."]
    );
    assert_eq!(
        shown(PIP_AUDIT),
        ["high PYSEC-2019-217 jinja2 2.4.1: Sandbox escape."]
    );
    assert_eq!(
        shown(SAFETY),
        ["critical 39525 Jinja2 2.4.1: Sandbox escape in jinja2."]
    );
    assert_eq!(
        shown(SAFETY_1),
        ["high 39525 jinja2 2.4.1: Sandbox escape."]
    );
    assert_eq!(shown(SCAN), ["high 39525 jinja2 2.4.1: "]);
    assert_eq!(
        shown(SAST),
        ["critical python.sql app/db.py:12: SQL injection"]
    );
    assert_eq!(
        shown(QUALITY),
        [
            "low unused a.rs:3: Unused variable `a`",
            "critical length a.rs:9: Too long"
        ]
    );
    assert_eq!(shown("[]"), Vec::<String>::new());
}

#[test]
fn what_is_no_report_is_refused() {
    let kind = |text: &str| read(text.as_bytes()).expect_err("no report").kind();
    assert_eq!(kind("{"), FindingsErrorKind::Malformed);
    assert_eq!(kind("{\"a\": 1}"), FindingsErrorKind::UnknownFormat);
    assert_eq!(kind("[1]"), FindingsErrorKind::UnknownFormat);
    assert_eq!(kind(&"[".repeat(100_000)), FindingsErrorKind::Malformed);
}

#[test]
fn the_same_finding_of_several_tools_counts_once() {
    let all = [SARIF, BANDIT, SAST, PIP_AUDIT, SAFETY].map(|text| report(text).findings);
    let merged = merge(all.concat());
    let shown: Vec<String> = merged.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "critical py/sql app/db.py:12: This query depends on user input.",
            "info style: long line",
            "critical PYSEC-2019-217 jinja2 2.4.1: Sandbox escape.",
        ]
    );
    assert_eq!(merged[0].tools, ["scan", "bandit", "semgrep"]);
    assert_eq!(merged[2].tools, ["pip-audit", "safety"]);
    assert_eq!(
        merge(merged.clone()),
        merged,
        "merged findings stay as they are"
    );
}

#[test]
fn old_findings_do_not_block_and_moved_ones_stay_old() {
    let old = merge(report(QUALITY).findings);
    let baseline = Baseline::parse(&Baseline::of(&old).text());
    assert_eq!(baseline, Baseline::of(&old));
    let policy = Policy::new(Severity::High);
    let verdict = policy.judge(&old, &Baseline::default());
    assert!(!verdict.passed());
    assert_eq!(
        verdict.to_string(),
        "1 new finding blocks, 1 warning, 0 known"
    );
    assert!(policy.judge(&old, &baseline).passed());

    let mut moved = old.clone();
    moved[1].line = Some(999);
    assert!(
        policy.judge(&moved, &baseline).passed(),
        "a line number says nothing"
    );
    // The same once more is new.
    moved.push(moved[1].clone());
    let verdict = policy.judge(&moved, &baseline);
    assert_eq!((verdict.blocking.len(), verdict.known.len()), (1, 2));
}

#[test]
fn warnings_are_allowed_or_not() {
    let findings = &report(QUALITY).findings[..1];
    let policy = Policy::new(Severity::High);
    assert!(policy.judge(findings, &Baseline::default()).passed());
    let verdict = policy.deny_warnings();
    let verdict = verdict.judge(findings, &Baseline::default());
    assert!(!verdict.passed());
    let words = "0 new findings block, 1 warning, which are not allowed, 0 known";
    assert_eq!(verdict.to_string(), words);
}

proptest! {
    #[test]
    fn merging_loses_no_severity_and_no_tool(picks in prop::collection::vec(0usize..7, 0..12)) {
        let texts = [SARIF, BANDIT, SAST, PIP_AUDIT, SAFETY, QUALITY, SCAN];
        let all: Vec<Finding> = picks.iter().flat_map(|&pick| report(texts[pick]).findings).collect();
        let merged = merge(all.clone());
        prop_assert!(merged.len() <= all.len());
        prop_assert_eq!(
            all.iter().map(|it| it.severity).max(),
            merged.iter().map(|it| it.severity).max()
        );
        for finding in &all {
            let tool = &finding.tools[0];
            prop_assert!(merged.iter().any(|it| it.tools.contains(tool)));
        }
    }

    #[test]
    fn a_baseline_of_anything_knows_it(message in any::<String>(), rule in any::<String>()) {
        let finding = Finding { rule, message, ..Finding::default() };
        let findings = [finding];
        let baseline = Baseline::parse(&Baseline::of(&findings).text());
        let key = findings[0].key();
        prop_assert!(!key.contains(['\n', '\r']));
        if !key.is_empty() && !key.starts_with("# ") {
            let verdict = Policy::new(Severity::Info).judge(&findings, &baseline);
            prop_assert!(verdict.passed(), "{key:?}");
        }
    }
}
