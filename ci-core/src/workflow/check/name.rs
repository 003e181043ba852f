//! What names have to look like.

use crate::workflow::{Place, Problem};

/// The most bytes that a name may have: names become labels and lines of a report. Matrices make names
/// of all their values.
const LONGEST: usize = 1_000;

/// Reports `name`, the name of `what`, if it is no good.
pub(super) fn check(
    what: &'static str,
    name: &str,
    place: impl FnOnce() -> Place,
    problems: &mut Vec<Problem>,
) {
    if let Some(why) = fault(name) {
        problems.push(bad(what, name, place(), why));
    }
}

/// Reports the name of an environment variable that a shell could not use.
pub(super) fn check_variable(
    what: &'static str,
    name: &str,
    place: impl FnOnce() -> Place,
    problems: &mut Vec<Problem>,
) {
    let mut bytes = name.bytes();
    let begins = bytes
        .next()
        .is_some_and(|first| first == b'_' || first.is_ascii_alphabetic());
    if !begins || !bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
        let why = "it may have only letters, digits and `_`, and not begin with a digit";
        problems.push(bad(what, name, place(), why));
    }
}

/// What is wrong with a name, if anything.
fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > LONGEST {
        Some("it is longer than 1000 bytes")
    } else if name.bytes().all(|byte| byte.is_ascii_graphic()) {
        // Most names: nothing in them needs a closer look.
        None
    } else if name.trim() != name {
        Some("it begins or ends with a space")
    } else if name.chars().any(char::is_control) {
        Some("it has control characters")
    } else {
        None
    }
}

fn bad(what: &'static str, name: &str, place: Place, why: &'static str) -> Problem {
    Problem::BadName {
        what,
        name: name.escape_debug().to_string(),
        place,
        why,
    }
}
