//! What the XML formats beside JUnit have in common: suites, cases in them, texts in those.

use crate::DiagnosticKind;
use crate::tests::clip::Clip;
use crate::tests::marker::MOST;
use crate::tests::output::{Output, keep_property, keep_result};
use crate::tests::{Case, Outcome, Property, Suite, TestResult, seconds};
use crate::xml::{Mark, Tag};

use super::XmlFormat;

/// What an element is.
#[derive(Debug)]
pub(super) enum Node {
    /// A suite.
    Suite(Box<Suite>),
    /// A case, of which the attributes have been put into the draft.
    Case,
    /// An element whose text is wanted.
    Text(Field),
    /// Something whose children matter.
    Pass,
    /// Something that matters not at all.
    Ignore,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Class,
    /// The type of an exception.
    Kind,
    Message,
    Body,
    Stdout,
    Stderr,
    Attachment,
    /// A number of seconds.
    Seconds,
    /// A number of millionths of a second.
    Microseconds,
}

/// A case that is being read, with the one result that such formats have.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) case: Case,
    pub(super) result: TestResult,
    /// The case is told when it ends.
    pub(super) open: bool,
}

impl Draft {
    /// Adds a file to the case, unless it has far too many.
    pub(super) fn attach(&mut self, path: &str) {
        if self.case.attachments.len() < MOST {
            self.case.attachments.push(path.to_owned());
        }
    }

    /// Adds a property to the case.
    pub(super) fn property(&mut self, name: &str, value: &str) {
        keep_property(&mut self.case.properties, Property::new(name, value));
    }
}

/// Says what an element is, and puts its attributes into the draft. For a case, the draft is empty.
pub(super) type Dialect = fn(&Tag<'_>, &mut Draft) -> Node;

/// Reads a format whose elements the dialect knows.
#[derive(Debug)]
pub(super) struct Tree {
    dialect: Dialect,
    limit: usize,
    draft: Draft,
    text: Clip,
    /// The open elements: what each is, and its name in short.
    stack: Vec<(Kind, u64)>,
    /// Open elements beyond those.
    beyond: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Suite,
    Case,
    Text(Field),
    Pass,
    Ignore,
}

/// Elements within each other that are looked at.
const DEEPEST: usize = 4096;

impl Tree {
    pub(super) fn new(dialect: Dialect, limit: usize) -> Self {
        let (draft, text) = (Draft::default(), Clip::new(limit));
        Self {
            dialect,
            limit,
            draft,
            text,
            stack: Vec::new(),
            beyond: 0,
        }
    }

    /// What a start tag is, where it stands.
    fn kind(&mut self, tag: &Tag<'_>, output: &mut Output<'_>) -> Kind {
        match self.stack.last() {
            Some((Kind::Ignore, _)) => return Kind::Ignore,
            // Markup in a text: its own text counts.
            Some((kind @ Kind::Text(_), _)) => return *kind,
            _ => {}
        }
        let mut empty = Draft::default();
        let node = (self.dialect)(
            tag,
            if self.draft.open {
                &mut self.draft
            } else {
                &mut empty
            },
        );
        match node {
            Node::Suite(suite) => {
                let at = tag.at();
                output.suite_start(*suite, |kind, message| at.diagnostic(kind, message));
                Kind::Suite
            }
            Node::Case => {
                // One within another takes its place: the outer one only sums up.
                if self.draft.open {
                    (self.dialect)(tag, &mut empty);
                }
                self.draft = empty;
                self.draft.open = true;
                Kind::Case
            }
            Node::Text(field) => Kind::Text(field),
            Node::Pass => Kind::Pass,
            Node::Ignore => Kind::Ignore,
        }
    }

    fn close(&mut self, kind: Kind, output: &mut Output<'_>) {
        match kind {
            Kind::Suite => {
                output.suite_end(|_| {});
            }
            Kind::Case => self.case_end(output),
            Kind::Text(field) if !matches!(self.stack.last(), Some((Kind::Text(_), _))) => {
                self.text_end(field, output);
            }
            Kind::Text(_) | Kind::Pass | Kind::Ignore => {}
        }
    }

    fn case_end(&mut self, output: &mut Output<'_>) {
        if !std::mem::take(&mut self.draft.open) {
            return;
        }
        let Draft {
            mut case,
            mut result,
            ..
        } = std::mem::take(&mut self.draft);
        if case.outcome != Outcome::Passed {
            result.outcome = case.outcome;
            keep_result(&mut case.results, result);
        }
        case.attempt = 1;
        output.case(&mut case);
    }

    fn text_end(&mut self, field: Field, output: &mut Output<'_>) {
        let text = self.text.take();
        let limit = self.limit;
        if !self.draft.open {
            if let Some(suite) = output.suite() {
                match field {
                    Field::Stdout => suite.stdout.append(text, limit),
                    Field::Stderr => suite.stderr.append(text, limit),
                    _ => {}
                }
            }
            return;
        }
        let Draft { case, result, .. } = &mut self.draft;
        let trimmed = text.as_str().trim();
        match field {
            Field::Name => trimmed.clone_into(&mut case.name),
            Field::Class => trimmed.clone_into(&mut case.class),
            Field::Kind => trimmed.clone_into(&mut result.kind),
            Field::Message => result.message.append(text, limit),
            Field::Body => result.body.append(text, limit),
            Field::Stdout => case.stdout.append(text, limit),
            Field::Stderr => case.stderr.append(text, limit),
            Field::Attachment => self.draft.attach(trimmed),
            Field::Seconds => case.time = seconds::parse(trimmed),
            Field::Microseconds => case.time = seconds::parse(trimmed).map(|time| time / 1e6),
        }
    }
}

impl XmlFormat for Tree {
    fn start(&mut self, tag: &Tag<'_>, output: &mut Output<'_>) {
        if self.stack.len() >= DEEPEST {
            self.beyond += 1;
            return;
        }
        let kind = self.kind(tag, output);
        self.stack.push((kind, short(tag.name())));
    }

    fn text(&mut self, text: &str) {
        if let Some((Kind::Text(_), _)) = self.stack.last() {
            self.text.push(text);
        }
    }

    fn end(&mut self, name: &str, at: Mark<'_>, output: &mut Output<'_>) {
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        let name = short(name);
        let Some(place) = self.stack.iter().rposition(|(_, open)| *open == name) else {
            let message = "an element ends that did not begin";
            output.diagnostic(at.diagnostic(DiagnosticKind::Unbalanced, message));
            return;
        };
        if place + 1 < self.stack.len() {
            let message = "an element ends before those in it";
            output.diagnostic(at.diagnostic(DiagnosticKind::Unbalanced, message));
        }
        while self.stack.len() > place
            && let Some((kind, _)) = self.stack.pop()
        {
            self.close(kind, output);
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) -> bool {
        let within = !self.stack.is_empty();
        while let Some((kind, _)) = self.stack.pop() {
            self.close(kind, output);
        }
        within
    }
}

/// A name in 64 bits (FNV-1a).
fn short(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A suite whose name is the value of an attribute.
pub(super) fn suite(tag: &Tag<'_>, name: &str) -> Box<Suite> {
    Box::new(Suite::new(tag.get(name).unwrap_or_default()))
}

/// Splits `a.b.c(d.e)` into `a.b` and `c(d.e)`.
pub(super) fn split_name(name: &str) -> (&str, &str) {
    let end = name.find(['(', '<', '[', ' ', '"']).unwrap_or(name.len());
    let dot = name.get(..end).and_then(|plain| plain.rfind('.'));
    match dot {
        Some(dot) => (
            name.get(..dot).unwrap_or_default(),
            name.get(dot + 1..).unwrap_or_default(),
        ),
        None => ("", name),
    }
}
