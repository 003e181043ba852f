//! Builds the values of a file that is written.

use crate::yaml::{Map, Mark, Node, Value};

fn nowhere() -> Mark {
    Mark::new("", 1, 1)
}

/// Text.
pub(super) fn text(text: impl Into<String>) -> Node {
    Node::text(text.into(), &nowhere())
}

/// A truth value.
pub(super) fn truth(value: bool) -> Node {
    Node::new(Value::Bool(value), &nowhere())
}

/// A list.
pub(super) fn list(nodes: impl IntoIterator<Item = Node>) -> Node {
    Node::seq(nodes.into_iter().collect(), &nowhere())
}

/// A list of texts.
pub(super) fn texts<S: Into<String>>(all: impl IntoIterator<Item = S>) -> Node {
    list(all.into_iter().map(text))
}

/// A map, in order; a later value of a key wins.
pub(super) fn map<S: AsRef<str>>(entries: impl IntoIterator<Item = (S, Node)>) -> Node {
    let mut map = Map::new();
    for (key, node) in entries {
        map.insert(key.as_ref(), node);
    }
    Node::map(map, &nowhere())
}
