//! Logic statements: `and`, `or`, `not`, `equal`, `matches`, and what counts as true.

use super::compiler::Compiler;
use super::expression::evaluate;
use super::pattern::Pattern;
use super::scope::Scope;
use super::value::truthy;
use crate::similar::closest;
use crate::yaml::problem::Problem;
use crate::yaml::{Node, Value};

/// How deep statements may nest.
const DEPTH: usize = 100;

const STATEMENTS: [&str; 5] = ["and", "or", "not", "equal", "matches"];

/// Where a condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a step: a text is just text.
    Step,
    /// In a workflow or a filter: a text may be an expression.
    Workflow,
}

impl Compiler<'_> {
    /// Whether a condition that is filled in holds. One that cannot be read does not.
    pub(super) fn holds(&mut self, condition: &Node, place: Place) -> bool {
        match self.statement(condition, place, 0) {
            Ok(holds) => holds,
            Err(problem) => {
                self.problems.push(problem);
                false
            }
        }
    }

    fn statement(&self, node: &Node, place: Place, depth: usize) -> Result<bool, Problem> {
        if depth > DEPTH {
            let message = format!("a condition nests deeper than {DEPTH}");
            return Err(Problem::error(&node.mark, message));
        }
        let map = match &node.value {
            Value::Map(map) => map,
            Value::Str(text) if place == Place::Workflow && is_expression(text) => {
                let scope = Scope {
                    args: None,
                    matrix: None,
                    pipeline: &self.pipeline,
                };
                let name = |name: &str| scope.name(name, &node.mark);
                return evaluate(text, &node.mark, &name)
                    .map(|value| truthy(&value))
                    .map_err(|why| {
                        Problem::error(&node.mark, format!("the expression `{text}`: {why}"))
                    });
            }
            _ => return Ok(truthy(node)),
        };
        let mut entries = map.iter();
        let (Some((name, inner)), None) = (entries.next(), entries.next()) else {
            let keys: Vec<_> = map.keys().collect();
            let message = format!("a condition has one key, not `{}`", keys.join("`, `"));
            return Err(Problem::error(&node.mark, message));
        };
        let parts = || match inner.as_seq() {
            Some([]) => Err(Problem::error(
                &inner.mark,
                format!("`{name}` has nothing in it"),
            )),
            Some(parts) => Ok(parts),
            None => {
                let message = format!("`{name}` takes a list, not {}", inner.kind());
                Err(Problem::error(&inner.mark, message))
            }
        };
        let holds = |part: &Node| self.statement(part, place, depth + 1);
        match &**name {
            "and" => parts()?
                .iter()
                .try_fold(true, |all, part| Ok(holds(part)? && all)),
            "or" => parts()?
                .iter()
                .try_fold(false, |any, part| Ok(holds(part)? || any)),
            "not" => Ok(!holds(inner)?),
            "equal" => {
                let parts = parts()?;
                Ok(parts.windows(2).all(|pair| pair[0].same(&pair[1])))
            }
            "matches" => {
                let text = |key: &str| {
                    inner.get(key).and_then(Node::scalar).ok_or_else(|| {
                        let message = format!("`matches` needs a `{key}`");
                        Problem::error(&inner.mark, message).hint("write `{pattern: …, value: …}`")
                    })
                };
                let (pattern, value) = (text("pattern")?, text("value")?);
                let pattern = Pattern::new(&pattern).map_err(|why| {
                    Problem::error(&inner.mark, format!("the pattern `{pattern}`: {why}"))
                })?;
                Ok(pattern.matches(&value))
            }
            other => {
                let message = format!("`{other}` is no condition");
                let meant = closest(other, STATEMENTS);
                Err(Problem::error(&node.mark, message).did_you_mean(meant))
            }
        }
    }
}

/// Whether a text names a value of the pipeline, and so is no mere text.
pub(super) fn is_expression(text: &str) -> bool {
    text.contains("pipeline.") || matches!(text, "true" | "false") || text.starts_with("not ")
}
