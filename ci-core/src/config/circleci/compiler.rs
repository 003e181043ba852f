//! What every part of the compilation uses: the problems, the values of the pipeline, filling in, and
//! the arguments of a call.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::compile::Dropped;
use super::namespace::Namespace;
use super::parameters::{Parameter, Type, is_template};
use super::scope::{Arg, Args, Scope};
use super::template;
use crate::similar::closest;
use crate::yaml::problem::{Problem, Problems};
use crate::yaml::{Map, Mark, Node};

/// How deep commands may call commands.
const DEPTH: usize = 64;

/// How many steps all jobs together may come to.
const STEPS: usize = 500_000;

/// A compilation on its way.
pub(super) struct Compiler<'a> {
    pub(super) problems: &'a mut Problems,
    /// The values of `pipeline.*`.
    pub(super) pipeline: HashMap<String, Node>,
    /// Orbs that are not at hand, by the name they have in the file.
    pub(super) missing: Vec<Arc<str>>,
    /// The workflows whose condition does not hold.
    pub(super) dropped: Vec<Dropped>,
    /// The jobs that workflows run.
    pub(super) used: HashSet<Arc<str>>,
    depth: usize,
    steps: usize,
}

/// What is given to a definition.
pub(super) struct Call<'a> {
    /// How people call the definition.
    pub(super) what: String,
    pub(super) mark: &'a Mark,
    pub(super) given: &'a Map,
    /// The names where the call is written.
    pub(super) caller: &'a Arc<Namespace>,
    /// The names where the definition is written.
    pub(super) callee: &'a Arc<Namespace>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(
        problems: &'a mut Problems,
        pipeline: HashMap<String, Node>,
        missing: Vec<Arc<str>>,
    ) -> Self {
        Self {
            problems,
            pipeline,
            missing,
            dropped: Vec::new(),
            used: HashSet::new(),
            depth: 0,
            steps: 0,
        }
    }

    pub(super) fn error(&mut self, mark: &Mark, message: impl Into<String>) {
        self.problems.push(Problem::error(mark, message));
    }

    /// Fills in the texts of a value.
    pub(super) fn fill(&mut self, node: &Node, args: Option<&Args>, matrix: Option<&Map>) -> Node {
        let scope = Scope {
            args,
            matrix,
            pipeline: &self.pipeline,
        };
        let problems = &mut *self.problems;
        template::fill(node, &scope, &mut |mark, why| {
            problems.push(Problem::error(mark, why));
        })
    }

    /// The argument behind a text that is nothing but the name of a parameter.
    pub(super) fn lone_argument<'s>(args: Option<&'s Args>, node: &Node) -> Option<&'s Arg> {
        let text = node.as_str()?;
        let inner = text.trim().strip_prefix("<<")?.strip_suffix(">>")?;
        let name = inner.trim().strip_prefix("parameters.")?;
        args?.get(name)
    }

    /// Runs `work` one level deeper, unless that is too deep.
    pub(super) fn deeper(&mut self, mark: &Mark, what: &str, work: impl FnOnce(&mut Self)) {
        if self.depth >= DEPTH {
            let message = format!("{what} is called deeper than {DEPTH}: it may call itself");
            self.error(mark, message);
            return;
        }
        self.depth += 1;
        work(self);
        self.depth -= 1;
    }

    /// Counts a step. False if there are too many.
    pub(super) fn counts_step(&mut self, mark: &Mark) -> bool {
        self.steps += 1;
        if self.steps == STEPS {
            self.error(mark, format!("the jobs come to more than {STEPS} steps"));
        }
        self.steps < STEPS
    }

    /// The arguments of a call. Values are filled in where they are written.
    pub(super) fn arguments(
        &mut self,
        declared: &[(Arc<str>, Parameter)],
        call: &Call<'_>,
        args: Option<&Args>,
        matrix: Option<&Map>,
    ) -> Args {
        let mut made = Args::new();
        for (name, parameter) in declared {
            let is_given = call.given.contains(name);
            let (node, arg) = match (call.given.get(name), &parameter.default) {
                (Some(node), _) => {
                    let arg = self.argument(parameter, node, call.caller, args, matrix);
                    (node, arg)
                }
                (None, Some(node)) => {
                    let arg = self.argument(parameter, node, call.callee, None, None);
                    (node, arg)
                }
                (None, None) => {
                    let message = format!("{} needs the argument `{name}`", call.what);
                    self.error(call.mark, message);
                    made.extend(
                        parameter
                            .stand_in(call.mark)
                            .map(|arg| (Arc::clone(name), arg)),
                    );
                    continue;
                }
            };
            match arg {
                Ok(arg) => {
                    made.insert(Arc::clone(name), arg);
                }
                Err(why) => {
                    // What is wrong with a default is told where it is declared.
                    if is_given || is_template(node) {
                        let message = format!("the argument `{name}` of {} {why}", call.what);
                        self.error(&node.mark, message);
                    }
                    made.extend(
                        parameter
                            .stand_in(&node.mark)
                            .map(|arg| (Arc::clone(name), arg)),
                    );
                }
            }
        }
        for (name, entry) in call.given.entries() {
            if !declared.iter().any(|(known, _)| known == name) {
                let message = format!("{} has no parameter `{name}`", call.what);
                let meant = closest(name, declared.iter().map(|(known, _)| &**known));
                let problem = Problem::error(&entry.key, message).did_you_mean(meant);
                self.problems.push(problem);
            }
        }
        made
    }

    fn argument(
        &mut self,
        parameter: &Parameter,
        node: &Node,
        names: &Arc<Namespace>,
        args: Option<&Args>,
        matrix: Option<&Map>,
    ) -> Result<Arg, String> {
        if let Some(arg) = Self::lone_argument(args, node) {
            match (parameter.kind, arg) {
                (Type::Executor, Arg::Executor(..)) | (Type::Steps, Arg::Steps(_)) => {
                    return Ok(arg.clone());
                }
                _ => {}
            }
        }
        if parameter.kind == Type::Steps {
            let list = parameter.check(node)?;
            let mut steps = Vec::new();
            self.steps(names, &list, args, matrix, &mut steps);
            return Ok(Arg::Steps(steps));
        }
        let filled = self.fill(node, args, matrix);
        let value = parameter.check(&filled)?;
        Ok(if parameter.kind == Type::Executor {
            Arg::Executor(value, Arc::clone(names))
        } else {
            Arg::Plain(value)
        })
    }
}
