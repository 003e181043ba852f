//! The reader: what each element means, in a case, in a suite or outside.

use crate::DiagnosticKind;
use crate::tests::clip::Clip;
use crate::tests::marker::{MOST, Markers};
use crate::tests::output::{Output, keep_property, keep_result};
use crate::tests::{Attempt, Case, Outcome, Property, Suite, TestResult, Text, seconds};
use crate::xml::{Mark, Tag};

use crate::tests::formats::XmlFormat;

use super::element::{Element, Leaf, stated};

/// Reads JUnit XML.
#[derive(Debug)]
pub(in crate::tests) struct Junit {
    /// Bytes of one text that are kept.
    limit: usize,
    case: Case,
    /// The memory of the last file's path, for the next one.
    path: String,
    in_case: bool,
    /// The case's only result is what its attributes say.
    stated: bool,
    /// The result that is open, of the case or else of the suite.
    draft: Option<Draft>,
    /// The element whose text is gathered, and the text.
    leaf: Option<Leaf>,
    text: Clip,
    markers: Markers,
    /// Unknown elements within the case that are open.
    skipped: u64,
    /// What the open suites claim.
    claims: Vec<Claim>,
}

/// A result that is being read.
#[derive(Debug)]
struct Draft {
    element: Element,
    result: TestResult,
    /// The text that stands directly in it.
    direct: Clip,
    stdout: Text,
    stderr: Text,
}

/// The number of tests that a suite claims, and where; and those found directly in it.
#[derive(Debug)]
struct Claim {
    tests: Option<u64>,
    offset: u64,
    line: u64,
    direct: u64,
}

impl Junit {
    pub(in crate::tests) fn new(limit: usize) -> Self {
        Self {
            limit,
            case: Case::default(),
            path: String::new(),
            in_case: false,
            stated: false,
            draft: None,
            leaf: None,
            text: Clip::new(limit),
            markers: Markers::default(),
            skipped: 0,
            claims: Vec::new(),
        }
    }

    fn suite_start(&mut self, tag: &Tag<'_>, output: &mut Output<'_>) {
        let mut suite = Suite::default();
        let mut claim = None;
        for attribute in tag.attributes() {
            let value = attribute.value();
            match attribute.name() {
                "name" => value.clone_into(&mut suite.name),
                "file" | "filepath" | "filename" if suite.file.is_none() => {
                    suite.file = some(value);
                }
                "time" => suite.time = seconds::parse(value),
                "timestamp" => suite.timestamp = some(value),
                "hostname" => suite.hostname = some(value),
                "tests" => claim = value.trim().parse().ok(),
                _ => {}
            }
        }
        let at = tag.at();
        let before = output.open_suites();
        output.suite_start(suite, |kind, message| at.diagnostic(kind, message));
        if output.open_suites() > before {
            let (offset, line) = (at.offset(), if claim.is_some() { at.line() } else { 0 });
            self.claims.push(Claim {
                tests: claim,
                offset,
                line,
                direct: 0,
            });
        }
    }

    fn suite_end(&mut self, at: Mark<'_>, output: &mut Output<'_>) {
        if output.depth() == 0 {
            let message = "a suite ends that did not begin";
            output.diagnostic(at.diagnostic(DiagnosticKind::Unbalanced, message));
            return;
        }
        let Some(suite) = output.suite_end(|_| {}) else {
            return;
        };
        let Some(claim) = self.claims.pop() else {
            return;
        };
        if let Some(tests) = claim.tests
            && tests != suite.counts.tests
            && tests != claim.direct
        {
            let message = format!(
                "the suite claims {tests} tests, but has {}",
                suite.counts.tests
            );
            let kind = DiagnosticKind::Totals;
            output.diagnostic(crate::Diagnostic::new(
                claim.offset,
                claim.line,
                kind,
                message,
            ));
        }
    }

    fn case_start(&mut self, tag: &Tag<'_>, output: &mut Output<'_>) {
        let case = &mut self.case;
        if let Some(path) = case.file.take() {
            self.path = path;
        }
        case.clear();
        self.in_case = true;
        let (mut result, mut failure) = (None, None);
        for attribute in tag.attributes() {
            let value = attribute.value();
            match attribute.name() {
                "name" => case.name.push_str(value),
                "classname" => value.clone_into(&mut case.class),
                "class" | "className" if case.class.is_empty() => case.class.push_str(value),
                "file" | "filepath" | "filename" | "path"
                    if case.file.is_none() && !value.is_empty() =>
                {
                    let mut path = std::mem::take(&mut self.path);
                    value.clone_into(&mut path);
                    case.file = Some(path);
                }
                "line" | "lineno" if case.line.is_none() => case.line = value.trim().parse().ok(),
                "time" | "duration" if case.time.is_none() => {
                    case.time = seconds::parse(value);
                    if case.time.is_none() && !value.trim().is_empty() {
                        let message = format!("`{}` is no time", clip_name(value));
                        output.diagnostic(tag.at().diagnostic(DiagnosticKind::Value, message));
                    }
                }
                "status" => case.status = some(value),
                "result" => result = Some(value),
                "failure" => failure = some(value),
                _ => {}
            }
        }
        // Without an element that says more, these are all there is; an element takes their place.
        let outcome = stated(case.status.as_deref(), result)
            .or_else(|| failure.as_ref().map(|_| Outcome::Failed));
        if let Some(outcome) = outcome {
            let message = failure.unwrap_or_default().into();
            case.outcome = outcome;
            case.results.push(TestResult {
                outcome,
                message,
                ..TestResult::default()
            });
        }
        if let Some(claim) = self.claims.last_mut() {
            claim.direct += 1;
        }
        self.stated = outcome.is_some();
    }

    fn case_end(&mut self, output: &mut Output<'_>) {
        self.leaf_end(output);
        self.draft_end(output);
        self.skipped = 0;
        self.in_case = false;
        let case = &mut self.case;
        if case.file.is_none()
            && let Some(suite) = output.suite()
        {
            case.file.clone_from(&suite.file);
        }
        output.case(case);
    }

    fn draft_start(&mut self, tag: &Tag<'_>, element: Element, outcome: Outcome) {
        let mut result = TestResult {
            outcome,
            ..TestResult::default()
        };
        let (mut file, mut line) = (None, None);
        for attribute in tag.attributes() {
            let value = attribute.value();
            match attribute.name() {
                "message" => {
                    self.text.push(value);
                    result.message = self.text.take();
                }
                "type" => value.clone_into(&mut result.kind),
                "file" => file = some(value),
                "line" => line = value.trim().parse().ok(),
                _ => {}
            }
        }
        if self.in_case && self.case.file.is_none() && file.is_some() {
            self.case.file = file;
            self.case.line = self.case.line.or(line);
        }
        let (stdout, stderr) = (Text::default(), Text::default());
        self.draft = Some(Draft {
            element,
            result,
            direct: Clip::new(self.limit),
            stdout,
            stderr,
        });
    }

    fn draft_end(&mut self, output: &mut Output<'_>) {
        let Some(mut draft) = self.draft.take() else {
            return;
        };
        let direct = draft.direct.take();
        if !direct.is_empty() {
            draft.result.body.append(direct, self.limit);
        }
        let Draft {
            element,
            result,
            stdout,
            stderr,
            ..
        } = draft;
        if !self.in_case {
            if let Some(suite) = output.suite() {
                keep_result(&mut suite.problems, result);
            }
            return;
        }
        let case = &mut self.case;
        if let Element::Attempt(_) = element {
            if case.attempts.len() < MOST {
                case.attempts.push(Attempt {
                    result,
                    stdout,
                    stderr,
                });
            }
            return;
        }
        if std::mem::take(&mut self.stated) {
            case.results.clear();
            case.outcome = Outcome::Passed;
        }
        case.worsen(result.outcome);
        keep_result(&mut case.results, result);
    }

    /// A property with its value as an attribute; one with its value as text ends later.
    fn property(&mut self, tag: &Tag<'_>, output: &mut Output<'_>) {
        let name = tag.get("name").unwrap_or_default();
        let property = Property::new(name, tag.get("value").unwrap_or_default());
        if let Some(properties) = self.properties(output) {
            keep_property(properties, property);
        }
    }

    fn properties<'a>(&'a mut self, output: &'a mut Output<'_>) -> Option<&'a mut Vec<Property>> {
        if self.in_case {
            Some(&mut self.case.properties)
        } else {
            output.suite().map(|suite| &mut suite.properties)
        }
    }

    /// The element whose text was gathered ends.
    fn leaf_end(&mut self, output: &mut Output<'_>) {
        let Some(leaf) = self.leaf.take() else { return };
        let text = self.text.take();
        let limit = self.limit;
        match (leaf, &mut self.draft) {
            (Leaf::Message, Some(draft)) if draft.result.message.is_empty() => {
                draft.result.message = text;
            }
            (Leaf::Message | Leaf::Stack, Some(draft)) => {
                draft.result.body.append(text, limit);
            }
            (Leaf::Stdout, Some(draft)) => draft.stdout.append(text, limit),
            (Leaf::Stderr, Some(draft)) => draft.stderr.append(text, limit),
            (Leaf::Stdout | Leaf::Stderr, None) => {
                let case = &mut self.case;
                let (stdout, stderr) = if self.in_case {
                    self.markers.end(case);
                    (&mut case.stdout, &mut case.stderr)
                } else if let Some(suite) = output.suite() {
                    (&mut suite.stdout, &mut suite.stderr)
                } else {
                    return;
                };
                let stream = if leaf == Leaf::Stdout { stdout } else { stderr };
                stream.append(text, limit);
            }
            (Leaf::Property, _) if !text.is_empty() => {
                let last = self
                    .properties(output)
                    .and_then(|properties| properties.last_mut());
                if let Some(property) = last.filter(|property| property.value.is_empty()) {
                    text.as_str().trim().clone_into(&mut property.value);
                }
            }
            (Leaf::Time, None) if self.in_case && self.case.time.is_none() => {
                self.case.time = seconds::parse(text.as_str());
            }
            _ => {}
        }
    }

    /// A start tag within a case or directly in a suite, with nothing open in it.
    fn child(&mut self, tag: &Tag<'_>, element: Element, output: &mut Output<'_>) {
        match element {
            Element::Result(outcome) => self.draft_start(tag, element, outcome),
            Element::Attempt(outcome) if self.in_case => self.draft_start(tag, element, outcome),
            Element::Leaf(Leaf::Property) => {
                self.property(tag, output);
                self.leaf = Some(Leaf::Property);
            }
            Element::Leaf(leaf @ (Leaf::Stdout | Leaf::Stderr | Leaf::Time)) => {
                self.leaf = Some(leaf);
            }
            Element::Other | Element::Leaf(_) | Element::Attempt(_) if self.in_case => {
                self.skipped += 1;
            }
            _ => {}
        }
    }
}

impl XmlFormat for Junit {
    fn start(&mut self, tag: &Tag<'_>, output: &mut Output<'_>) {
        let element = Element::of(tag.name());
        if matches!(element, Element::Case | Element::Suite | Element::Suites) {
            self.interrupt(tag.at(), output);
            match element {
                Element::Case => self.case_start(tag, output),
                Element::Suite => self.suite_start(tag, output),
                _ => {}
            }
            return;
        }
        if self.skipped > 0 {
            self.skipped += 1;
        } else if self.leaf.is_some() {
            // Markup in a text: its own text counts.
        } else if self.draft.is_some() {
            if let Element::Leaf(leaf) = element
                && !matches!(leaf, Leaf::Property | Leaf::Time)
            {
                self.leaf = Some(leaf);
            }
        } else {
            self.child(tag, element, output);
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipped > 0 {
            return;
        }
        if let Some(leaf) = self.leaf {
            self.text.push(text);
            if self.in_case && self.draft.is_none() && matches!(leaf, Leaf::Stdout | Leaf::Stderr) {
                self.markers.push(text, &mut self.case);
            }
        } else if let Some(draft) = &mut self.draft {
            draft.direct.push(text);
        }
    }

    fn end(&mut self, name: &str, at: Mark<'_>, output: &mut Output<'_>) {
        let element = Element::of(name);
        match element {
            Element::Case if self.in_case => self.case_end(output),
            Element::Suite => {
                self.interrupt(at, output);
                self.suite_end(at, output);
            }
            Element::Suites => self.interrupt(at, output),
            _ if self.skipped > 0 => self.skipped -= 1,
            Element::Leaf(leaf) if self.leaf == Some(leaf) => self.leaf_end(output),
            Element::Result(_) | Element::Attempt(_)
                if self
                    .draft
                    .as_ref()
                    .is_some_and(|draft| draft.element == element) =>
            {
                self.leaf_end(output);
                self.draft_end(output);
            }
            _ => {}
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) -> bool {
        let within = self.in_case || self.draft.is_some() || output.depth() > 0;
        self.leaf_end(output);
        self.draft_end(output);
        if self.in_case {
            self.case_end(output);
        }
        self.claims.clear();
        within
    }
}

impl Junit {
    /// Ends what is open, since a case or a suite begins or ends that is not within it.
    fn interrupt(&mut self, at: Mark<'_>, output: &mut Output<'_>) {
        self.leaf_end(output);
        self.draft_end(output);
        if self.in_case {
            let message = "a case has no end of its own before the next case or suite";
            output.diagnostic(at.diagnostic(DiagnosticKind::Unbalanced, message));
            self.case_end(output);
        }
    }
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

/// The beginning of a value, for a message.
fn clip_name(value: &str) -> &str {
    value
        .get(..value.floor_char_boundary(40))
        .unwrap_or_default()
}
