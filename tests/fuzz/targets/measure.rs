//! Findings and measured values: what is read is bounded by what came in, and stays the same when it is
//! judged.

use ci_core::measure::findings::{Baseline, Policy, Severity, merge, read};
use ci_core::measure::values;

/// Reports of findings in any form.
pub fn findings(bytes: &[u8]) {
    let Ok(report) = read(bytes) else {
        return;
    };
    assert!(
        report.findings.len() <= bytes.len(),
        "each takes a byte at least"
    );
    assert!(report.warnings.len() <= 20, "warnings are bounded");
    let merged = merge(report.findings);
    let worst = merged.iter().map(|finding| finding.severity).max();
    let baseline = Baseline::parse(&Baseline::of(&merged).text());
    let verdict = Policy::new(Severity::Info).judge(&merged, &Baseline::default());
    assert_eq!(verdict.blocking.len(), merged.len());
    assert_eq!(
        verdict.blocking.first().map(|finding| finding.severity),
        worst
    );
    let known = Policy::new(Severity::Info).judge(&merged, &baseline);
    // A key that is empty, or looks like a comment, is not kept.
    let lost = |key: &str| key.is_empty() || key.starts_with("# ");
    assert!(known.blocking.iter().all(|finding| lost(&finding.key())));
}

/// Measured values in any form.
pub fn values(bytes: &[u8]) {
    let Ok(read) = values::read(bytes) else {
        return;
    };
    assert!(
        read.values.len() <= bytes.len(),
        "each takes a byte at least"
    );
    for value in &read.values {
        assert!(value.value.is_finite(), "`{}` is no number", value.name);
        assert!(!value.name.is_empty());
    }
}
