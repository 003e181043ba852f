//! A whole file: what `circleci config process` prints.

use std::sync::Arc;

use super::compiler::Compiler;
use super::namespace::Namespace;
use super::numbers::number;
use super::orbs::{NoOrbs, OrbLoader, OrbSource};
use super::pipeline::Pipeline;
use crate::yaml::problem::{ConfigError, Problem, Problems};
use crate::yaml::{Map, Mark, Node, Value, load};

/// How a file is compiled.
#[derive(Clone)]
#[non_exhaustive]
pub struct CompileOptions {
    /// What the pipeline runs for.
    pub pipeline: Pipeline,
    /// Where published orbs come from.
    pub orbs: Arc<dyn OrbSource>,
}

impl std::fmt::Debug for CompileOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompileOptions")
            .field("pipeline", &self.pipeline)
            .finish_non_exhaustive()
    }
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            pipeline: Pipeline::default(),
            orbs: Arc::new(NoOrbs),
        }
    }
}

/// A compiled file.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Compiled {
    /// The file as the vendor compiles it: version 2, only the jobs that workflows invoke, everything
    /// filled in.
    pub config: Node,
    /// The workflows whose condition does not hold, and so are not in it.
    pub dropped: Vec<Dropped>,
    /// What is odd about the file.
    pub warnings: Vec<Problem>,
    /// The workflows of a file of version 2 that declares none; its form stays as it is.
    implied: Option<Map>,
}

impl Compiled {
    /// The workflows that run, and perhaps a `version` among them.
    pub(super) fn declared(&self) -> Option<&Map> {
        let written = self.config.get("workflows").and_then(Node::as_map);
        written.or(self.implied.as_ref())
    }

    /// Whether it is a setup: its one workflow makes the configuration that the pipeline goes on with,
    /// a [`Continuation`](super::Continuation).
    #[must_use]
    pub fn is_setup(&self) -> bool {
        let setup = self.config.get("setup");
        setup.and_then(Node::as_bool).unwrap_or(false)
    }

    /// Whether the file has a workflow of this name, whether it runs or not.
    #[must_use]
    pub fn has_workflow(&self, name: &str) -> bool {
        let is_dropped = || self.dropped.iter().any(|it| *it.name == *name);
        self.workflows().iter().any(|it| **it == *name) || is_dropped()
    }
}

/// A workflow that does not run.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Dropped {
    /// Its name.
    pub name: Arc<str>,
    /// Why it does not.
    pub why: String,
}

/// Compiles a file. `file` is its name for people.
///
/// ```
/// use ci_core::config::circleci::{CompileOptions, compile};
///
/// let text = "
/// version: 2.1
/// jobs:
///   build:
///     parameters: {greeting: {type: string, default: hello}}
///     docker: [{image: cimg/base:current}]
///     steps: [run: echo << parameters.greeting >>]
/// ";
/// let compiled = compile(text, "config.yml", &CompileOptions::default())?;
/// let step = &compiled.config.get("jobs").unwrap().get("build").unwrap().get("steps").unwrap();
/// let run = step.as_seq().unwrap()[0].get("run").unwrap();
/// assert_eq!(run.get("command").unwrap().as_str(), Some("echo hello"));
/// # Ok::<(), ci_core::config::problem::ConfigError>(())
/// ```
///
/// # Errors
/// With everything that is wrong with the file, each at its place.
pub fn compile(text: &str, file: &str, options: &CompileOptions) -> Result<Compiled, ConfigError> {
    let (mut problems, mut dropped) = (Problems::new(), Vec::new());
    let config = match load(text, file, &mut problems) {
        Ok(documents) => {
            let document = documents.first();
            document.and_then(|it| whole(it, options, &mut dropped, &mut problems))
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    let warnings = problems.finish()?;
    match config {
        Some(config) => Ok(Compiled {
            implied: implied(&config),
            config,
            dropped,
            warnings,
        }),
        None => Err(Problem::of_file(file, "there is nothing to run").into()),
    }
}

fn whole(
    file: &Node,
    options: &CompileOptions,
    dropped: &mut Vec<Dropped>,
    problems: &mut Problems,
) -> Option<Node> {
    let Some(map) = file.as_map() else {
        let message = format!("a configuration is a map, not {}", file.kind());
        problems.push(Problem::error(&file.mark, message));
        return None;
    };
    match map.get("version").and_then(Node::scalar).as_deref() {
        Some("2" | "2.0") => return Some(file.clone()),
        Some("2.1") => {}
        Some(other) => {
            let message = format!("version `{other}` is not known");
            let mark = map.get("version").map_or(&file.mark, |node| &node.mark);
            problems.push(Problem::error(mark, message).hint("write `version: 2.1`"));
            return None;
        }
        None => {
            let problem = Problem::error(&file.mark, "the file says no version");
            problems.push(problem.hint("begin it with `version: 2.1`"));
            return None;
        }
    }
    let mut orbs = OrbLoader::new(&*options.orbs);
    let names = orbs.namespace(file, 0, problems);
    let missing = orbs.missing;
    let pipeline = options.pipeline.values(file, problems);
    let mut compiler = Compiler::new(problems, pipeline, missing);
    let only = only_build(&file.mark);
    let (jobs, mut workflows) = workflows(&mut compiler, map, &names, &only)?;
    compiler.unused(&names);
    dropped.append(&mut compiler.dropped);
    workflows.insert("version", Node::new(Value::Int(2), &file.mark));
    let mut out = Map::new();
    out.insert("version", Node::new(Value::Int(2), &file.mark));
    for key in ["setup", "experimental"] {
        if let Some(node) = map.get(key) {
            out.insert(key, node.clone());
        }
    }
    out.insert("jobs", Node::map(jobs, &file.mark));
    out.insert("workflows", Node::map(workflows, &file.mark));
    Some(Node::map(out, &file.mark))
}

/// The workflow of a file that has jobs and no workflows: its job `build`.
fn implied(config: &Node) -> Option<Map> {
    if config.get("workflows").is_some() {
        return None;
    }
    let workflow = only_build(&config.mark);
    Some(Map::from_iter([("workflow".into(), workflow)]))
}

/// A workflow of the job `build`.
fn only_build(mark: &Mark) -> Node {
    let list = Node::seq(vec![Node::text("build", mark)], mark);
    Node::map(Map::from_iter([("jobs".into(), list)]), mark)
}

/// The jobs and the workflows of a file; `only` is the workflow of one that declares none.
fn workflows(
    compiler: &mut Compiler<'_>,
    file: &Map,
    names: &Arc<Namespace>,
    only: &Node,
) -> Option<(Map, Map)> {
    let (mut found, mut prepared) = (Vec::new(), Vec::new());
    let mut prepare = |name: &Arc<str>, mark: &Mark, node| {
        if let Some(workflow) = compiler.prepare(names, name, node) {
            found.push((Arc::clone(name), mark.clone()));
            prepared.push(workflow);
        }
    };
    if let Some(node) = file.get("workflows") {
        let Some(declared) = node.as_map() else {
            let message = format!("`workflows` takes a map, not {}", node.kind());
            compiler.error(&node.mark, message);
            return None;
        };
        for (name, entry) in declared.entries() {
            if &**name != "version" {
                prepare(name, &entry.key, &entry.node);
            }
        }
    } else {
        prepare(&"workflow".into(), &only.mark, only);
    }
    number(&mut prepared);
    let (mut jobs, mut workflows) = (Map::new(), Map::new());
    for ((name, mark), workflow) in found.into_iter().zip(prepared) {
        if let Some(form) = compiler.workflow(workflow, &mut jobs) {
            workflows.insert_at(name, &mark, form);
        }
    }
    Some((jobs, workflows))
}
