//! Whether the rules of an include let it be.

use super::super::globs::MOST;
use super::super::variables::Variables;
use super::read::Reader;
use crate::yaml::problem::Problem;
use crate::yaml::{Map, Node};

impl Reader<'_> {
    /// Whether the rules of an include let it be.
    pub(super) fn applies(&mut self, map: &Map) -> bool {
        let Some(rules) = map.get("rules").and_then(Node::as_seq) else {
            return true;
        };
        for rule in rules {
            if self.rule_holds(rule) {
                return rule.get("when").and_then(Node::as_str) != Some("never");
            }
        }
        false
    }

    fn rule_holds(&mut self, rule: &Node) -> bool {
        if let Some(text) = rule.get("if") {
            match &*self
                .notes
                .cache
                .expression(&text.scalar().unwrap_or_default())
            {
                Ok(expression) => {
                    if !expression.holds(|name| self.variables.raw(name)) {
                        return false;
                    }
                }
                Err(error) => {
                    self.notes
                        .problems
                        .push(Problem::error(&text.mark, error.to_string()).at("include"));
                    return false;
                }
            }
        }
        if let Some(node) = rule.get("exists")
            && !globs(node, self.variables)
                .iter()
                .any(|glob| self.notes.cache.found(glob, self.own.paths()))
        {
            return false;
        }
        match (rule.get("changes"), &self.options.facts.run.changed_paths) {
            (Some(node), Some(changed)) => {
                let globs = globs(node, self.variables);
                globs
                    .iter()
                    .any(|glob| self.notes.cache.changed(glob, changed))
            }
            _ => true,
        }
    }
}

/// The patterns of `changes` or `exists`, as a list or under `paths`.
pub(in super::super) fn globs(node: &Node, variables: &Variables) -> Vec<String> {
    let list = node.get("paths").unwrap_or(node);
    let one = std::slice::from_ref(list);
    let nodes = list.as_seq().unwrap_or(one);
    let texts = nodes.iter().filter_map(Node::as_str);
    texts
        .take(MOST)
        .map(|text| variables.expand(text))
        .collect()
}
