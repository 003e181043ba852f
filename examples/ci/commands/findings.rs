//! `ci report findings`: what scanners and linters found, judged against what was known.

use std::fs::File;
use std::path::PathBuf;

use ci_core::measure::findings::{Baseline, Finding, Policy, Severity, Verdict, merge, read};
use serde_json::json;

use crate::args::{Format, Global};
use crate::failure::{Failure, chain};
use crate::output;

/// Exit code of a gate that is not passed.
const GATE: u8 = 1;

#[derive(Debug, clap::Args)]
pub(crate) struct FindingsArgs {
    /// Report files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// New findings this bad, or worse, fail: info, low, medium, high or critical [default: none do]
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) fail_at: Option<Severity>,
    /// Also fail for new findings that are less bad
    #[arg(long)]
    pub(crate) deny_warnings: bool,
    /// The file of findings that are known and do not fail
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Write what was found to the baseline: from now on it is known
    #[arg(long, requires = "baseline")]
    pub(crate) update_baseline: bool,
}

/// Reads findings, merged into one list.
pub(crate) fn findings(global: &Global, args: &FindingsArgs) -> Result<u8, Failure> {
    let (mut all, mut problems, mut any) = (Vec::new(), Vec::new(), false);
    for path in &args.files {
        let report = File::open(path).map_err(|error| error.to_string());
        match report.and_then(|file| read(file).map_err(|error| chain(&error))) {
            Ok(report) => {
                any = true;
                for warning in &report.warnings {
                    output::say(output::plain(&format!("{}: {warning}", path.display())));
                }
                all.extend(report.findings);
            }
            Err(error) => problems.push(format!("`{}`: {error}", path.display())),
        }
    }
    // A report that is not there must not pass for one without findings.
    if !problems.is_empty() && (!any || args.fail_at.is_some() || args.deny_warnings) {
        return Err(Failure::input(problems.join("\n"))
            .hint("give reports in SARIF, or of bandit, safety, pip-audit or GitLab, as JSON"));
    }
    problems.iter().for_each(output::say);
    let found = merge(all);
    if args.update_baseline {
        write_baseline(args, &found)?;
    }
    let known = baseline(args)?;
    let mut policy = Policy::new(args.fail_at.unwrap_or(Severity::Critical));
    if args.deny_warnings {
        policy = policy.deny_warnings();
    }
    let verdict = policy.judge(&found, &known);
    let judged = args.fail_at.is_some() || args.deny_warnings;
    match global.format {
        Format::Json => output::json(&json!({
            "findings": found,
            "new": verdict.blocking.iter().chain(&verdict.warnings).collect::<Vec<_>>(),
            "known": verdict.known.len(),
            "passed": !judged || verdict.passed(),
        }))?,
        Format::Text => output::print(&text(&verdict))?,
        Format::Markdown => output::print(&markdown(&verdict))?,
        Format::Junit | Format::Lcov | Format::Cobertura | Format::Html => {
            return Err(Failure::input("findings cannot be written in that format")
                .hint("they can be text, markdown and json"));
        }
    }
    if !judged {
        return Ok(0);
    }
    output::say(verdict.to_string());
    Ok(if verdict.passed() { 0 } else { GATE })
}

/// A baseline that is named and not there has nothing in it: the first run has none.
fn baseline(args: &FindingsArgs) -> Result<Baseline, Failure> {
    let Some(file) = &args.baseline else {
        return Ok(Baseline::default());
    };
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Baseline::parse(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            output::say(format!("there is no baseline `{}` yet", file.display()));
            Ok(Baseline::default())
        }
        Err(error) => Err(Failure::input(format!("`{}`: {error}", file.display()))),
    }
}

fn write_baseline(args: &FindingsArgs, found: &[Finding]) -> Result<(), Failure> {
    let Some(file) = &args.baseline else {
        return Ok(());
    };
    let trouble = |error| Failure::input(format!("`{}`: {error}", file.display()));
    std::fs::write(file, Baseline::of(found).text()).map_err(trouble)?;
    output::say(format!(
        "{} findings are in `{}`",
        found.len(),
        file.display()
    ));
    Ok(())
}

fn new<'a>(verdict: &'a Verdict<'_>) -> impl Iterator<Item = &'a Finding> {
    let all = verdict.blocking.iter().chain(&verdict.warnings);
    all.copied()
}

fn text(verdict: &Verdict<'_>) -> String {
    let mut rows = vec![
        ["SEVERITY", "RULE", "WHERE", "WHAT", "FOUND BY"]
            .map(String::from)
            .to_vec(),
    ];
    for finding in new(verdict) {
        rows.push(vec![
            finding.severity.to_string(),
            output::plain(&finding.rule),
            output::plain(&finding.place()),
            output::plain(&subject(finding)),
            output::plain(&finding.tools.join(", ")),
        ]);
    }
    match rows.len() {
        1 => "no new findings\n".to_owned(),
        _ => output::table(&rows),
    }
}

fn markdown(verdict: &Verdict<'_>) -> String {
    let mut out = format!("{verdict}\n");
    let escaped = |text: &str| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        text.replace('|', "\\|")
            .replace('[', "\\[")
            .replace('`', "'")
    };
    let rows: Vec<String> = new(verdict)
        .map(|finding| {
            let cells = [
                finding.severity.to_string(),
                escaped(&finding.rule),
                escaped(&finding.place()),
                escaped(&subject(finding)),
            ];
            format!("| {} |\n", cells.join(" | "))
        })
        .collect();
    if !rows.is_empty() {
        out.push_str("\n| Severity | Rule | Where | What |\n|---|---|---|---|\n");
        out.extend(rows);
    }
    out
}

fn subject(finding: &Finding) -> String {
    let line = finding.message.lines().next().unwrap_or_default();
    match line.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
