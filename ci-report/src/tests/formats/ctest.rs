//! `CTest`'s `Test.xml`.

use crate::tests::Outcome;
use crate::xml::Tag;

use super::tree::{Draft, Field, Node, suite};

pub(super) fn node(tag: &Tag<'_>, draft: &mut Draft) -> Node {
    match tag.name() {
        "Site" => {
            let mut suite = suite(tag, "BuildName");
            suite.hostname = tag.get("Name").map(str::to_owned);
            Node::Suite(suite)
        }
        // The list has elements of the same name as the results.
        "TestList" | "Labels" => Node::Ignore,
        "Test" => {
            draft.case.outcome = match tag.get("Status").unwrap_or_default() {
                "passed" => Outcome::Passed,
                "notrun" => Outcome::Skipped,
                _ => Outcome::Failed,
            };
            Node::Case
        }
        "Name" => Node::Text(Field::Name),
        "Path" => Node::Text(Field::Class),
        // Each has a value in it, of which only some matter; the value's text is its own.
        "NamedMeasurement" => match tag.get("name").unwrap_or_default() {
            "Execution Time" => Node::Text(Field::Seconds),
            "Exit Code" => Node::Text(Field::Kind),
            "Fail Reason" | "Completion Status" => Node::Text(Field::Message),
            _ => Node::Ignore,
        },
        "Measurement" => Node::Text(Field::Stdout),
        _ => Node::Pass,
    }
}
