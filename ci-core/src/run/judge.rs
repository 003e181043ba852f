//! Judges a job after its steps: by its tests, its values, its findings, and the coverage of all its
//! shards.

use std::sync::Arc;

use super::book::{BadTests, Page};
use super::services::JobServices;
use crate::job::ReportRules;
use crate::outcome::{Failure, Outcome};
use crate::step::{Action, StepServices};

/// The outcome of an attempt of a job with rules that ended with `outcome`; `whole` says that no step
/// was left out.
pub(super) async fn judge(services: &Arc<JobServices>, outcome: Outcome, whole: bool) -> Outcome {
    let rules = &services.job().options.reports;
    services.note_stated();
    let page = services.host().book.page(services.ticket().job);
    let outcome = by_tests(services, rules, &page, outcome, whole);
    if !outcome.is_success() {
        return outcome;
    }
    let keeps = |is_kind: fn(&Action) -> bool| {
        let mut steps = services.job().steps.iter();
        steps.any(|step| is_kind(&step.action))
    };
    let mut outcomes = Vec::new();
    if !rules.metrics.is_empty() && keeps(|action| matches!(action, Action::StoreMetrics(_))) {
        outcomes.push(by_metrics(services).await);
    }
    if !rules.findings.is_empty() && keeps(|action| matches!(action, Action::StoreFindings(_))) {
        outcomes.push(by_findings(services).await);
    }
    if let Some(outcome) = together(outcomes) {
        return outcome;
    }
    let covers = rules.coverage_pattern.is_some()
        || keeps(|action| matches!(action, Action::StoreCoverage(_)));
    if rules.coverage.is_empty() || !covers {
        return outcome;
    }
    by_coverage(services).await
}

/// The outcome of several gates of which at least one is not passed; what each says is in it.
fn together(outcomes: Vec<Outcome>) -> Option<Outcome> {
    let mut bad: Vec<Outcome> = outcomes.into_iter().filter(|it| !it.is_success()).collect();
    if bad.len() > 1 && bad.iter().all(|it| matches!(it, Outcome::Failed(_))) {
        let words: Vec<String> = bad.iter().filter_map(Outcome::reason).collect();
        return Some(Outcome::failed(words.join("; ")));
    }
    // What the engine could not do says more than what a gate thinks.
    bad.sort_by_key(|outcome| matches!(outcome, Outcome::Failed(_)));
    bad.into_iter().next()
}

fn by_tests(
    services: &JobServices,
    rules: &ReportRules,
    page: &Page,
    outcome: Outcome,
    whole: bool,
) -> Outcome {
    let bad = &page.bad;
    let counting = bad.counting + bad.problems;
    match &outcome {
        Outcome::Success if rules.fail_on_failed_tests == Some(true) && counting > 0 => {
            let of = page.tests.map_or(0, |tests| tests.tests);
            Outcome::failed(failed_tests(bad, of))
        }
        Outcome::Failed(failure) if counting == 0 && bad.quarantined > 0 => {
            let Some(code) = exit_code_alone(failure) else {
                return outcome;
            };
            let quarantined = bad.quarantined;
            let what =
                format!("exit code {code}, and all failed tests are in quarantine ({quarantined})");
            let (outcome, what) = if whole {
                (Outcome::Success, format!("{what}: taken for a success"))
            } else {
                let why = "but steps after the failure did not run";
                (outcome, format!("{what}, {why}: it stays a failure"))
            };
            let name = Arc::clone(&services.job().name);
            services.host().warn(Some(name), what);
            outcome
        }
        _ => outcome,
    }
}

/// The exit code of a failure that says nothing more.
fn exit_code_alone(failure: &Failure) -> Option<i32> {
    let is_alone = failure.signal.is_none() && failure.message.is_none();
    failure.exit_code.filter(|_| is_alone)
}

/// How many tests of how many failed, and the names of the first.
fn failed_tests(bad: &BadTests, of: u64) -> String {
    let mut parts = Vec::new();
    if bad.counting > 0 {
        parts.push(format!("{} of {of} tests failed", bad.counting));
    }
    if bad.problems > 0 {
        parts.push(format!("{} problems outside of tests", bad.problems));
    }
    let named: Vec<String> = bad.named.iter().map(|name| format!("`{name}`")).collect();
    let mut words = format!("{}: {}", parts.join(" and "), named.join(", "));
    let rest = (bad.counting + bad.problems).saturating_sub(named.len() as u64);
    if rest > 0 {
        words.push_str(&format_args!(" and {rest} more").to_string());
    }
    words
}

#[cfg(all(feature = "reports", feature = "storage"))]
async fn by_metrics(services: &Arc<JobServices>) -> Outcome {
    super::measured::metrics(services).await
}

#[cfg(all(feature = "reports", feature = "storage"))]
async fn by_findings(services: &Arc<JobServices>) -> Outcome {
    super::measured::findings(services).await
}

#[cfg(all(feature = "reports", feature = "storage"))]
async fn by_coverage(services: &Arc<JobServices>) -> Outcome {
    super::gates::judge(services).await
}

#[cfg(not(all(feature = "reports", feature = "storage")))]
#[expect(clippy::unused_async, reason = "the same signature as with reports")]
async fn by_coverage(_services: &Arc<JobServices>) -> Outcome {
    cannot("coverage")
}

#[cfg(not(all(feature = "reports", feature = "storage")))]
#[expect(clippy::unused_async, reason = "the same signature as with reports")]
async fn by_metrics(_services: &Arc<JobServices>) -> Outcome {
    cannot("values")
}

#[cfg(not(all(feature = "reports", feature = "storage")))]
#[expect(clippy::unused_async, reason = "the same signature as with reports")]
async fn by_findings(_services: &Arc<JobServices>) -> Outcome {
    cannot("findings")
}

#[cfg(not(all(feature = "reports", feature = "storage")))]
fn cannot(what: &str) -> Outcome {
    let words = format!("gates on {what} need the features `reports` and `storage` of ci-core");
    Outcome::InfrastructureFailure(words.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bad_tests_are_named() {
        let mut bad = BadTests::default();
        bad.add("a::x".into(), false);
        assert_eq!(failed_tests(&bad, 7), "1 of 7 tests failed: `a::x`");
        for name in ["a::y", "a::z", "a::w"] {
            bad.add(name.into(), false);
        }
        bad.add("a::known".into(), true);
        bad.add_problem("no database".into());
        assert_eq!(
            failed_tests(&bad, 7),
            "4 of 7 tests failed and 1 problems outside of tests: `a::x`, `a::y`, `a::z` and 2 more"
        );
    }

    #[test]
    fn only_a_plain_exit_code_is_forgiven() {
        let failure = |outcome: Outcome| match outcome {
            Outcome::Failed(failure) => failure,
            other => panic!("{other:?}"),
        };
        let plain = failure(Outcome::from_exit_code(2));
        assert_eq!(exit_code_alone(&plain), Some(2));
        assert_eq!(exit_code_alone(&failure(Outcome::failed("no"))), None);
        assert_eq!(exit_code_alone(&Failure::signal(9)), None);
    }
}
