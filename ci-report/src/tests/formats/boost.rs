//! Boost.Test XML: logs, which have messages and times, and reports, which have results.

use crate::tests::Outcome;
use crate::xml::Tag;

use super::tree::{Draft, Field, Node, suite};

pub(super) fn node(tag: &Tag<'_>, draft: &mut Draft) -> Node {
    match tag.name() {
        "TestSuite" => {
            let mut suite = suite(tag, "name");
            suite.file = tag.get("file").map(str::to_owned);
            Node::Suite(suite)
        }
        "TestCase" => {
            case(tag, draft);
            Node::Case
        }
        "Error" | "FatalError" if draft.open => failure(tag, draft, Outcome::Failed),
        "Exception" if draft.open => failure(tag, draft, Outcome::Error),
        "Message" | "Info" | "Warning" if draft.open => Node::Text(Field::Stdout),
        "TestingTime" => Node::Text(Field::Microseconds),
        "LastCheckpoint" => Node::Ignore,
        _ => Node::Pass,
    }
}

fn case(tag: &Tag<'_>, draft: &mut Draft) {
    let case = &mut draft.case;
    tag.get("name")
        .unwrap_or_default()
        .clone_into(&mut case.name);
    case.file = tag.get("file").map(str::to_owned);
    case.line = tag.get("line").and_then(|line| line.parse().ok());
    case.outcome = match tag.get("result").unwrap_or_default() {
        "failed" => Outcome::Failed,
        "aborted" => Outcome::Error,
        "skipped" => Outcome::Skipped,
        _ if tag.get("skipped") == Some("yes") => Outcome::Skipped,
        _ => Outcome::Passed,
    };
    if let Some(reason) = tag.get("reason") {
        draft.result.message = reason.into();
    }
}

fn failure(tag: &Tag<'_>, draft: &mut Draft, outcome: Outcome) -> Node {
    draft.case.worsen(outcome);
    tag.name().clone_into(&mut draft.result.kind);
    Node::Text(Field::Message)
}
