//! Steps: commands become the steps they stand for, conditions are decided.

use std::sync::Arc;

use super::compiler::{Call, Compiler};
use super::logic::Place;
use super::namespace::{Kind, Namespace, lacks_orb_of};
use super::parameters::declared;
use super::scope::{Arg, Args};
use crate::similar::closest;
use crate::yaml::problem::Problem;
use crate::yaml::{Map, Node, Value};

/// The steps that the vendor's machines know themselves.
pub(super) const BUILTIN: [&str; 12] = [
    "run",
    "checkout",
    "setup_remote_docker",
    "save_cache",
    "restore_cache",
    "store_artifacts",
    "store_test_results",
    "persist_to_workspace",
    "attach_workspace",
    "add_ssh_keys",
    "deploy",
    "install_signing_bundle",
];

impl Compiler<'_> {
    /// Compiles a list of steps to the end of `out`.
    pub(super) fn steps(
        &mut self,
        names: &Arc<Namespace>,
        list: &Node,
        args: Option<&Args>,
        matrix: Option<&Map>,
        out: &mut Vec<Node>,
    ) {
        if let Some(Arg::Steps(steps)) = Self::lone_argument(args, list) {
            out.extend(steps.iter().cloned());
            return;
        }
        let Some(steps) = list.as_seq() else {
            let message = format!("steps are a list, not {}", list.kind());
            self.error(&list.mark, message);
            return;
        };
        for step in steps {
            if !self.counts_step(&step.mark) {
                return;
            }
            self.step(names, step, args, matrix, out);
        }
    }

    fn step(
        &mut self,
        names: &Arc<Namespace>,
        step: &Node,
        args: Option<&Args>,
        matrix: Option<&Map>,
        out: &mut Vec<Node>,
    ) {
        match &step.value {
            // A list in a list comes from an anchor; it stands for its steps.
            Value::Seq(_) => self.deeper(&step.mark, "a list of steps", |this| {
                this.steps(names, step, args, matrix, out);
            }),
            Value::Str(text) => {
                if let Some(Arg::Steps(steps)) = Self::lone_argument(args, step) {
                    out.extend(steps.iter().cloned());
                } else if text.contains("<<") {
                    let filled = self.fill(step, args, matrix);
                    self.named_step(names, &filled, &Map::new(), args, matrix, out);
                } else {
                    self.named_step(names, step, &Map::new(), args, matrix, out);
                }
            }
            Value::Map(map) => {
                let mut entries = map.entries();
                let (Some((name, entry)), None) = (entries.next(), entries.next()) else {
                    self.several_keys(step, map);
                    return;
                };
                let name = self.fill(&Node::text(&**name, &entry.key), args, matrix);
                let Some(key) = name.as_str() else {
                    return;
                };
                match key {
                    "when" | "unless" if entry.node.as_map().is_some() => {
                        self.conditional(names, key == "when", &entry.node, args, matrix, out);
                    }
                    "steps" => self.steps(names, &entry.node, args, matrix, out),
                    _ => match &entry.node.value {
                        Value::Map(given) => {
                            self.named_step(names, &name, given, args, matrix, out);
                        }
                        Value::Null => {
                            self.named_step(names, &name, &Map::new(), args, matrix, out);
                        }
                        _ if BUILTIN.contains(&key) => {
                            let node = self.fill(&entry.node, args, matrix);
                            self.short_step(&name, key, node, out);
                        }
                        _ => {
                            let kind = entry.node.kind();
                            let message = format!("the step `{key}` takes a map, not {kind}");
                            self.error(&entry.node.mark, message);
                        }
                    },
                }
            }
            _ => {
                let message = format!("a step is a name or a map, not {}", step.kind());
                self.error(&step.mark, message);
            }
        }
    }

    fn several_keys(&mut self, step: &Node, map: &Map) {
        let keys: Vec<_> = map.keys().map(|key| format!("`{key}`")).collect();
        let message = match keys.len() {
            0 => "a step is missing".to_owned(),
            _ => format!("a step has one key, this has {}", keys.join(", ")),
        };
        let problem = Problem::error(&step.mark, message)
            .hint("indent what belongs to the step deeper than its name");
        self.problems.push(problem);
    }

    /// `run: command` and its like.
    fn short_step(&mut self, name: &Node, key: &str, node: Node, out: &mut Vec<Node>) {
        let mark = name.mark.clone();
        let inner = if matches!(key, "run" | "deploy") {
            let mut command = Map::new();
            let text = node.scalar().map(|text| Node::text(text, &node.mark));
            let Some(text) = text else {
                let message = format!("`{key}` takes a command or a map, not {}", node.kind());
                self.error(&node.mark, message);
                return;
            };
            command.insert("command", text);
            Node::map(command, &node.mark)
        } else {
            node
        };
        out.push(single(key, inner, &mark));
    }

    /// A step that is a command of ours or one that the vendor's machines know.
    fn named_step(
        &mut self,
        names: &Arc<Namespace>,
        name: &Node,
        given: &Map,
        args: Option<&Args>,
        matrix: Option<&Map>,
        out: &mut Vec<Node>,
    ) {
        let Some(key) = name.as_str() else {
            let message = format!("a step is a name or a map, not {}", name.kind());
            self.error(&name.mark, message);
            return;
        };
        if let Some(found) = names.find(Kind::Command, key) {
            let declared = declared(found.node, self.problems);
            let call = Call {
                what: format!("the command `{key}`"),
                mark: &name.mark,
                given,
                caller: names,
                callee: found.inside,
            };
            let inner = self.arguments(&declared, &call, args, matrix);
            let Some(steps) = found.node.get("steps") else {
                let message = format!("the command `{key}` has no steps");
                self.error(&found.node.mark, message);
                return;
            };
            self.deeper(&name.mark, &call.what, |this| {
                this.steps(found.inside, steps, Some(&inner), None, out);
            });
            return;
        }
        if !BUILTIN.contains(&key) {
            if !lacks_orb_of(key, &self.missing) {
                let meant = names.meant(Kind::Command, key);
                let meant = meant.as_deref().or_else(|| closest(key, BUILTIN));
                let message = format!("there is no step or command `{key}`");
                self.problems
                    .push(Problem::error(&name.mark, message).did_you_mean(meant));
            }
            return;
        }
        if given.is_empty() {
            out.push(name.clone());
            return;
        }
        let inner = self.fill(&Node::map(given.clone(), &name.mark), args, matrix);
        out.push(single(key, inner, &name.mark));
    }

    fn conditional(
        &mut self,
        names: &Arc<Namespace>,
        wanted: bool,
        node: &Node,
        args: Option<&Args>,
        matrix: Option<&Map>,
        out: &mut Vec<Node>,
    ) {
        let (Some(condition), Some(steps)) = (node.get("condition"), node.get("steps")) else {
            let key = if wanted { "when" } else { "unless" };
            let message = format!("the step `{key}` needs `condition` and `steps`");
            self.error(&node.mark, message);
            return;
        };
        let condition = self.fill(condition, args, matrix);
        if self.holds(&condition, Place::Step) == wanted {
            self.deeper(&node.mark, "a condition", |this| {
                this.steps(names, steps, args, matrix, out);
            });
        }
    }
}

/// A map with one key.
pub(super) fn single(key: &str, node: Node, mark: &crate::yaml::Mark) -> Node {
    let mut map = Map::new();
    map.insert(key, node);
    Node::map(map, mark)
}
