//! xUnit.net XML, versions 1 to 3.

use crate::tests::{Outcome, seconds};
use crate::xml::Tag;

use super::tree::{Draft, Field, Node, split_name, suite};

pub(super) fn node(tag: &Tag<'_>, draft: &mut Draft) -> Node {
    match tag.name() {
        "assembly" | "collection" | "class" => {
            let mut suite = suite(tag, "name");
            suite.time = tag.get("time").and_then(seconds::parse);
            Node::Suite(suite)
        }
        "test" => {
            case(tag, draft);
            Node::Case
        }
        "failure" => {
            let kind = tag.get("exception-type").unwrap_or_default();
            kind.clone_into(&mut draft.result.kind);
            Node::Pass
        }
        "message" | "reason" => Node::Text(Field::Message),
        "stack-trace" => Node::Text(Field::Body),
        "output" => Node::Text(Field::Stdout),
        "trait" => {
            draft.property(
                tag.get("name").unwrap_or_default(),
                tag.get("value").unwrap_or_default(),
            );
            Node::Pass
        }
        _ => Node::Pass,
    }
}

fn case(tag: &Tag<'_>, draft: &mut Draft) {
    let case = &mut draft.case;
    let whole = tag.get("name").unwrap_or_default();
    let (class, name) = split_name(whole);
    if let Some(class) = tag.get("type") {
        class.clone_into(&mut case.class);
        let name = whole
            .strip_prefix(class)
            .and_then(|rest| rest.strip_prefix('.'));
        name.unwrap_or(whole).clone_into(&mut case.name);
    } else {
        class.clone_into(&mut case.class);
        name.clone_into(&mut case.name);
    }
    case.time = tag.get("time").and_then(seconds::parse);
    case.file = tag.get("source-file").map(str::to_owned);
    case.line = tag.get("source-line").and_then(|line| line.parse().ok());
    case.outcome = match tag.get("result").unwrap_or_default() {
        "Fail" => Outcome::Failed,
        "Skip" | "NotRun" => Outcome::Skipped,
        _ => Outcome::Passed,
    };
}
