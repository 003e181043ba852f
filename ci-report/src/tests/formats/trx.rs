//! Visual Studio test results (`.trx`).
//!
//! A case's class is that of its name, where the producer writes a full one: the definitions that know
//! better stand behind all results. A result with inner results only sums those up.

use crate::tests::{Outcome, seconds};
use crate::xml::Tag;

use super::tree::{Draft, Field, Node, split_name};

pub(super) fn node(tag: &Tag<'_>, draft: &mut Draft) -> Node {
    match tag.name() {
        "UnitTestResult"
        | "GenericTestResult"
        | "ManualTestResult"
        | "WebTestResult"
        | "TestResultAggregation" => {
            case(tag, draft);
            Node::Case
        }
        "TestDefinitions" | "TestEntries" | "TestLists" | "ResultSummary" | "TestSettings" => {
            Node::Ignore
        }
        "Message" => Node::Text(Field::Message),
        "StackTrace" => Node::Text(Field::Body),
        "StdOut" => Node::Text(Field::Stdout),
        "StdErr" => Node::Text(Field::Stderr),
        "ResultFile" => {
            if let Some(path) = tag.get("path") {
                draft.attach(path);
            }
            Node::Pass
        }
        _ => Node::Pass,
    }
}

fn case(tag: &Tag<'_>, draft: &mut Draft) {
    let case = &mut draft.case;
    let (class, name) = split_name(tag.get("testName").unwrap_or_default());
    class.clone_into(&mut case.class);
    name.clone_into(&mut case.name);
    case.time = tag.get("duration").and_then(seconds::parse);
    case.status = tag.get("outcome").map(str::to_owned);
    case.outcome = match tag.get("outcome").unwrap_or_default() {
        "Failed" => Outcome::Failed,
        "Error" | "Timeout" | "Aborted" | "PassedButRunAborted" => Outcome::Error,
        "NotExecuted" | "Inconclusive" | "NotRunnable" | "Disconnected" | "Pending"
        | "InProgress" => Outcome::Skipped,
        _ => Outcome::Passed,
    };
}
