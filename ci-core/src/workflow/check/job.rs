//! Checks the policies of a job.

use std::collections::{BTreeMap, HashSet};

use super::name;
use super::step::{self, check_text};
use super::workflow::{Groups, check_duration};
use crate::job::{JobOptions, JobSpec, Matrix, Requirements, Retry, Start};
use crate::workflow::{Place, Problem, expand};

/// Reports every setting of `job` that cannot be used.
pub(super) fn check_options(job: &JobSpec, groups: &mut Groups, problems: &mut Vec<Problem>) {
    let options: &JobOptions = &job.options;
    let place = || Place::job(&job.name);
    for variable in options.env.keys() {
        name::check_variable("a variable", variable, place, problems);
    }
    for context in &options.contexts {
        name::check("a context", context, place, problems);
    }
    if let Some(stage) = &options.stage {
        name::check("a stage", stage, place, problems);
    }
    for group in &options.groups {
        groups.check(group, place, problems);
    }
    check_duration(options.timeouts.job, "its time limit", place, problems);
    check_duration(
        options.timeouts.step,
        "the time limit of its steps",
        place,
        problems,
    );
    check_duration(
        options.timeouts.no_output,
        "the silence it allows",
        place,
        problems,
    );
    if let Start::Manual { deadline, .. } = &options.start {
        check_duration(*deadline, "the deadline of its approval", place, problems);
    }
    let mut report = |why: String| {
        problems.push(Problem::BadValue {
            place: place(),
            why,
        });
    };
    check_text(
        options.working_dir.as_deref(),
        "its working directory",
        &mut report,
    );
    if options.shell.first().is_some_and(String::is_empty) {
        report("its shell is empty".to_owned());
    }
    check_requirements(&options.requires, &mut report);
    check_retry(&options.retry, &mut report);
    if let Some(condition) = &options.condition {
        for error in condition.bad_patterns() {
            report(format!("its condition: {error}"));
        }
    }
    if options.parallelism == Some(0) {
        report("its parallelism is zero".to_owned());
    }
    if let Some(matrix) = &options.matrix {
        check_matrix(matrix, &mut report);
    }
    if expand::count(job).is_none_or(|count| count > expand::LIMIT) {
        report(format!(
            "its matrix and parallelism ask for more than {} jobs",
            expand::LIMIT
        ));
    }
    if let Some(matrix) = &options.matrix {
        check_matrix_names(matrix, place, problems);
    }
}

/// Reports every step of `job` that cannot run.
pub(super) fn check_steps(job: &JobSpec, problems: &mut Vec<Problem>) {
    for (index, step) in job.steps.iter().enumerate() {
        step::check(step, || Place::step(job, index), problems);
    }
}

fn check_requirements(requires: &Requirements, report: &mut impl FnMut(String)) {
    check_text(requires.executor.as_deref(), "its executor", report);
    check_text(requires.image.as_deref(), "its image", report);
    check_text(
        requires.resource_class.as_deref(),
        "its resource class",
        report,
    );
    check_text(requires.platform.as_deref(), "its platform", report);
    for service in &requires.services {
        check_text(Some(&service.image), "the image of a service", report);
    }
    if requires.cpu_milli == Some(0) {
        report("it reserves no processor time at all".to_owned());
    }
    if requires.memory_mib == Some(0) {
        report("it reserves no memory at all".to_owned());
    }
}

fn check_retry(retry: &Retry, report: &mut impl FnMut(String)) {
    let backoff = &retry.backoff;
    if !(0.0..=1.0).contains(&backoff.jitter) {
        report(format!(
            "the jitter of its retry is {} and has to be from 0 to 1",
            backoff.jitter
        ));
    }
    if !(backoff.factor.is_finite() && backoff.factor >= 1.0) {
        report(format!(
            "the factor of its retry is {} and has to be 1 or more",
            backoff.factor
        ));
    }
}

fn check_matrix(matrix: &Matrix, report: &mut impl FnMut(String)) {
    if matrix.dimensions.is_empty() && matrix.include.is_empty() {
        return report("its matrix has no dimension".to_owned());
    }
    let mut seen = HashSet::new();
    for (dimension, values) in &matrix.dimensions {
        if !seen.insert(dimension.as_str()) {
            report(format!("its matrix has the dimension `{dimension}` twice"));
        }
        if values.is_empty() {
            report(format!(
                "the dimension `{dimension}` of its matrix has no value"
            ));
        }
    }
    for excluded in &matrix.exclude {
        if excluded.is_empty() {
            report("its matrix excludes a combination of nothing, which is all of them".to_owned());
        }
        for (name, value) in excluded {
            let known = matrix.dimensions.iter().find(|(known, _)| known == name);
            if !known.is_some_and(|(_, values)| values.contains(value)) {
                report(format!(
                    "its matrix excludes `{name}: {value}`, which is none of its values"
                ));
            }
        }
    }
    if matrix.include.iter().any(BTreeMap::is_empty) {
        report("its matrix includes a combination of nothing".to_owned());
    }
    let small = matrix
        .dimensions
        .iter()
        .try_fold(1usize, |size, (_, values)| size.checked_mul(values.len()))
        .is_some_and(|size| (1..=expand::LIMIT).contains(&size));
    if small && expand::combinations(matrix).is_empty() {
        report("its matrix excludes every combination".to_owned());
    }
}

fn check_matrix_names(
    matrix: &Matrix,
    place: impl Fn() -> Place + Copy,
    problems: &mut Vec<Problem>,
) {
    let included = matrix.include.iter().flatten();
    let values = matrix.dimensions.iter().flat_map(|(_, values)| values);
    for value in values.chain(included.clone().map(|(_, value)| value)) {
        // It stands in the name of a job, where spaces around it do no harm.
        if !value.trim().is_empty() {
            name::check("a job made from a matrix", value.trim(), place, problems);
        }
    }
    let dimensions = matrix.dimensions.iter().map(|(name, _)| name);
    for name in dimensions.chain(included.map(|(name, _)| name)) {
        name::check_variable("a dimension of a matrix", name, place, problems);
    }
}
