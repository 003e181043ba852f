//! What a name in `<< … >>` stands for.

use std::collections::HashMap;
use std::sync::Arc;

use super::expression::evaluate;
use super::namespace::Namespace;
use super::template::Names;
use crate::similar::{closest, did_you_mean};
use crate::yaml::{Map, Mark, Node, Value};

/// The argument of a parameter.
#[derive(Debug, Clone)]
pub(super) enum Arg {
    /// A value.
    Plain(Node),
    /// An executor, with the names that are known where it was chosen.
    Executor(Node, Arc<Namespace>),
    /// Steps, compiled where they were written.
    Steps(Vec<Node>),
}

/// The arguments of a job, a command or an executor.
pub(super) type Args = HashMap<Arc<str>, Arg>;

/// What can be named in one place.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// `parameters.*`; there are none outside of a definition.
    pub(super) args: Option<&'a Args>,
    /// `matrix.*`.
    pub(super) matrix: Option<&'a Map>,
    /// `pipeline.*`, by their whole names.
    pub(super) pipeline: &'a HashMap<String, Node>,
}

impl Scope<'_> {
    /// The value of a name.
    pub(super) fn name(&self, name: &str, mark: &Mark) -> Result<Node, String> {
        if let Some(parameter) = name.strip_prefix("parameters.") {
            let args = self
                .args
                .ok_or_else(|| format!("`{name}`: there are no parameters here"))?;
            return match args.get(parameter) {
                Some(Arg::Plain(node) | Arg::Executor(node, _)) => Ok(node.clone()),
                Some(Arg::Steps(steps)) => Ok(Node::seq(steps.clone(), mark)),
                None => Err(unknown(name, parameter, args.keys().map(AsRef::as_ref))),
            };
        }
        if let Some(dimension) = name.strip_prefix("matrix.") {
            let matrix = self
                .matrix
                .ok_or_else(|| format!("`{name}`: there is no matrix here"))?;
            return matrix
                .get(dimension)
                .cloned()
                .ok_or_else(|| unknown(name, dimension, matrix.keys()));
        }
        if name.starts_with("pipeline.") {
            if let Some(node) = self.pipeline.get(name) {
                return Ok(Node {
                    mark: mark.clone(),
                    ..node.clone()
                });
            }
            // What is known of an event depends on the event: the rest is nothing.
            let open = ["pipeline.event.", "pipeline.trigger_parameters."];
            if open.iter().any(|open| name.starts_with(open)) {
                return Ok(Node::new(Value::Null, mark));
            }
            return Err(unknown(
                name,
                name,
                self.pipeline.keys().map(String::as_str),
            ));
        }
        Err(format!("there is no `{name}`"))
    }
}

fn unknown<'n>(whole: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let meant = did_you_mean(closest(name, known));
    format!("there is no `{whole}`{meant}")
}

impl Names for Scope<'_> {
    fn value(&self, expression: &str, mark: &Mark) -> Result<Option<Node>, String> {
        const OURS: [&str; 3] = ["parameters.", "pipeline.", "matrix."];
        let is_name = !expression.contains(|c: char| c.is_whitespace() || "()=!<>\"".contains(c));
        if is_name {
            return if OURS.iter().any(|ours| expression.starts_with(ours)) {
                self.name(expression, mark).map(Some)
            } else {
                Ok(None)
            };
        }
        // Text of a shell may stand between two redirections by chance.
        if expression.contains('\n') || !OURS.iter().any(|ours| expression.contains(ours)) {
            return Ok(None);
        }
        evaluate(expression, mark, &|name| self.name(name, mark)).map(Some)
    }
}
