//! The options of `ci run` that say how reports are judged.

use ci_core::job::{CoverageRules, ReportRules};
use ci_core::settings::{JobSettings, Settings};

/// How the reports of all jobs are judged, over what the settings say.
#[derive(Debug, clap::Args)]
pub(crate) struct RulesArgs {
    /// Fail jobs whose test results have failed tests, also where their commands hide it
    #[arg(long)]
    pub(crate) fail_on_failed_tests: bool,
    /// The least coverage in percent, of all shards of a job together: `80`, or
    /// `80,branches=70,functions=75,file-lines=50,file-branches=50,changed-lines=90` (those that
    /// differ from --base)
    #[arg(long, value_name = "PCT", value_parser = coverage)]
    pub(crate) coverage_min: Option<CoverageRules>,
}

impl RulesArgs {
    /// Puts what was typed behind the settings of all jobs.
    pub(crate) fn apply(&self, settings: &mut Settings, base: Option<&str>) {
        let mut rules = ReportRules::default();
        rules.fail_on_failed_tests = self.fail_on_failed_tests.then_some(true);
        if let Some(coverage) = &self.coverage_min {
            rules.coverage = coverage.clone();
        }
        if !rules.is_empty() {
            rules.coverage.base = base.map(str::to_owned);
            let mut job = JobSettings::default();
            job.reports = rules;
            settings.jobs.push("*", job);
        }
    }
}

/// `80,branches=70`.
fn coverage(text: &str) -> Result<CoverageRules, String> {
    let mut rules = CoverageRules::default();
    for part in text.split(',') {
        let (name, percent) = part.split_once('=').unwrap_or(("lines", part));
        let value: f64 = percent
            .trim()
            .trim_end_matches('%')
            .parse()
            .map_err(|_| format!("`{percent}` is no number"))?;
        if !(0.0..=100.0).contains(&value) {
            return Err(format!("`{percent}` is no percentage from 0 to 100"));
        }
        let rule = match name.trim() {
            "lines" => &mut rules.lines,
            "branches" => &mut rules.branches,
            "functions" => &mut rules.functions,
            "file-lines" => &mut rules.file_lines,
            "file-branches" => &mut rules.file_branches,
            "changed-lines" => &mut rules.changed_lines,
            other => {
                return Err(format!(
                    "`{other}` is not known; known are lines, branches, functions, file-lines, \
                     file-branches, changed-lines"
                ));
            }
        };
        *rule = Some(value);
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::coverage;

    #[test]
    fn thresholds_are_named() {
        let rules = coverage("80%,branches=70.5, file-lines=50").unwrap();
        assert_eq!((rules.lines, rules.branches), (Some(80.0), Some(70.5)));
        assert_eq!(rules.file_lines, Some(50.0));
        for wrong in ["", "x", "101", "lines=-1", "line=3", "NaN"] {
            assert!(coverage(wrong).is_err(), "{wrong}");
        }
    }
}
