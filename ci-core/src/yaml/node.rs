//! Values with their places. Cheap to copy: sequences and maps are shared until somebody changes them.

use std::borrow::Cow;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{Mark, float_text};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where.
    pub mark: Mark,
    /// Its own tag, such as `!reference`.
    pub tag: Option<Arc<str>>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// A list.
    Seq(Arc<Vec<Node>>),
    /// Keys with their values.
    Map(Arc<Map>),
}

/// Keys with their values, in the order of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map {
    entries: IndexMap<Arc<str>, Entry>,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub key: Mark,
    /// The value.
    pub node: Node,
}

impl Node {
    /// A value that stands at `mark`.
    #[must_use]
    pub fn new(value: Value, mark: &Mark) -> Self {
        Self {
            value,
            mark: mark.clone(),
            tag: None,
        }
    }

    /// Text that stands at `mark`.
    #[must_use]
    pub fn text(text: impl Into<Arc<str>>, mark: &Mark) -> Self {
        Self::new(Value::Str(text.into()), mark)
    }

    /// A list that stands at `mark`.
    #[must_use]
    pub fn seq(nodes: Vec<Self>, mark: &Mark) -> Self {
        Self::new(Value::Seq(Arc::new(nodes)), mark)
    }

    /// A map that stands at `mark`.
    #[must_use]
    pub fn map(map: Map, mark: &Mark) -> Self {
        Self::new(Value::Map(Arc::new(map)), mark)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self.value {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_seq(&self) -> Option<&[Self]> {
        match &self.value {
            Value::Seq(nodes) => Some(nodes),
            _ => None,
        }
    }

    /// The map, if it is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Whether there is nothing here.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// What stands under a key, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// A scalar as text: numbers and truth values as they are written, nothing as empty text.
    #[must_use]
    pub fn scalar(&self) -> Option<Cow<'_, str>> {
        Some(match &self.value {
            Value::Null => Cow::Borrowed(""),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Int(number) => Cow::Owned(number.to_string()),
            Value::Float(number) => Cow::Owned(float_text(*number)),
            Value::Str(text) => Cow::Borrowed(text),
            Value::Seq(_) | Value::Map(_) => return None,
        })
    }

    /// What it is, for people: `a list`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Str(_) => "a string",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// It as YAML; tags are left out.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        super::write::of_node(self)
    }

    /// Whether both say the same, wherever they stand.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Seq(a), Value::Seq(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.same(b))
            }
            (Value::Map(a), Value::Map(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|(key, node)| b.get(key).is_some_and(|other| node.same(other)))
            }
            (a, b) => a == b,
        }
    }
}

impl Map {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(key).map(|entry| &entry.node)
    }

    /// The entry under a key, with the key's place.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The entry at this position.
    pub(super) fn nth(&self, index: usize) -> Option<(&str, &Entry)> {
        let (key, entry) = self.entries.get_index(index)?;
        Some((key, entry))
    }

    /// Whether there is such a key.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The keys with their values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Node)> + DoubleEndedIterator {
        self.entries.iter().map(|(key, entry)| (key, &entry.node))
    }

    /// The keys with their places and values.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Entry)> {
        self.entries.iter()
    }

    /// The keys.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.entries.keys().map(AsRef::as_ref)
    }

    /// Puts a value under a key, in the place of what was there; a new key comes last.
    pub fn insert(&mut self, key: impl Into<Arc<str>>, node: Node) {
        let key_mark = node.mark.clone();
        self.insert_at(key, &key_mark, node);
    }

    /// Like [`insert`](Self::insert), with the place of the key.
    pub fn insert_at(&mut self, key: impl Into<Arc<str>>, mark: &Mark, node: Node) {
        let key_mark = mark.clone();
        self.entries.insert(
            key.into(),
            Entry {
                key: key_mark,
                node,
            },
        );
    }

    /// Takes a key away and keeps the order of the others.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.entries.shift_remove(key).map(|entry| entry.node)
    }
}

impl FromIterator<(Arc<str>, Node)> for Map {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Node)>>(nodes: I) -> Self {
        let mut map = Self::new();
        for (key, node) in nodes {
            map.insert(key, node);
        }
        map
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Str(text) => serializer.serialize_str(text),
            Value::Seq(nodes) => {
                let mut seq = serializer.serialize_seq(Some(nodes.len()))?;
                for node in nodes.iter() {
                    seq.serialize_element(node)?;
                }
                seq.end()
            }
            Value::Map(map) => map.serialize(serializer),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(Some(self.len()))?;
        for (key, node) in self.iter() {
            out.serialize_entry(&**key, node)?;
        }
        out.end()
    }
}
