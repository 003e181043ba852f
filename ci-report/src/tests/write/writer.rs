//! The writer: a visitor, and a function for a collected report.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::tests::formats::stated;
use crate::tests::{
    Attempt, Case, Counts, Outcome, Property, Suite, TestReport, TestResult, Text, Visitor,
};

/// Writes a collected report as JUnit XML.
///
/// Suites within each other are written one after the other, each with its own cases. Characters that
/// XML forbids become `U+FFFD`.
pub fn write_junit(report: &TestReport, out: impl Write) -> io::Result<()> {
    let mut writer = JunitWriter::new(out);
    for suite in &report.suites {
        let mut head = suite.suite.clone();
        head.counts = Counts::default();
        for case in &suite.cases {
            head.counts.add(case.outcome, case.flaky, case.time);
        }
        let outside = head
            == Suite {
                counts: head.counts,
                ..Suite::default()
            };
        if !outside {
            writer.suite_start(&head);
        }
        for case in &suite.cases {
            writer.case(case);
        }
        if !outside {
            writer.suite_end(&head);
        }
    }
    writer.finish()
}

/// A visitor that writes what it sees as JUnit XML, in constant memory.
///
/// Errors of writing are kept for [`finish`](Self::finish), after which nothing more is written.
#[derive(Debug)]
pub struct JunitWriter<W: Write> {
    out: W,
    buffer: String,
    depth: usize,
    result: io::Result<()>,
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";

impl<W: Write> JunitWriter<W> {
    /// A writer that has written nothing.
    pub fn new(out: W) -> Self {
        Self {
            out,
            buffer: HEAD.to_owned(),
            depth: 0,
            result: Ok(()),
        }
    }

    /// Ends what is open, and returns the first error of writing.
    pub fn finish(mut self) -> io::Result<()> {
        for _ in 0..self.depth {
            self.buffer.push_str("</testsuite>\n");
        }
        self.buffer.push_str("</testsuites>\n");
        self.flush();
        self.result?;
        self.out.flush()
    }

    fn flush(&mut self) {
        if self.result.is_ok() {
            self.result = self.out.write_all(self.buffer.as_bytes());
        }
        self.buffer.clear();
    }
}

impl<W: Write> Visitor for JunitWriter<W> {
    fn suite_start(&mut self, suite: &Suite) {
        self.depth += 1;
        let buffer = &mut self.buffer;
        buffer.push_str("<testsuite");
        attribute(buffer, "name", &suite.name);
        if suite.counts.tests > 0 {
            let counts = &suite.counts;
            let _ = write!(
                buffer,
                " tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
                counts.tests, counts.failed, counts.errors, counts.skipped
            );
        }
        optional(buffer, "file", suite.file.as_deref());
        seconds(buffer, suite.time);
        optional(buffer, "timestamp", suite.timestamp.as_deref());
        optional(buffer, "hostname", suite.hostname.as_deref());
        buffer.push_str(">\n");
        self.flush();
    }

    fn case(&mut self, case: &Case) {
        let buffer = &mut self.buffer;
        buffer.push_str("<testcase");
        attribute(buffer, "name", &case.name);
        attribute(buffer, "classname", &case.class);
        optional(buffer, "file", case.file.as_deref());
        if let Some(line) = case.line {
            let _ = write!(buffer, " line=\"{line}\"");
        }
        seconds(buffer, case.time);
        // The words of another format may mean more in this one than they did there.
        let status = case.status.as_deref();
        let contradicts = case.outcome == Outcome::Passed && stated(status, None).is_some();
        optional(buffer, "status", status.filter(|_| !contradicts));
        let start = buffer.len();
        buffer.push_str(">\n");
        properties(
            buffer,
            &case.properties,
            &case.attachments,
            case.stdout.as_str(),
        );
        for result in &case.results {
            write_result(buffer, result);
        }
        if case.results.is_empty() && case.outcome != Outcome::Passed {
            write_result(
                buffer,
                &TestResult {
                    outcome: case.outcome,
                    ..TestResult::default()
                },
            );
        }
        for attempt in &case.attempts {
            write_attempt(buffer, attempt, case.outcome);
        }
        element(buffer, "system-out", &case.stdout);
        element(buffer, "system-err", &case.stderr);
        if buffer.len() == start + 2 {
            buffer.truncate(start);
            buffer.push_str("/>\n");
        } else {
            buffer.push_str("</testcase>\n");
        }
        self.flush();
    }

    fn suite_end(&mut self, suite: &Suite) {
        self.depth = self.depth.saturating_sub(1);
        let buffer = &mut self.buffer;
        for problem in &suite.problems {
            write_result(buffer, problem);
        }
        properties(buffer, &suite.properties, &[], "");
        element(buffer, "system-out", &suite.stdout);
        element(buffer, "system-err", &suite.stderr);
        buffer.push_str("</testsuite>\n");
        self.flush();
    }
}

/// Writes properties and attachments, but for those that stand as marker lines in the output.
fn properties(buffer: &mut String, given: &[Property], attachments: &[String], output: &str) {
    let marked = |property: &Property| {
        let (name, value) = (&property.name, &property.value);
        output.contains("[[") && output.contains(&format!("[[PROPERTY|{name}={value}]]"))
    };
    let mut open = false;
    for property in given.iter().filter(|property| !marked(property)) {
        if !std::mem::replace(&mut open, true) {
            buffer.push_str("<properties>");
        }
        buffer.push_str("<property");
        attribute(buffer, "name", &property.name);
        attribute(buffer, "value", &property.value);
        buffer.push_str("/>");
    }
    if open {
        buffer.push_str("</properties>\n");
    }
    for path in attachments {
        let line = format!("[[ATTACHMENT|{path}]]");
        if !output.contains(&line) {
            buffer.push_str("<system-out>");
            escape(buffer, &line, false);
            buffer.push_str("</system-out>\n");
        }
    }
}

fn write_result(buffer: &mut String, result: &TestResult) {
    let name = match result.outcome {
        // A result that is none is still told.
        Outcome::Passed | Outcome::Skipped => "skipped",
        Outcome::Failed => "failure",
        Outcome::Error => "error",
    };
    open(buffer, name, result);
    escape(buffer, result.body.as_str(), false);
    close(buffer, name);
}

fn write_attempt(buffer: &mut String, attempt: &Attempt, outcome: Outcome) {
    let name = match (attempt.result.outcome, outcome.is_bad()) {
        (Outcome::Error, false) => "flakyError",
        (Outcome::Error, true) => "rerunError",
        (_, false) => "flakyFailure",
        (_, true) => "rerunFailure",
    };
    open(buffer, name, &attempt.result);
    element(buffer, "stackTrace", &attempt.result.body);
    element(buffer, "system-out", &attempt.stdout);
    element(buffer, "system-err", &attempt.stderr);
    close(buffer, name);
}

fn open(buffer: &mut String, name: &str, result: &TestResult) {
    buffer.push('<');
    buffer.push_str(name);
    if !result.message.is_empty() {
        attribute(buffer, "message", result.message.as_str());
    }
    if !result.kind.is_empty() {
        attribute(buffer, "type", &result.kind);
    }
    buffer.push('>');
}

fn close(buffer: &mut String, name: &str) {
    buffer.push_str("</");
    buffer.push_str(name);
    buffer.push_str(">\n");
}

fn element(buffer: &mut String, name: &str, text: &Text) {
    if text.is_empty() {
        return;
    }
    buffer.push('<');
    buffer.push_str(name);
    buffer.push('>');
    escape(buffer, text.as_str(), false);
    close(buffer, name);
}

fn optional(buffer: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        attribute(buffer, name, value);
    }
}

fn seconds(buffer: &mut String, time: Option<f64>) {
    if let Some(time) = time {
        let _ = write!(buffer, " time=\"{time}\"");
    }
}

fn attribute(buffer: &mut String, name: &str, value: &str) {
    buffer.push(' ');
    buffer.push_str(name);
    buffer.push_str("=\"");
    escape(buffer, value, true);
    buffer.push('"');
}

/// Writes text so that every reader gets it back, with what XML forbids replaced.
pub(super) fn escape(buffer: &mut String, text: &str, value: bool) {
    for c in text.chars() {
        match c {
            '<' => buffer.push_str("&lt;"),
            '>' => buffer.push_str("&gt;"),
            '&' => buffer.push_str("&amp;"),
            '"' if value => buffer.push_str("&quot;"),
            '\n' if value => buffer.push_str("&#10;"),
            '\t' if value => buffer.push_str("&#9;"),
            '\r' => buffer.push_str("&#13;"),
            '\t' | '\n' => buffer.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => buffer.push('\u{fffd}'),
            c => buffer.push(c),
        }
    }
}
