//! Reads documents: events of the parser become nodes.

use std::collections::HashMap;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::problem::{Problem, Problems};
use super::{Entry, Map, Mark, Node, Schema, Value};

/// What a file may cost. Aliases count each time they are used, so that a few lines cannot stand for
/// millions of values.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Values, with those that aliases repeat; a long text counts as several.
    pub nodes: u64,
    /// How deep values nest.
    pub depth: usize,
}

impl Default for Limits {
    /// 8 MiB, a million values, 128 deep.
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            nodes: 1_000_000,
            depth: 128,
        }
    }
}

/// How files are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Loader {
    schema: Schema,
    limits: Limits,
    typed: bool,
}

/// Reads the documents of a file with the usual limits and the scalars of YAML 1.2. `file` is its name
/// for people.
///
/// # Errors
/// For text that is no YAML or goes over a limit.
pub fn load(text: &str, file: &str, problems: &mut Problems) -> Result<Vec<Node>, Problem> {
    Loader::default().load(text, file, problems)
}

impl Loader {
    /// Chooses which plain scalars are more than words.
    #[must_use]
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// Chooses what a file may cost.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Leaves it to the reader of a value which type it is of: plain scalars keep their text, all others
    /// have the tag `!`, as YAML says of them. A key that stands twice is an error in `problems`.
    pub(crate) fn typed(mut self) -> Self {
        self.typed = true;
        self
    }

    /// Reads the documents of a file; warnings go to `problems`.
    ///
    /// # Errors
    /// For text that is no YAML or goes over a limit.
    pub fn load(
        self,
        text: &str,
        file: &str,
        problems: &mut Problems,
    ) -> Result<Vec<Node>, Problem> {
        let file: Arc<str> = file.into();
        if text.len() > self.limits.bytes {
            let message = format!(
                "the file has {} bytes; more than {} are not read",
                text.len(),
                self.limits.bytes
            );
            return Err(Problem::of_file(&file, message));
        }
        let mut building = Building {
            loader: self,
            problems,
            file,
            open: Vec::new(),
            anchors: HashMap::new(),
            total: 0,
            documents: Vec::new(),
            not_plain: NOT_PLAIN.into(),
        };
        let options = granit_parser::options! { emit_comments: false };
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| building.syntax(&error))?;
            building.take(event, span)?;
        }
        Ok(building.documents)
    }
}

/// The tag of scalars that are text whatever they look like.
const NOT_PLAIN: &str = "!";

/// Bytes of a text that count as one more value: aliases cannot stand for gigabytes of it either.
const TEXT_OF_ONE: usize = 64;

/// The document that is being read.
struct Building<'a> {
    loader: Loader,
    problems: &'a mut Problems,
    file: Arc<str>,
    /// The collections that are not closed yet, the innermost last.
    open: Vec<Open>,
    /// Anchored nodes with the number of values in them. Each definition has a number of its own, so
    /// an anchor may be defined again.
    anchors: HashMap<usize, (Node, u64)>,
    total: u64,
    documents: Vec<Node>,
    /// [`NOT_PLAIN`], shared by all that have it.
    not_plain: Arc<str>,
}

struct Open {
    mark: Mark,
    tag: Option<Arc<str>>,
    anchor: usize,
    /// The values in it, with those that aliases repeat.
    weight: u64,
    content: Content,
}

enum Content {
    Seq(Vec<Node>),
    Map {
        map: Map,
        /// The key that waits for its value.
        key: Option<Key>,
        /// The values of merge keys.
        merges: Vec<Node>,
    },
}

enum Key {
    Merge,
    Name(Arc<str>, Mark),
}

impl Building<'_> {
    fn mark(&self, span: &Span) -> Mark {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Mark {
            file: Arc::clone(&self.file),
            line: number(span.start.line()),
            column: number(span.start.col()).saturating_add(1),
        }
    }

    fn syntax(&self, error: &ScanError) -> Problem {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let mark = Mark {
            file: Arc::clone(&self.file),
            line: number(error.marker().line()),
            column: number(error.marker().col()).saturating_add(1),
        };
        Problem::error(&mark, format!("not YAML: {}", error.info()))
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let mark = self.mark(&span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = local_tag(tag.as_deref());
                let is_merge = style == ScalarStyle::Plain && text == "<<" && tag.is_none();
                let weight = 1 + u64::try_from(text.len() / TEXT_OF_ONE).unwrap_or(u64::MAX);
                let (value, tag) = self.scalar(&text, style, tag);
                let node = Node { value, mark, tag };
                self.anchor(anchor, &node, weight);
                self.value(node, weight, is_merge)
            }
            Event::Alias(anchor) => {
                let Some((node, weight)) = self.anchors.get(&anchor) else {
                    let message = "the anchor is used within its own value";
                    return Err(Problem::error(&mark, message));
                };
                let (mut node, weight) = (node.clone(), *weight);
                if matches!(node.value, Value::Seq(_) | Value::Map(_)) {
                    // Problems in it are found where it is written.
                } else {
                    node.mark = mark;
                }
                self.value(node, weight, false)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(mark, tag.as_deref(), anchor, Content::Seq(Vec::new()))
            }
            Event::MappingStart(_, anchor, tag) => {
                let content = Content::Map {
                    map: Map::new(),
                    key: None,
                    merges: Vec::new(),
                };
                self.open(mark, tag.as_deref(), anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::DocumentStart(..) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The value of a scalar, and the tag that is left to the reader of the node.
    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<Arc<str>>,
    ) -> (Value, Option<Arc<str>>) {
        if self.loader.typed {
            let plain = match tag.as_deref() {
                None => style == ScalarStyle::Plain,
                Some(tag) => tag.starts_with("!!") && !matches!(tag, "!!str" | "!!binary"),
            };
            let tag = (!plain).then(|| Arc::clone(&self.not_plain));
            return (Value::Str(text.into()), tag);
        }
        match tag.as_deref() {
            Some("!!str" | "!") => (Value::Str(text.into()), None),
            Some("!!binary") => (Value::Str(text.into()), tag),
            Some(core) if core.starts_with("!!") => (self.loader.schema.plain(text), None),
            _ if style == ScalarStyle::Plain && tag.is_none() => {
                (self.loader.schema.plain(text), None)
            }
            _ => (Value::Str(text.into()), tag),
        }
    }

    fn anchor(&mut self, anchor: usize, node: &Node, weight: u64) {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), weight));
        }
    }

    fn open(
        &mut self,
        mark: Mark,
        tag: Option<&Tag>,
        anchor: usize,
        content: Content,
    ) -> Result<(), Problem> {
        if self.open.len() >= self.loader.limits.depth {
            let message = format!("values nest deeper than {}", self.loader.limits.depth);
            return Err(Problem::error(&mark, message));
        }
        let tag = local_tag(tag).filter(|tag| !tag.starts_with("!!"));
        self.open.push(Open {
            mark,
            tag,
            anchor,
            weight: 1,
            content,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.content {
            Content::Seq(nodes) => Value::Seq(Arc::new(nodes)),
            Content::Map {
                mut map, merges, ..
            } => {
                for merge in &merges {
                    merge_into(&mut map, merge)?;
                }
                Value::Map(Arc::new(map))
            }
        };
        let node = Node {
            value,
            mark: open.mark,
            tag: open.tag,
        };
        self.anchor(open.anchor, &node, open.weight);
        self.value(node, open.weight, false)
    }

    /// Puts a finished value into what is open around it.
    fn value(&mut self, node: Node, weight: u64, is_merge: bool) -> Result<(), Problem> {
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        open.weight = open.weight.saturating_add(weight);
        self.total = self.total.max(open.weight);
        if self.total > self.loader.limits.nodes {
            let message = format!(
                "the file stands for more than {} values, counting what aliases repeat",
                self.loader.limits.nodes
            );
            return Err(Problem::error(&node.mark, message));
        }
        match &mut open.content {
            Content::Seq(nodes) => nodes.push(node),
            Content::Map { map, key, merges } => match key.take() {
                None if is_merge => *key = Some(Key::Merge),
                None => {
                    let Some(name) = node.scalar() else {
                        let message = format!("a key has to be a word, not {}", node.kind());
                        return Err(Problem::error(&node.mark, message));
                    };
                    let name: Arc<str> = match &node.value {
                        Value::Null => "null".into(),
                        Value::Str(text) => Arc::clone(text),
                        _ => name.into(),
                    };
                    if let Some(entry) = map.entry(&name) {
                        let before = entry.key.line;
                        self.problems.push(if self.loader.typed {
                            let message =
                                format!("`{name}` is there twice; it stands in line {before} too");
                            Problem::error(&node.mark, message)
                        } else {
                            let message = format!(
                                "the key `{name}` stands in line {before} too; this one counts"
                            );
                            Problem::warning(&node.mark, message)
                        });
                    }
                    *key = Some(Key::Name(name, node.mark));
                }
                Some(Key::Merge) => merges.push(node),
                Some(Key::Name(name, mark)) => map.insert_at(name, &mark, node),
            },
        }
        Ok(())
    }
}

/// Adds what a merge key brings: keys that the map has itself, or has from an earlier merge, stay.
fn merge_into(map: &mut Map, merged: &Node) -> Result<(), Problem> {
    match &merged.value {
        Value::Map(other) => {
            for (key, Entry { key: mark, node }) in other.entries() {
                if !map.contains(key) {
                    map.insert_at(Arc::clone(key), mark, node.clone());
                }
            }
            Ok(())
        }
        Value::Seq(nodes) if nodes.iter().all(|node| node.as_map().is_some()) => {
            nodes.iter().try_for_each(|node| merge_into(map, node))
        }
        _ => {
            let message = format!("`<<` takes a map or a list of maps, not {}", merged.kind());
            Err(Problem::error(&merged.mark, message).hint("write `<<: *anchor`"))
        }
    }
}

/// A tag as it is written: `!reference`, `!!str`.
fn local_tag(tag: Option<&Tag>) -> Option<Arc<str>> {
    let tag = tag?;
    Some(format!("{}{}", tag.original_handle(), tag.suffix()).into())
}
