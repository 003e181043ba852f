//! The inputs of a step that uses an action, and which of them were looked at.

use crate::yaml::{Map, Mark, Node};

/// The inputs of a step that uses an action.
pub(super) struct Inputs<'a> {
    with: Option<&'a Map>,
    seen: Vec<&'static str>,
}

impl<'a> Inputs<'a> {
    pub(super) fn of(step: &'a Node) -> Self {
        Self {
            with: step.get("with").and_then(Node::as_map),
            seen: Vec::new(),
        }
    }

    /// The value of an input as it is written.
    pub(super) fn get(&mut self, name: &'static str) -> Option<String> {
        self.seen.push(name);
        let value = self.with?.get(name)?.scalar()?;
        Some(value.into_owned()).filter(|value| !value.is_empty())
    }

    /// The lines of an input.
    pub(super) fn lines(&mut self, name: &'static str) -> Vec<String> {
        let text = self.get(name).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    }

    /// Inputs that mean nothing elsewhere.
    pub(super) fn pass_over(&mut self, names: &[&'static str]) {
        self.seen.extend_from_slice(names);
    }

    /// Those that nobody looked at.
    pub(super) fn rest(&self) -> impl Iterator<Item = (&'a str, &'a Mark)> {
        let entries = self.with.into_iter().flat_map(Map::entries);
        entries
            .filter(|(name, _)| !self.seen.contains(&&***name))
            .map(|(name, entry)| (&**name, &entry.key))
    }
}
