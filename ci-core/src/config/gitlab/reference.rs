//! `!reference [job, key, …]`: a node in the place of which another one stands.

use std::collections::HashMap;
use std::sync::Arc;

use super::notes::Notes;
use crate::yaml::problem::Problem;
use crate::yaml::{Map, Node, Value};

/// How deep references nest.
const DEEPEST: usize = 10;

/// The most values that references may stand for.
const MOST: usize = 1_000_000;

/// The file with every reference resolved. A reference within a list brings the items of the list
/// that it names.
pub(super) fn resolve(root: &Map, notes: &mut Notes) -> Map {
    let mut resolver = Resolver {
        root,
        notes,
        active: Vec::new(),
        done: HashMap::new(),
        left: MOST,
    };
    resolver.map(root)
}

struct Resolver<'a, 's> {
    root: &'a Map,
    notes: &'s mut Notes,
    /// The references that are being followed.
    active: Vec<Vec<String>>,
    /// What references came to, so that each path is followed once.
    done: HashMap<Vec<String>, Node>,
    left: usize,
}

impl Resolver<'_, '_> {
    fn map(&mut self, map: &Map) -> Map {
        let mut out = Map::new();
        for (key, entry) in map.entries() {
            out.insert_at(Arc::clone(key), &entry.key, self.node(&entry.node));
        }
        out
    }

    fn node(&mut self, node: &Node) -> Node {
        if is_reference(node) {
            return match self.follow(node) {
                Some(found) => found,
                // What an include that was left out may have is as good as not there.
                None if self.notes.stubbed => Node::new(Value::Null, &node.mark),
                None => node.clone(),
            };
        }
        let value = match &node.value {
            Value::Seq(nodes) if holds_reference(node) => Value::Seq(self.list(nodes).into()),
            Value::Map(map) if holds_reference(node) => Value::Map(self.map(map).into()),
            _ => return node.clone(),
        };
        Node {
            value,
            mark: node.mark.clone(),
            tag: node.tag.clone(),
        }
    }

    fn list(&mut self, nodes: &[Node]) -> Vec<Node> {
        let mut out = Vec::new();
        for node in nodes {
            if !is_reference(node) {
                out.push(self.node(node));
                continue;
            }
            match self.follow(node) {
                Some(Node {
                    value: Value::Seq(items),
                    ..
                }) => {
                    self.left = self.left.saturating_sub(items.len());
                    out.extend(items.iter().cloned());
                }
                Some(other) if !other.is_null() => out.push(other),
                _ => {}
            }
        }
        out
    }

    /// What a reference names; `None` after a problem was told.
    fn follow(&mut self, node: &Node) -> Option<Node> {
        let path: Option<Vec<String>> = node.as_seq().and_then(|nodes| {
            nodes
                .iter()
                .map(|part| part.scalar().map(std::borrow::Cow::into_owned))
                .collect()
        });
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            let message = "`!reference` takes a list of keys";
            self.notes
                .problems
                .push(Problem::error(&node.mark, message));
            return None;
        };
        let written = format!("!reference {path:?}");
        if self.active.contains(&path) {
            return self.refuse(node, format!("`{written}` is part of a circular chain"));
        }
        if self.active.len() >= DEEPEST {
            return self.refuse(
                node,
                format!("`{written}` nests deeper than {DEEPEST} levels"),
            );
        }
        if let Some(done) = self.done.get(&path) {
            return Some(done.clone());
        }
        let root = self.root;
        let mut keys = path.iter();
        let mut found = keys.next().and_then(|key| root.get(key));
        for key in keys {
            found = found.and_then(|node| within(node, key));
        }
        let Some(found) = found else {
            if self.notes.stubbed {
                let why = format!(
                    "`{written}` names nothing here: an include that was left out may have it"
                );
                self.notes.missing(&node.mark, "!reference", why);
                return None;
            }
            return self.refuse(node, format!("`{written}` could not be found"));
        };
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return self.refuse(
                node,
                format!("references stand for more than {MOST} values"),
            );
        }
        self.active.push(path);
        let resolved = self.node(found);
        if let Some(path) = self.active.pop() {
            self.done.insert(path, resolved.clone());
        }
        Some(resolved)
    }

    fn refuse(&mut self, node: &Node, message: String) -> Option<Node> {
        self.notes
            .problems
            .push(Problem::error(&node.mark, message));
        None
    }
}

/// What stands under a key, or in a list under a number that counts from 0.
fn within<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match node.as_seq() {
        Some(items) => items.get(key.parse::<usize>().ok()?),
        None => node.get(key),
    }
}

fn is_reference(node: &Node) -> bool {
    node.tag.as_deref() == Some("!reference")
}

fn holds_reference(node: &Node) -> bool {
    is_reference(node)
        || match &node.value {
            Value::Seq(nodes) => nodes.iter().any(holds_reference),
            Value::Map(map) => map.iter().any(|(_, node)| holds_reference(node)),
            _ => false,
        }
}
