//! Jobs: their executor, environment and steps, with arguments filled in.

use std::borrow::Cow;
use std::sync::Arc;

use super::compiler::{Call, Compiler};
use super::namespace::{Found, Kind, Namespace, lacks_orb_of};
use super::parameters::{declared, only_values};
use super::scope::{Arg, Args};
use crate::yaml::problem::Problem;
use crate::yaml::{Map, Mark, Node, Value};

/// The keys that say what a job runs in.
const MACHINES: [&str; 3] = ["docker", "machine", "macos"];

/// Steps around those of a job.
#[derive(Default)]
pub(super) struct Around {
    pub(super) before: Vec<Node>,
    pub(super) after: Vec<Node>,
}

impl Compiler<'_> {
    /// A job with its arguments filled in.
    pub(super) fn job(&mut self, name: &str, job: &Found<'_>, args: &Args, around: Around) -> Node {
        let mark = &job.node.mark;
        let Some(definition) = job.node.as_map() else {
            let message = format!("the job `{name}` is {}, not a map", job.node.kind());
            self.error(mark, message);
            return Node::map(Map::new(), mark);
        };
        let mut out = Map::new();
        let mut steps = around.before;
        let mut has_steps = false;
        for (key, entry) in definition.entries() {
            match &**key {
                "parameters" | "description" | "executor" => {}
                "steps" => {
                    has_steps = true;
                    self.steps(job.inside, &entry.node, Some(args), None, &mut steps);
                }
                _ => {
                    let node = self.fill(&entry.node, Some(args), None);
                    out.insert_at(Arc::clone(key), &entry.key, node);
                }
            }
        }
        if let Some(executor) = definition.get("executor")
            && let Some(executor) = self.executor(job.inside, executor, Some(args))
        {
            put_below(&mut out, &executor);
        }
        let needs_steps = out.get("type").and_then(Node::as_str).unwrap_or("build") == "build";
        if needs_steps {
            self.one_machine(name, &out, definition);
        }
        if needs_steps && !has_steps {
            let message = format!("the job `{name}` has no steps");
            self.error(mark, message);
        }
        steps.extend(around.after);
        if needs_steps || !steps.is_empty() {
            out.insert("steps", Node::seq(steps, mark));
        }
        Node::map(out, mark)
    }

    /// Compiles the jobs that no workflow runs, as far as they need no arguments: what is wrong with
    /// them only warns.
    pub(super) fn unused(&mut self, names: &Arc<Namespace>) {
        let problems = std::mem::take(self.problems);
        for (name, node) in names.jobs.iter() {
            if self.used.contains(name) {
                continue;
            }
            let declared = declared(node, self.problems);
            if declared.iter().any(|(_, it)| it.default.is_none()) {
                continue;
            }
            let call = Call {
                what: format!("the job `{name}`"),
                mark: &node.mark,
                given: &Map::new(),
                caller: names,
                callee: names,
            };
            let args = self.arguments(&declared, &call, None, None);
            let found = Found {
                node,
                inside: names,
            };
            self.job(name, &found, &args, Around::default());
        }
        let found = std::mem::replace(self.problems, problems);
        self.problems.extend_as_warnings(found);
    }

    /// A job runs on exactly one kind of machine.
    fn one_machine(&mut self, name: &str, job: &Map, definition: &Map) {
        let mut kinds = MACHINES.iter().filter(|kind| job.contains(kind));
        match (kinds.next(), kinds.next()) {
            (Some(first), Some(second)) => {
                let message = format!("the job `{name}` has both `{first}` and `{second}`");
                let entry = job.entry(second);
                let mark = entry.map_or_else(|| Mark::new("", 0, 0), |entry| entry.key.clone());
                self.error(&mark, message);
            }
            (None, _) if !definition.contains("executor") => {
                let message = format!("the job `{name}` does not say what it runs in");
                let mark = definition
                    .entries()
                    .next()
                    .map(|(_, entry)| entry.key.clone());
                let mark = mark.unwrap_or_else(|| Mark::new("", 0, 0));
                let problem = Problem::error(&mark, message);
                self.problems
                    .push(problem.hint("give it one of `docker`, `machine`, `macos`, `executor`"));
            }
            _ => {}
        }
    }

    /// What an executor brings to a job.
    fn executor(
        &mut self,
        names: &Arc<Namespace>,
        node: &Node,
        args: Option<&Args>,
    ) -> Option<Map> {
        let (node, names) = match Self::lone_argument(args, node) {
            Some(Arg::Executor(node, names)) => (Cow::Borrowed(node), names),
            _ => (Cow::Borrowed(node), names),
        };
        let (name, names, mut given) = match &node.value {
            Value::Map(map) => {
                let mut given = (**map).clone();
                let name = given.remove("name").or_else(|| {
                    let message = "the executor has no name".to_owned();
                    self.error(&node.mark, message);
                    None
                })?;
                match Self::lone_argument(args, &name) {
                    // The name may itself come with arguments.
                    Some(Arg::Executor(chosen, inside)) => match &chosen.value {
                        Value::Map(own) => {
                            let mut own = (**own).clone();
                            let name = own.remove("name")?;
                            for (key, entry) in given.entries() {
                                own.insert_at(Arc::clone(key), &entry.key, entry.node.clone());
                            }
                            (name, inside, own)
                        }
                        _ => (chosen.clone(), inside, given),
                    },
                    _ => (self.fill(&name, args, None), names, given),
                }
            }
            _ => (self.fill(&node, args, None), names, Map::new()),
        };
        let Some(key) = name.as_str() else {
            let message = format!("an executor is a name or a map, not {}", name.kind());
            self.error(&name.mark, message);
            return None;
        };
        let Some(found) = names.find(Kind::Executor, key) else {
            self.unknown(names, Kind::Executor, key, &name.mark);
            return None;
        };
        // Arguments are written in the job.
        given = self
            .fill(&Node::map(given, &node.mark), args, None)
            .as_map()
            .cloned()
            .unwrap_or_default();
        let declared = declared(found.node, self.problems);
        only_values("an executor", &declared, self.problems);
        let call = Call {
            what: format!("the executor `{key}`"),
            mark: &name.mark,
            given: &given,
            caller: names,
            callee: found.inside,
        };
        let inner = self.arguments(&declared, &call, None, None);
        let mut out = Map::new();
        for (key, entry) in found.node.as_map()?.entries() {
            if !matches!(&**key, "parameters" | "description") {
                let node = self.fill(&entry.node, Some(&inner), None);
                out.insert_at(Arc::clone(key), &entry.key, node);
            }
        }
        Some(out)
    }

    /// Says that a name is not known, with the one that may have been meant.
    pub(super) fn unknown(&mut self, names: &Arc<Namespace>, kind: Kind, name: &str, mark: &Mark) {
        if lacks_orb_of(name, &self.missing) {
            return;
        }
        let message = format!("there is no {} `{name}`", kind.word());
        let meant = names.meant(kind, name);
        self.problems
            .push(Problem::error(mark, message).did_you_mean(meant.as_deref()));
    }
}

/// Adds what an executor brings to what the job says itself.
fn put_below(job: &mut Map, executor: &Map) {
    let has_machine = MACHINES.iter().any(|kind| job.contains(kind));
    for (key, entry) in executor.entries() {
        match job.get(key) {
            // A job's own machine stands for the executor's, of whatever kind.
            None if has_machine && MACHINES.contains(&&**key) => {}
            Some(own) if &**key == "environment" => {
                let mut all = variables(&entry.node);
                all.extend(variables(own));
                let node = Node::seq(all, &own.mark);
                job.insert(Arc::clone(key), node);
            }
            Some(_) => {}
            None => job.insert_at(Arc::clone(key), &entry.key, entry.node.clone()),
        }
    }
}

/// Variables as a list of maps with one key each.
fn variables(node: &Node) -> Vec<Node> {
    match &node.value {
        Value::Map(map) => map
            .iter()
            .map(|(name, value)| super::steps::single(name, value.clone(), &value.mark))
            .collect(),
        Value::Seq(nodes) => nodes.to_vec(),
        _ => Vec::new(),
    }
}
