//! NUnit XML, versions 2 and 3.

use crate::tests::{Outcome, seconds};
use crate::xml::Tag;

use super::tree::{Draft, Field, Node, split_name, suite};

pub(super) fn node(tag: &Tag<'_>, draft: &mut Draft) -> Node {
    match tag.name() {
        "test-suite" => {
            let mut suite = suite(tag, "name");
            suite.time = tag
                .get("duration")
                .or_else(|| tag.get("time"))
                .and_then(seconds::parse);
            Node::Suite(suite)
        }
        "test-case" => {
            case(tag, draft);
            Node::Case
        }
        "message" => Node::Text(Field::Message),
        "stack-trace" => Node::Text(Field::Body),
        "output" => Node::Text(Field::Stdout),
        "filePath" => Node::Text(Field::Attachment),
        "property" => {
            draft.property(
                tag.get("name").unwrap_or_default(),
                tag.get("value").unwrap_or_default(),
            );
            Node::Pass
        }
        // They say again what the failure says.
        "assertions" | "settings" | "environment" | "culture-info" => Node::Ignore,
        _ => Node::Pass,
    }
}

fn case(tag: &Tag<'_>, draft: &mut Draft) {
    let case = &mut draft.case;
    let whole = tag.get("name").unwrap_or_default();
    // Version 2 has nothing but the full name.
    let (class, name) = match tag.get("classname") {
        Some(class) => (class, whole),
        None => split_name(tag.get("fullname").unwrap_or(whole)),
    };
    class.clone_into(&mut case.class);
    name.clone_into(&mut case.name);
    case.time = tag
        .get("duration")
        .or_else(|| tag.get("time"))
        .and_then(seconds::parse);
    case.status = tag.get("result").map(str::to_owned);
    case.outcome = match (tag.get("result").unwrap_or_default(), tag.get("label")) {
        ("Failed", Some("Error" | "Invalid" | "Cancelled")) | ("Error" | "Cancelled", _) => {
            Outcome::Error
        }
        ("Failed" | "Failure", _) => Outcome::Failed,
        ("Skipped" | "Ignored" | "Inconclusive" | "NotRunnable" | "Invalid", _) => Outcome::Skipped,
        ("", _) if tag.get("executed") == Some("False") => Outcome::Skipped,
        ("", _) if tag.get("success") == Some("False") => Outcome::Failed,
        _ => Outcome::Passed,
    };
}
