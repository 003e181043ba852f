//! Reports cut into pieces anywhere are the same reports, sound or not.

use proptest::prelude::*;

use super::{Options, Parser, TestReport, Visitor, read_slice};
use crate::tests::{Case, Suite};
use crate::{Diagnostic, DiagnosticKind};

/// Everything that is told, as text, with diagnostics apart: they may come somewhat later.
#[derive(Debug, Default, PartialEq)]
struct Told {
    events: Vec<String>,
    diagnostics: Vec<(u64, u64, DiagnosticKind)>,
}

impl Visitor for Told {
    fn suite_start(&mut self, suite: &Suite) {
        self.events.push(format!("start {suite:?}"));
    }

    fn case(&mut self, case: &Case) {
        self.events.push(format!("{case:?}"));
    }

    fn suite_end(&mut self, suite: &Suite) {
        self.events.push(format!("end {suite:?}"));
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.diagnostics
            .push((diagnostic.offset, diagnostic.line, diagnostic.kind));
    }
}

fn told(bytes: &[u8], size: usize) -> Told {
    let mut told = Told::default();
    let mut parser = Parser::new(Options::default().with_text(30));
    for piece in bytes.chunks(size) {
        parser.feed(piece, &mut told);
    }
    parser.finish(&mut told);
    told
}

/// Counts that can only be wrong if something is told twice or not at all.
fn is_consistent(report: &TestReport) -> bool {
    let counts = &report.counts;
    let cases = report.cases().count() as u64;
    cases == counts.tests
        && counts.passed + counts.failed + counts.errors + counts.skipped == counts.tests
        && counts.flaky <= counts.passed
}

/// Bits of one format, put together at random behind something that makes it that format.
fn soup(start: &'static str, bits: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(bits), 0..40)
        .prop_map(move |bits| format!("{start}{}", bits.concat()))
}

const JUNIT: &[&str] = &[
    "<testsuite name='s' tests='2'>",
    "<testsuite>",
    "</testsuite>",
    "</testsuites>",
    "<testcase name='a' time='1'>",
    "<testcase name='b' status='failed' file='f'/>",
    "</testcase>",
    "<failure message='m'>",
    "</failure>",
    "<error/>",
    "<skipped/>",
    "<flakyFailure>",
    "</flakyFailure>",
    "<system-out>",
    "</system-out>",
    "<stackTrace>",
    "</stackTrace>",
    "text é ",
    "<![CDATA[",
    "]]>",
    "[[ATTACHMENT|x]]\n",
    "<properties><property name='k'>",
    "v",
    "</property>",
    "</properties>",
    "<other>",
    "</other>",
    "<?xml version='1.0'?>",
    "&lt;",
    "&",
    "<",
    "\n",
    "\r\n",
];

const TREE: &[&str] = &[
    "<test-suite name='s'>",
    "</test-suite>",
    "<test-case name='a.b' result='Failed'>",
    "<test-case name='c' result='Passed'/>",
    "</test-case>",
    "<failure>",
    "</failure>",
    "<message>",
    "why é",
    "</message>",
    "<output>",
    "<![CDATA[x]]>",
    "</output>",
    "</test-run>",
    "<",
    "\n",
];

const TAP: &[&str] = &[
    "ok 1 - a\n",
    "not ok 2 é\n",
    "ok # SKIP x\n",
    "not ok # TODO\n",
    "    ok 1 - inner\n",
    "    not ok - inner\n",
    "# Subtest: s\n",
    "    # Subtest: t\n",
    "  ---\n",
    "  message: m\n",
    "  duration_ms: 3\n",
    "  ...\n",
    "1..2\n",
    "    1..1\n",
    "Bail out! x\n",
    "# said\n",
    "\n",
    "\r\n",
    "        ok\n",
    "junk",
];

const GO: &[&str] = &[
    "{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n",
    "{\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"T\",\"Output\":\"said é\\n\"}\n",
    "{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"T\",\"Elapsed\":1}\n",
    "{\"Action\":\"fail\",\"Package\":\"p\",\"Test\":\"U\"}\n",
    "{\"Action\":\"skip\",\"Package\":\"q\",\"Test\":\"U\"}\n",
    "{\"Action\":\"fail\",\"Package\":\"p\"}\n",
    "{\"Action\":\"pass\",\"Package\":\"q\"}\n",
    "{\n",
    "junk\n",
    "\n",
];

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"title\":\"é \\\"x\"",
    "\"passes\":[",
    "\"failures\":[",
    "\"pending\"",
    "{\"title\":\"t\",\"err\":{}}",
    "{\"title\":7}",
    "\"",
    "\\",
    "\n",
    "😀",
    "\"testResults\":[",
    "{\"name\":\"f\",\"assertionResults\":[{\"title\":\"a\",\"status\":\"failed\"}]}",
];

proptest! {
    #[test]
    fn reports_in_pieces_are_the_same_reports(
        text in prop_oneof![
            soup("<testsuites>", JUNIT),
            soup("<test-run>", TREE),
            soup("TAP version 14\n", TAP),
            soup("{\"Action\":\"start\"}\n", GO),
            soup("{\"stats\":{},", JSON),
            soup("{\"numTotalTests\":1,", JSON),
            soup("", &["<", "{", "ok", "1..", "\n", " ", "é", "\u{feff}", "\"stats\":", "\0", "not ok"]),
        ],
        size in 1_usize..40,
    ) {
        prop_assert_eq!(told(text.as_bytes(), usize::MAX), told(text.as_bytes(), size));
        prop_assert!(is_consistent(&read_slice(text.as_bytes())));
    }

    #[test]
    fn bytes_of_any_sort_are_read_to_their_end(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        size in 1_usize..40,
    ) {
        prop_assert_eq!(told(&bytes, usize::MAX), told(&bytes, size));
    }
}
