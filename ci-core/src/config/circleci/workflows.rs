//! Workflows: which run, their jobs under their final names, and what waits for what.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::compile::Dropped;
use super::compiler::{Call, Compiler};
use super::jobs::Around;
use super::logic::Place;
use super::matrix;
use super::namespace::{Kind, Namespace};
use super::parameters::declared;
use super::steps::single;
use crate::similar::closest;
use crate::yaml::problem::Problem;
use crate::yaml::{Map, Mark, Node, Value};

/// Keys of a job's entry that are no arguments.
const RESERVED: [&str; 10] = [
    "name",
    "requires",
    "context",
    "type",
    "filters",
    "matrix",
    "pre-steps",
    "post-steps",
    "serial-group",
    "override-with",
];

/// Keys of an entry that stay in the compiled one.
const KEPT: [&str; 5] = ["requires", "context", "filters", "type", "serial-group"];

/// Keys of a job group's entry.
const OF_GROUPS: [&str; 4] = ["requires", "context", "filters", "serial-group"];

/// A workflow that runs, with its jobs compiled.
pub(super) struct Prepared<'a> {
    node: &'a Node,
    pub(super) entries: Vec<Entry<'a>>,
    /// What the entries run; nothing for those without steps.
    pub(super) jobs: Vec<Option<Node>>,
}

/// One job of a workflow under its final name.
pub(super) struct Entry<'a> {
    /// The name that `requires` may use for it and its like.
    pub(super) base: Arc<str>,
    /// Whether the file or a matrix names it.
    pub(super) is_named: bool,
    /// The definition's name.
    pub(super) reference: &'a str,
    pub(super) name: Arc<str>,
    mark: &'a Mark,
    given: Map,
    matrix: Option<Map>,
    /// The job group that brings it.
    group: Option<&'a str>,
}

impl Compiler<'_> {
    /// Compiles the jobs of a workflow. `None` if it does not run.
    pub(super) fn prepare<'n>(
        &mut self,
        names: &'n Arc<Namespace>,
        name: &str,
        node: &'n Node,
    ) -> Option<Prepared<'n>> {
        for (key, wanted) in [("when", true), ("unless", false)] {
            if let Some(condition) = node.get(key) {
                let filled = self.fill(condition, None, None);
                if self.holds(&filled, Place::Workflow) != wanted {
                    let holds = if wanted { "does not hold" } else { "holds" };
                    let (line, name) = (condition.mark.line, Arc::from(name));
                    let why = format!("condition: its `{key}` in line {line} {holds}");
                    self.dropped.push(Dropped { name, why });
                    return None;
                }
            }
        }
        let list = node.get("jobs").and_then(Node::as_seq);
        let Some(list) = list else {
            let message = format!("the workflow `{name}` has no list of jobs");
            self.error(&node.mark, message);
            return None;
        };
        let entries = self.entries(names, list);
        let jobs = entries.iter().map(|entry| self.entry_job(names, entry));
        let jobs = jobs.collect();
        Some(Prepared {
            node,
            entries,
            jobs,
        })
    }

    /// The form of a workflow whose jobs have their names; they go to `jobs`.
    pub(super) fn workflow(&mut self, prepared: Prepared<'_>, jobs: &mut Map) -> Option<Node> {
        let Prepared {
            node,
            entries,
            jobs: made,
        } = prepared;
        self.refuse_twins(&entries);
        let mut known: HashMap<Arc<str>, Vec<Arc<str>>> = HashMap::new();
        let mut told = HashSet::new();
        for entry in &entries {
            let group = entry.group.map(Arc::from);
            for base in [Some(Arc::clone(&entry.base)), group].into_iter().flatten() {
                let all = known.entry(Arc::clone(&base)).or_default();
                // What runs twice alike is one job.
                if told.insert((base, Arc::clone(&entry.name))) {
                    all.push(Arc::clone(&entry.name));
                }
            }
        }
        for entry in &entries {
            let own = vec![Arc::clone(&entry.name)];
            known.entry(Arc::clone(&entry.name)).or_insert(own);
        }
        let mut renamed = HashMap::new();
        let mut compiled = Vec::new();
        for (entry, job) in entries.iter().zip(made) {
            if let Some(job) = job {
                let name = add(jobs, &entry.name, job);
                renamed.insert(Arc::clone(&entry.name), name);
            }
            compiled.push(self.entry_form(entry, &known));
        }
        let mut out = Map::new();
        for (key, entry) in node.as_map()?.entries() {
            match &**key {
                "when" | "unless" => {}
                "jobs" => {
                    let list = compiled.iter().zip(&entries);
                    let list = list.map(|((form, mark), entry)| {
                        let name = renamed.get(&entry.name).unwrap_or(&entry.name);
                        let form = rename(form, &renamed);
                        if form.is_empty() {
                            Node::text(Arc::clone(name), mark)
                        } else {
                            single(name, Node::map(form, mark), mark)
                        }
                    });
                    out.insert_at(
                        "jobs",
                        &entry.key,
                        Node::seq(list.collect(), &entry.node.mark),
                    );
                }
                _ => {
                    let node = self.fill(&entry.node, None, None);
                    out.insert_at(Arc::clone(key), &entry.key, node);
                }
            }
        }
        Some(Node::map(out, &node.mark))
    }

    /// The entries of a workflow, matrices spelled out, with their final names.
    fn entries<'n>(&mut self, names: &'n Arc<Namespace>, list: &'n [Node]) -> Vec<Entry<'n>> {
        let mut entries: Vec<Entry<'n>> = Vec::new();
        for node in list {
            let (reference, mark, given) = match &node.value {
                Value::Str(name) => (&**name, &node.mark, Map::new()),
                Value::Map(map) if map.len() == 1 => {
                    let Some((name, entry)) = map.entries().next() else {
                        continue;
                    };
                    match &entry.node.value {
                        Value::Map(given) => (&**name, &entry.key, (**given).clone()),
                        Value::Null => (&**name, &entry.key, Map::new()),
                        _ => {
                            let kind = entry.node.kind();
                            let message = format!("the entry of the job `{name}` is {kind}");
                            self.error(&entry.node.mark, message);
                            continue;
                        }
                    }
                }
                _ => {
                    let problem =
                        Problem::error(&node.mark, "a job is a name or a map with one key")
                            .hint("indent what belongs to the job deeper than its name");
                    self.problems.push(problem);
                    continue;
                }
            };
            if let Some(group) = names.groups.get(reference)
                && !names.jobs.contains(reference)
            {
                let grouped = self.group_entries(names, reference, mark, group, &given);
                entries.extend(grouped);
                continue;
            }
            if let Some(node) = given.get("matrix") {
                let node = self.fill(node, None, None);
                self.matrix_entries(reference, mark, &given, &node, &mut entries);
                continue;
            }
            let name = given.get("name").map(|name| self.fill(name, None, None));
            let name: Option<Arc<str>> = name.and_then(|name| Some(name.scalar()?.into()));
            let is_named = name.is_some();
            let name = name.unwrap_or_else(|| reference.into());
            entries.push(Entry {
                is_named,
                base: Arc::clone(&name),
                reference,
                name,
                mark,
                given,
                matrix: None,
                group: None,
            });
        }
        entries
    }

    /// Names must tell the jobs of a workflow apart.
    fn refuse_twins(&mut self, entries: &[Entry<'_>]) {
        let mut seen = HashMap::new();
        for entry in entries {
            let Some((named, first)) = seen.insert(&*entry.name, (entry.is_named, entry.mark))
            else {
                continue;
            };
            if named || entry.is_named {
                let (name, line) = (&entry.name, first.line);
                let message = format!("two jobs of the workflow are called `{name}`");
                let hint = format!("the other stands in line {line}; give one of them a `name`");
                self.problems
                    .push(Problem::error(entry.mark, message).hint(hint));
            }
        }
    }

    /// The entries of a job group. What the group waits for, those of its jobs wait for that wait for
    /// no other of the group.
    fn group_entries<'n>(
        &mut self,
        names: &'n Arc<Namespace>,
        group: &'n str,
        mark: &Mark,
        node: &'n Node,
        given: &Map,
    ) -> Vec<Entry<'n>> {
        let Some(list) = node.get("jobs").and_then(Node::as_seq) else {
            let message = format!("the job group `{group}` has no list of jobs");
            self.error(&node.mark, message);
            return Vec::new();
        };
        for key in given.keys() {
            if !OF_GROUPS.contains(&key) {
                let message = format!("a job group takes no `{key}`");
                let hint = format!("it takes `{}`", OF_GROUPS.join("`, `"));
                self.problems.push(Problem::error(mark, message).hint(hint));
            }
        }
        let is_group = |node: &Node| {
            let name = match &node.value {
                Value::Map(map) => map.keys().next(),
                _ => node.as_str(),
            };
            name.is_some_and(|name| names.groups.contains(name) && !names.jobs.contains(name))
        };
        if let Some(inner) = list.iter().find(|node| is_group(node)) {
            self.error(&inner.mark, "a job group cannot hold another");
            return Vec::new();
        }
        let mut entries = self.entries(names, list);
        for entry in &mut entries {
            entry.group = Some(group);
            for (key, from_group) in given.entries() {
                if !entry.given.contains(key) {
                    entry.given.insert(Arc::clone(key), from_group.node.clone());
                }
            }
        }
        entries
    }

    fn matrix_entries<'n>(
        &mut self,
        reference: &'n str,
        mark: &'n Mark,
        given: &Map,
        node: &Node,
        entries: &mut Vec<Entry<'n>>,
    ) {
        let combinations = match matrix::combinations(node) {
            Ok(combinations) => combinations,
            Err(problem) => {
                self.problems.push(problem);
                return;
            }
        };
        let alias = node.get("alias").and_then(Node::scalar);
        let base: Arc<str> = alias.map_or_else(|| reference.into(), Into::into);
        for combination in combinations {
            let name = match given.get("name") {
                Some(name) => self.fill(name, None, Some(&combination)),
                None => Node::text(matrix::name(reference, &combination), mark),
            };
            let name: Arc<str> = name.scalar().unwrap_or_default().into();
            let mut given = given.clone();
            for (key, value) in combination.iter() {
                given.insert(Arc::clone(key), value.clone());
            }
            entries.push(Entry {
                is_named: true,
                base: Arc::clone(&base),
                reference,
                name,
                mark,
                given,
                matrix: Some(combination),
                group: None,
            });
        }
    }

    /// The job that an entry runs; `None` if it is one without steps, or cannot be made.
    fn entry_job(&mut self, names: &Arc<Namespace>, entry: &Entry<'_>) -> Option<Node> {
        let kind = entry.given.get("type").and_then(Node::as_str);
        if kind.is_some_and(|kind| kind != "build") {
            return None;
        }
        // The orb's job is taken if the orb has it.
        let over = entry.given.get("override-with").and_then(Node::as_str);
        let found = over
            .and_then(|over| names.find(Kind::Job, over))
            .or_else(|| names.find(Kind::Job, entry.reference));
        let Some(found) = found else {
            self.unknown(names, Kind::Job, entry.reference, entry.mark);
            return None;
        };
        self.used.insert(entry.reference.into());
        let matrix = entry.matrix.as_ref();
        let mut given = Map::new();
        let mut around = Around::default();
        for (key, value) in entry.given.entries() {
            match &**key {
                "pre-steps" => self.steps(names, &value.node, None, matrix, &mut around.before),
                "post-steps" => self.steps(names, &value.node, None, matrix, &mut around.after),
                key if RESERVED.contains(&key) => {}
                _ => given.insert_at(Arc::clone(key), &value.key, value.node.clone()),
            }
        }
        let declared = declared(found.node, self.problems);
        let call = Call {
            what: format!("the job `{}`", entry.reference),
            mark: entry.mark,
            given: &given,
            caller: names,
            callee: found.inside,
        };
        let args = self.arguments(&declared, &call, None, matrix);
        Some(self.job(entry.reference, &found, &args, around))
    }

    /// What stays of an entry.
    fn entry_form<'e>(
        &mut self,
        entry: &Entry<'e>,
        known: &HashMap<Arc<str>, Vec<Arc<str>>>,
    ) -> (Map, &'e Mark) {
        let mut out = Map::new();
        for key in KEPT {
            let Some(node) = entry.given.get(key) else {
                continue;
            };
            let node = self.fill(node, None, entry.matrix.as_ref());
            let node = if key == "requires" {
                self.requires(&node, known)
            } else {
                node
            };
            out.insert(key, node);
        }
        (out, entry.mark)
    }

    /// The jobs that an entry waits for under their final names.
    fn requires(&mut self, node: &Node, known: &HashMap<Arc<str>, Vec<Arc<str>>>) -> Node {
        let Some(list) = node.as_seq() else {
            if !node.is_null() {
                let message = format!("`requires` takes a list, not {}", node.kind());
                self.error(&node.mark, message);
            }
            return Node::seq(Vec::new(), &node.mark);
        };
        let mut out = Vec::new();
        for item in list {
            let (name, status) = match &item.value {
                Value::Map(map) if map.len() == 1 => match map.iter().next() {
                    Some((name, status)) => (Arc::clone(name), Some(status)),
                    None => continue,
                },
                _ => {
                    let Some(name) = item.scalar() else {
                        self.error(&item.mark, "`requires` lists names of jobs");
                        continue;
                    };
                    (name.into(), None)
                }
            };
            let Some(finals) = known.get(&name) else {
                let message = format!("`requires` names `{name}`, which is no job of the workflow");
                let meant = closest(&name, known.keys().map(AsRef::as_ref));
                self.problems
                    .push(Problem::error(&item.mark, message).did_you_mean(meant));
                continue;
            };
            out.extend(finals.iter().map(|name| match status {
                Some(status) => single(name, status.clone(), &item.mark),
                None => Node::text(Arc::clone(name), &item.mark),
            }));
        }
        Node::seq(out, &node.mark)
    }
}

/// Adds a job to those of all workflows. Another job of the same name gets a number.
fn add(jobs: &mut Map, name: &Arc<str>, job: Node) -> Arc<str> {
    let mut free = Arc::clone(name);
    let mut count = 0;
    while let Some(other) = jobs.get(&free) {
        if other.same(&job) {
            return free;
        }
        count += 1;
        free = format!("{name}-{count}").into();
    }
    jobs.insert(Arc::clone(&free), job);
    free
}

/// Puts final names into `requires`.
fn rename(form: &Map, renamed: &HashMap<Arc<str>, Arc<str>>) -> Map {
    let mut form = form.clone();
    let Some(requires) = form.get("requires").and_then(Node::as_seq) else {
        return form;
    };
    let now = |name: &str| renamed.get(name).cloned().unwrap_or_else(|| name.into());
    let list = requires.iter().map(|item| match &item.value {
        Value::Str(name) => Node::text(now(name), &item.mark),
        Value::Map(map) => match map.iter().next() {
            Some((name, status)) => single(&now(name), status.clone(), &item.mark),
            None => item.clone(),
        },
        _ => item.clone(),
    });
    let list = Node::seq(
        list.collect(),
        &form
            .get("requires")
            .map_or_else(|| Mark::new("", 0, 0), |node| node.mark.clone()),
    );
    form.insert("requires", list);
    form
}
