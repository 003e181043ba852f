//! Checks what a step does.

use super::name;
use super::workflow::check_duration;
use crate::session::Program;
use crate::step::{Action, CommandSpec, StepSpec, WaitProbe, WaitSpec};
use crate::workflow::{Place, Problem};

/// Reports everything of `step` that cannot be used.
pub(super) fn check(
    step: &StepSpec,
    place: impl Fn() -> Place + Copy,
    problems: &mut Vec<Problem>,
) {
    for variable in step.env.keys() {
        name::check_variable("a variable", variable, place, problems);
    }
    check_duration(step.timeout, "its time limit", place, problems);
    check_duration(
        step.no_output_timeout,
        "the silence it allows",
        place,
        problems,
    );
    match &step.action {
        Action::WaitFor(wait) => {
            check_duration(Some(wait.deadline), "its deadline", place, problems);
        }
        Action::Approval(approval) => {
            check_duration(approval.deadline, "its deadline", place, problems);
        }
        _ => {}
    }
    let mut report = |why: String| {
        problems.push(Problem::BadValue {
            place: place(),
            why,
        });
    };
    check_text(step.name.as_deref(), "its name", &mut report);
    check_action(&step.action, &mut report);
}

/// Reports a text that is there and empty.
pub(super) fn check_text(text: Option<&str>, what: &str, report: &mut impl FnMut(String)) {
    if text.is_some_and(|text| text.trim().is_empty()) {
        report(format!("{what} is empty"));
    }
}

fn check_action(action: &Action, report: &mut impl FnMut(String)) {
    match action {
        Action::Run(command) => check_command(command, report),
        Action::Checkout(checkout) => {
            check_text(checkout.source.as_deref(), "its source", report);
            check_text(checkout.revision.as_deref(), "its revision", report);
            check_text(checkout.path.as_deref(), "its path", report);
            if checkout.depth == Some(0) {
                report("its depth is zero".to_owned());
            }
        }
        Action::RestoreCache(cache) => check_list(&cache.keys, "key", report),
        Action::SaveCache(cache) => {
            check_text(Some(&cache.key), "its key", report);
            check_list(&cache.paths, "path", report);
        }
        Action::PersistWorkspace(workspace) => {
            check_text(Some(&workspace.root), "its root", report);
            check_list(&workspace.paths, "path", report);
        }
        Action::AttachWorkspace(workspace) => {
            check_text(Some(&workspace.root), "its root", report);
        }
        Action::StoreArtifacts(paths)
        | Action::StoreTestResults(paths)
        | Action::StoreCoverage(paths)
        | Action::StoreMetrics(paths)
        | Action::StoreFindings(paths) => check_list(&paths.paths, "path", report),
        Action::WaitFor(wait) => check_wait(wait, report),
        Action::Custom(custom) => check_text(Some(&custom.step), "its name", report),
        Action::Approval(_) | Action::Code(_) => {}
    }
}

fn check_command(command: &CommandSpec, report: &mut impl FnMut(String)) {
    check_text(command.dir.as_deref(), "its directory", report);
    match &command.program {
        Program::Argv(words) => match words.first() {
            None => report("it names no program to run".to_owned()),
            Some(program) => check_text(Some(program), "its program", report),
        },
        Program::Shell { shell, .. } => {
            check_text(shell.first().map(String::as_str), "its shell", report);
        }
    }
}

fn check_list(list: &[String], what: &str, report: &mut impl FnMut(String)) {
    if list.is_empty() {
        report(format!("it names no {what}"));
    }
    for text in list {
        check_text(Some(text), &format!("a {what}"), report);
    }
}

fn check_wait(wait: &WaitSpec, report: &mut impl FnMut(String)) {
    match &wait.probe {
        // With a variable in it nobody knows yet what it will be.
        WaitProbe::Tcp(text) | WaitProbe::Http(text) if text.contains('$') => {}
        WaitProbe::Tcp(address) => {
            let port = address
                .rsplit_once(':')
                .map(|(host, port)| (host, port.parse::<u16>()));
            if !matches!(port, Some((host, Ok(1..))) if !host.is_empty()) {
                report(format!(
                    "`{address}` is no address such as `localhost:5432`"
                ));
            }
        }
        WaitProbe::Http(url) => {
            if !(url.starts_with("http://") || url.starts_with("https://")) {
                report(format!(
                    "`{url}` is no URL such as `http://localhost:8080/health`"
                ));
            }
        }
        WaitProbe::Command(script) => check_text(Some(script), "its command", report),
    }
    if wait.interval.is_zero() {
        report("its interval is zero".to_owned());
    }
}
