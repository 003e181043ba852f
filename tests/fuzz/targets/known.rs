//! All targets, by name.

use super::{config, engine, measure, report};

/// A target: its name, and what takes the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 21] = [
    ("archive", engine::archive),
    ("circleci", config::circleci),
    ("circleci_expression", config::circleci_expression),
    ("gitlab", config::gitlab),
    ("gitlab_rules", config::gitlab_rules),
    ("import_github", config::import_github),
    ("import_jenkins", config::import_jenkins),
    ("masking", engine::masking),
    ("measure_findings", measure::findings),
    ("measure_values", measure::values),
    ("report_coverage", report::coverage),
    ("report_diff", report::diff),
    ("report_glob", report::glob),
    ("report_input", report::input),
    ("report_junit_writer", report::junit_writer),
    ("report_split", report::split),
    ("report_tests", report::tests),
    ("report_xml", report::xml),
    ("settings", config::settings),
    ("workflow_form", config::workflow_form),
    ("yaml", config::yaml),
];

/// The target of this name.
///
/// # Panics
/// When there is none.
pub fn target(name: &str) -> fn(&[u8]) {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    match found {
        Some((_, target)) => *target,
        None => panic!("there is no target `{name}`"),
    }
}
