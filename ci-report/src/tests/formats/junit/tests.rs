//! The dialects of JUnit XML, one by one.

use crate::DiagnosticKind;
use crate::tests::{Case, Outcome, Property, TestReport, read_slice};

fn report(xml: &str) -> TestReport {
    read_slice(xml.as_bytes())
}

fn case(inside: &str) -> Case {
    let report = report(&format!("<testsuite name='s'>{inside}</testsuite>"));
    assert_eq!(report.counts.tests, 1);
    report.cases().next().unwrap().clone()
}

fn outcome(inside: &str) -> Outcome {
    case(inside).outcome
}

#[test]
fn the_worst_of_several_results_counts_and_all_are_kept() {
    let case = case(
        "<testcase name='n'><skipped/><error message='e'/><failure type='T'>body</failure></testcase>",
    );
    assert_eq!(case.outcome, Outcome::Error);
    assert_eq!(case.results.len(), 3);
    assert_eq!(case.worst().unwrap().message.as_str(), "e");
    assert_eq!(case.results[2].kind, "T");
    assert_eq!(case.results[2].body.as_str(), "body");
}

#[test]
fn attributes_in_every_spelling() {
    let found = case("<testcase class='c' name='n' filepath='f.py' lineno='7' time='1,234.5'/>");
    assert_eq!(
        (
            found.suite.as_str(),
            found.class.as_str(),
            found.name.as_str()
        ),
        ("s", "c", "n")
    );
    assert_eq!(
        (found.file.as_deref(), found.line, found.time),
        (Some("f.py"), Some(7), Some(1234.5))
    );
    let found =
        case("<testcase name='n'><failure file='g.rb' line='3'/><time>0,5</time></testcase>");
    assert_eq!(
        (found.file.as_deref(), found.line, found.time),
        (Some("g.rb"), Some(3), Some(0.5))
    );
    let odd = report("<testsuite file='s.js'>\n<testcase name='n' time='fast'/></testsuite>");
    assert_eq!(odd.cases().next().unwrap().file.as_deref(), Some("s.js"));
    assert_eq!(odd.diagnostics[0].kind, DiagnosticKind::Value);
    assert_eq!(odd.diagnostics[0].line, 2);
}

#[test]
fn attributes_tell_the_outcome_where_no_element_does() {
    assert_eq!(outcome("<testcase status='failed'/>"), Outcome::Failed);
    assert_eq!(
        outcome("<testcase status='notrun' result='suppressed'/>"),
        Outcome::Skipped
    );
    assert_eq!(
        outcome("<testcase status='run' result='completed'/>"),
        Outcome::Passed
    );
    assert_eq!(outcome("<testcase failure='why'/>"), Outcome::Failed);
    assert_eq!(
        outcome("<testcase failure='why'><skipped type='todo'/></testcase>"),
        Outcome::Skipped
    );
    assert_eq!(
        outcome("<testcase status='skipped'><skipped/></testcase>"),
        Outcome::Skipped
    );
}

#[test]
fn reruns_are_attempts_and_a_pass_after_them_is_flaky() {
    let xml = "<testcase name='n'><flakyFailure message='m' type='T'><stackTrace>at x</stackTrace>\
               <system-out>out</system-out></flakyFailure><system-out>mine</system-out></testcase>";
    let found = case(xml);
    assert!(found.flaky);
    assert_eq!(found.outcome, Outcome::Passed);
    assert_eq!(found.attempts[0].result.body.as_str(), "at x");
    assert_eq!(found.attempts[0].stdout.as_str(), "out");
    assert_eq!(found.stdout.as_str(), "mine");
    let failed = case("<testcase><failure/><rerunError message='again'/></testcase>");
    assert!(!failed.flaky);
    assert_eq!(failed.attempts[0].result.outcome, Outcome::Error);
}

#[test]
fn a_case_that_stands_several_times_is_run_several_times() {
    let xml = "<testsuite><testcase name='n'><failure/></testcase><testcase name='m'/>\
               <testcase name='n'/></testsuite>";
    let report = report(xml);
    let found: Vec<_> = report
        .cases()
        .map(|case| (case.attempt, case.flaky))
        .collect();
    assert_eq!(found, [(1, false), (1, false), (2, true)]);
    assert_eq!((report.counts.tests, report.counts.flaky), (3, 1));
}

#[test]
fn nested_suites_cases_under_the_root_and_namespaces() {
    let xml = "<j:testsuites xmlns:j='u'><j:testcase name='root'/><j:testsuite name='a'>\
               <j:testsuite name='b'><j:testcase name='x'/></j:testsuite><j:testcase name='y'/>\
               </j:testsuite></j:testsuites>";
    let report = report(xml);
    assert_eq!(report.diagnostics, []);
    let found: Vec<_> = report
        .cases()
        .map(|case| (case.suite.as_str(), case.name.as_str()))
        .collect();
    assert_eq!(found, [("", "root"), ("a", "y"), ("b", "x")]);
    let suite = &report.suites[1].suite;
    assert_eq!(
        (suite.name.as_str(), suite.counts.tests, suite.depth),
        ("a", 2, 0)
    );
    assert_eq!(report.suites[2].suite.depth, 1);
}

#[test]
fn problems_of_a_suite_are_no_tests() {
    let report = report("<testsuite name='s'><error message='no class'>trace</error></testsuite>");
    assert_eq!(report.counts.tests, 0);
    assert!(!report.is_success());
    assert_eq!(
        report.suites[0].suite.problems[0].message.as_str(),
        "no class"
    );
}

#[test]
fn properties_outputs_and_attachments() {
    let found = case(
        "<testcase><properties><property name='a' value='1'/><property name='b'> two </property>\
         </properties><system-out>one\n[[ATTACHMENT|shot.png]]\n</system-out>\
         <system-out><![CDATA[<two>]]></system-out><system-err>err</system-err></testcase>",
    );
    assert_eq!(
        found.properties,
        [Property::new("a", "1"), Property::new("b", "two")]
    );
    assert_eq!(found.attachments, ["shot.png"]);
    assert_eq!(found.stdout.as_str(), "one\n[[ATTACHMENT|shot.png]]\n<two>");
    assert_eq!(found.stderr.as_str(), "err");
    let report = report(
        "<testsuite name='s' hostname='h' timestamp='t' time='2s'><properties><property name='p' \
         value='q'/></properties><system-out>text</system-out></testsuite>",
    );
    let suite = &report.suites[0].suite;
    assert_eq!(suite.properties, [Property::new("p", "q")]);
    assert_eq!((suite.stdout.as_str(), suite.time), ("text", Some(2.0)));
    assert_eq!(
        (suite.hostname.as_deref(), suite.timestamp.as_deref()),
        (Some("h"), Some("t"))
    );
}

#[test]
fn messages_and_traces_as_elements_and_split_cdata() {
    let found = case(
        "<testcase><failure><message>why</message><stack-trace>at y</stack-trace></failure></testcase>",
    );
    assert_eq!(found.results[0].message.as_str(), "why");
    assert_eq!(found.results[0].body.as_str(), "at y");
    let found = case("<testcase><failure>a<![CDATA[b]]]]><![CDATA[>&]]>c</failure></testcase>");
    assert_eq!(found.results[0].body.as_str(), "ab]]>&c");
    let found =
        case("<testcase><extra><failure/></extra><system-out><b>x</b></system-out></testcase>");
    assert_eq!(found.outcome, Outcome::Passed);
    assert_eq!(found.stdout.as_str(), "x");
}

#[test]
fn several_documents_count_and_what_has_no_declaration_does_not() {
    let one = "<testsuite><testcase name='a'/></testsuite>";
    let several = format!("\n<?xml version='1.0'?>{one}\n<?xml version='1.0'?>{one}");
    assert_eq!(report(&several).counts.tests, 2);
    assert_eq!(report(&several).diagnostics, []);
    let without = report(&format!("{one}{one}"));
    assert_eq!(without.counts.tests, 1);
    assert_eq!(without.diagnostics[0].kind, DiagnosticKind::Malformed);
}

#[test]
fn totals_are_counted_and_wrong_ones_said() {
    let report = report("\n<testsuite tests='3' failures=''><testcase/></testsuite>");
    assert_eq!(report.counts.tests, 1);
    let said = &report.diagnostics[0];
    assert_eq!((said.kind, said.line), (DiagnosticKind::Totals, 2));
}

#[test]
fn a_case_or_suite_without_its_end_does_not_swallow_the_next() {
    let report = report(
        "<testsuites><testsuite><testcase name='a'><failure>x<testcase name='b'/></testsuite>\
         <testsuite><testcase name='c'><system-out>y</testsuite></testsuite></testsuites>",
    );
    let found: Vec<_> = report
        .cases()
        .map(|case| (case.name.as_str(), case.outcome.as_str()))
        .collect();
    assert_eq!(found, [("a", "failed"), ("b", "passed"), ("c", "passed")]);
    assert!(
        report
            .diagnostics
            .iter()
            .all(|said| said.kind == DiagnosticKind::Unbalanced)
    );
    assert_eq!(report.diagnostics.len(), 3);
}
