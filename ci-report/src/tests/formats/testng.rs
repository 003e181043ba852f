//! `TestNG` XML (`testng-results.xml`).

use crate::tests::{Outcome, seconds};
use crate::xml::Tag;

use super::tree::{Draft, Field, Node, suite};

pub(super) fn node(tag: &Tag<'_>, draft: &mut Draft) -> Node {
    match tag.name() {
        "suite" | "test" | "class" => Node::Suite(suite(tag, "name")),
        // Set-up and tear-down are no tests, unless they failed.
        "test-method"
            if tag.get("is-config") == Some("true") && tag.get("status") != Some("FAIL") =>
        {
            Node::Ignore
        }
        "test-method" => {
            case(tag, draft);
            Node::Case
        }
        "exception" => {
            tag.get("class")
                .unwrap_or_default()
                .clone_into(&mut draft.result.kind);
            Node::Pass
        }
        "message" => Node::Text(Field::Message),
        "full-stacktrace" | "short-stacktrace" => Node::Text(Field::Body),
        "line" => Node::Text(Field::Stdout),
        "groups" | "params" => Node::Ignore,
        _ => Node::Pass,
    }
}

fn case(tag: &Tag<'_>, draft: &mut Draft) {
    let case = &mut draft.case;
    let name = tag.get("name").unwrap_or_default();
    name.clone_into(&mut case.name);
    // `name(types)[pri:0, instance:package.Class@1234]`
    let signature = tag.get("signature").unwrap_or_default();
    if let Some((_, instance)) = signature.split_once("instance:") {
        let end = instance.find(['@', ']', '(']).unwrap_or(instance.len());
        instance
            .get(..end)
            .unwrap_or_default()
            .clone_into(&mut case.class);
    }
    case.time = tag
        .get("duration-ms")
        .and_then(seconds::parse)
        .map(|time| time / 1000.0);
    case.outcome = match tag.get("status").unwrap_or_default() {
        "FAIL" if tag.get("is-config") == Some("true") => Outcome::Error,
        "FAIL" => Outcome::Failed,
        "SKIP" => Outcome::Skipped,
        _ => Outcome::Passed,
    };
}
