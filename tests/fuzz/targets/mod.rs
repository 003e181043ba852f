//! What is fuzzed: functions that take any bytes, and panic if something that must always hold does
//! not.
//!
//! cargo-fuzz drives them through the wrappers in `fuzz_targets/`; the test `fuzz` of ci-tests drives
//! the same functions on stable Rust for a bounded number of inputs. Work is bounded by counting what
//! comes out, never by time.

pub mod config;
pub mod engine;
pub mod measure;
pub mod report;

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

/// The text of the bytes; what is no UTF-8 is replaced.
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The first byte as a number, and the others.
fn number(bytes: &[u8]) -> (usize, &[u8]) {
    match bytes.split_first() {
        Some((first, rest)) => (usize::from(*first), rest),
        None => (0, bytes),
    }
}

/// The bytes in pieces, whose lengths follow from `size`.
fn pieces(bytes: &[u8], size: usize) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(size.clamp(1, 255))
}
