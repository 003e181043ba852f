//! Inputs: the `spec:` header of a file, and `$[[ inputs.x ]]` in it
//! (<https://docs.gitlab.com/ci/inputs/>).

use std::collections::BTreeMap;

use super::rules_if::compile_pattern;
use super::variables::{Variables, replace};
use crate::similar::closest;
use crate::yaml::problem::{Problem, Problems};
use crate::yaml::{Map, Mark, Node, Value};

/// The most text that the inputs of a file may add to it.
const LARGEST: usize = 1 << 20;

/// The most options of an input, and the most functions after one.
const MOST_OPTIONS: usize = 50;
const MOST_FUNCTIONS: usize = 3;

/// The values of a file's inputs.
pub(super) type Inputs = BTreeMap<String, Node>;

const SPEC_KEYS: [&str; 5] = ["default", "description", "options", "regex", "type"];

/// The values that a file is given.
#[derive(Debug, Clone, Copy)]
pub(super) enum Given<'a> {
    /// By an include: of the types they are to have.
    Values(&'a Map),
    /// By somebody who types: all text.
    Typed(&'a Map),
}

/// Gives the inputs that a header declares their values. `at` is where they are given.
pub(super) fn bind(
    declared: Option<&Node>,
    given: Given<'_>,
    at: &Mark,
    problems: &mut Problems,
) -> Inputs {
    let (Given::Values(given_map) | Given::Typed(given_map)) = given;
    let empty = Map::new();
    let declared = declared.and_then(Node::as_map).unwrap_or(&empty);
    for (name, entry) in given_map.entries() {
        if !declared.contains(name) {
            let problem = Problem::error(&entry.key, format!("unknown input `{name}`"));
            problems.push(problem.did_you_mean(closest(name, declared.keys())));
        }
    }
    let mut bound = Inputs::new();
    for (name, entry) in declared.entries() {
        let value = given_map.get(name).cloned();
        let value = match (given, value) {
            (Given::Typed(_), Some(value)) => {
                let kind = entry.node.get("type").and_then(Node::as_str);
                Some(typed(&value, kind.unwrap_or("string")).unwrap_or(value))
            }
            (_, value) => value,
        };
        match one(name, &entry.node, value.as_ref(), at) {
            Ok(value) => drop(bound.insert(name.to_string(), value)),
            Err(mut problem) => {
                problem.message = format!("`{name}` input: {}", problem.message);
                problems.push(*problem);
            }
        }
    }
    bound
}

fn one(name: &str, spec: &Node, given: Option<&Node>, at: &Mark) -> Result<Node, Box<Problem>> {
    let fail = |mark: &Mark, message: String| Box::new(Problem::error(mark, message));
    if let Some(map) = spec.as_map()
        && let Some((key, entry)) = map.entries().find(|(key, _)| !SPEC_KEYS.contains(&&***key))
    {
        let problem = Problem::error(&entry.key, format!("unknown key `{key}`"));
        return Err(Box::new(problem.did_you_mean(closest(key, SPEC_KEYS))));
    }
    let kind = spec.get("type").and_then(Node::as_str).unwrap_or("string");
    if !["string", "number", "boolean", "array"].contains(&kind) {
        return Err(fail(&spec.mark, format!("unknown type `{kind}`")));
    }
    let value = given.or_else(|| spec.get("default"));
    let Some(value) = value else {
        let message = "required value has not been provided".to_owned();
        return Err(Box::new(
            Problem::error(at, message).hint(format!("give it under `inputs:{name}`")),
        ));
    };
    if !is_of(value, kind) {
        let whose = if given.is_some() {
            "provided"
        } else {
            "default"
        };
        let message = format!("{whose} value is not a {kind}");
        return Err(fail(&value.mark, message));
    }
    if let Some(options) = spec.get("options").and_then(Node::as_seq) {
        if options.len() > MOST_OPTIONS {
            return Err(fail(
                &spec.mark,
                format!("more than {MOST_OPTIONS} options"),
            ));
        }
        // Of an array each value has to be among them.
        let values = value.as_seq().unwrap_or(std::slice::from_ref(value));
        let is_option = |value: &Node| {
            let mut options = options.iter();
            options.any(|option| option.scalar() == value.scalar())
        };
        if let Some(other) = values.iter().find(|value| !is_option(value)) {
            let written = other.scalar().unwrap_or_default().into_owned();
            let message = format!(
                "`{written}` cannot be used because it is not in the list of allowed options"
            );
            return Err(fail(&value.mark, message));
        }
    }
    if let Some(pattern) = spec.get("regex").and_then(Node::as_str) {
        check_pattern(pattern, value).map_err(|message| fail(&value.mark, message))?;
    }
    Ok(value.clone())
}

fn check_pattern(pattern: &str, value: &Node) -> Result<(), String> {
    let written = if pattern.starts_with('/') && pattern.ends_with('/') && pattern.len() > 1 {
        pattern.to_owned()
    } else {
        format!("/{pattern}/")
    };
    let Some(Ok(regex)) = compile_pattern(&written) else {
        return Err(format!("`{pattern}` is no pattern"));
    };
    let text = value
        .as_str()
        .ok_or("a pattern can only be used with a string")?;
    if regex.is_match(text) {
        Ok(())
    } else {
        Err(format!("`{text}` does not match the pattern `{pattern}`"))
    }
}

fn is_of(value: &Node, kind: &str) -> bool {
    matches!(
        (&value.value, kind),
        (Value::Str(_), "string")
            | (Value::Bool(_), "boolean")
            | (Value::Seq(_), "array")
            | (Value::Int(_) | Value::Float(_), "number")
    )
}

/// What text stands for that somebody typed for an input of this type.
fn typed(value: &Node, kind: &str) -> Option<Node> {
    let read = |text: &str| match (kind, text) {
        ("boolean", "true") => Some(Value::Bool(true)),
        ("boolean", "false") => Some(Value::Bool(false)),
        ("number", _) => match text.parse::<i64>() {
            Ok(number) => Some(Value::Int(number)),
            Err(_) => text.parse::<f64>().ok().map(Value::Float),
        },
        _ => None,
    };
    Some(Node::new(read(value.as_str()?)?, &value.mark))
}

/// Puts values in the place of `$[[ inputs.x ]]`.
pub(super) struct Interpolation<'a> {
    pub(super) inputs: &'a Inputs,
    /// What is known of the component that the file is, by the names of its fields.
    pub(super) component: &'a BTreeMap<&'static str, String>,
    pub(super) variables: &'a Variables,
    pub(super) problems: &'a mut Problems,
    pub(super) added: usize,
}

impl Interpolation<'_> {
    /// The node with every block replaced. A text that is one block takes the type of the input.
    pub(super) fn node(&mut self, node: &Node) -> Node {
        let value = match &node.value {
            Value::Str(text) if text.contains("$[[") => return self.text(node, text),
            Value::Seq(nodes) => {
                let nodes: Vec<Node> = nodes.iter().map(|node| self.node(node)).collect();
                Value::Seq(nodes.into())
            }
            Value::Map(map) => {
                let mut out = Map::new();
                for (key, entry) in map.entries() {
                    let inner = self.node(&entry.node);
                    if key.contains("$[[") {
                        let name = self.text(&Node::text(&**key, &entry.key), key);
                        out.insert_at(name.scalar().unwrap_or_default(), &entry.key, inner);
                    } else {
                        out.insert_at(std::sync::Arc::clone(key), &entry.key, inner);
                    }
                }
                Value::Map(out.into())
            }
            _ => return node.clone(),
        };
        Node {
            value,
            mark: node.mark.clone(),
            tag: node.tag.clone(),
        }
    }

    fn text(&mut self, node: &Node, text: &str) -> Node {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("$[[") {
            let Some((block, after)) = after.split_once("]]") else {
                break;
            };
            let value = match self.block(block.trim(), &node.mark) {
                Ok(Some(value)) => value,
                Ok(None) => Node::text(format!("$[[{block}]]"), &node.mark),
                Err(message) => {
                    self.problems.push(Problem::error(&node.mark, message));
                    return node.clone();
                }
            };
            if out.is_empty() && before.is_empty() && after.is_empty() {
                return Node {
                    mark: node.mark.clone(),
                    ..value
                };
            }
            let written = match value.scalar() {
                Some(text) => text.into_owned(),
                None => serde_json::to_string(&value).unwrap_or_default(),
            };
            self.added += written.len();
            if self.added > LARGEST {
                let message = "the inputs add more than 1 MiB to the file";
                self.problems.push(Problem::error(&node.mark, message));
                return node.clone();
            }
            out.push_str(before);
            out.push_str(&written);
            rest = after;
        }
        out.push_str(rest);
        Node {
            value: Value::Str(out.into()),
            ..node.clone()
        }
    }

    /// What a block stands for; nothing if it is none of the inputs' business.
    fn block(&self, block: &str, mark: &Mark) -> Result<Option<Node>, String> {
        let mut parts = block.split('|').map(str::trim);
        let access = parts.next().unwrap_or_default();
        let Some(name) = access.strip_prefix("inputs.") else {
            if access.starts_with("matrix.") {
                return Ok(None);
            }
            if let Some(field) = access.strip_prefix("component.") {
                let known = self.component.get(field);
                let value = known.map(|value| Node::text(value.as_str(), mark));
                return value
                    .map(Some)
                    .ok_or_else(|| format!("unknown interpolation key: `{field}`"));
            }
            return Err(format!("unknown interpolation key: `{access}`"));
        };
        let Some(value) = self.inputs.get(name) else {
            let meant = closest(name, self.inputs.keys().map(String::as_str));
            let meant = crate::similar::did_you_mean(meant);
            return Err(format!("unknown interpolation key: `{name}`{meant}"));
        };
        let functions: Vec<&str> = parts.collect();
        if functions.len() > MOST_FUNCTIONS {
            return Err(format!(
                "too many functions in interpolation block, at most {MOST_FUNCTIONS}"
            ));
        }
        if functions.is_empty() {
            return Ok(Some(value.clone()));
        }
        let mut text = value
            .scalar()
            .ok_or_else(|| format!("`{name}` is no text, and functions take text only"))?
            .into_owned();
        for function in functions {
            text = self.call(function, &text)?;
        }
        Ok(Some(Node::text(text, mark)))
    }

    fn call(&self, function: &str, text: &str) -> Result<String, String> {
        if function == "expand_vars" {
            return Ok(replace(text, |name| self.variables.text(name)));
        }
        if function == "posix_escape" {
            return Ok(posix_escape(text));
        }
        let numbers = function
            .strip_prefix("truncate(")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|inner| inner.split_once(','));
        if let Some((offset, length)) = numbers
            && let (Ok(offset), Ok(length)) = (offset.trim().parse(), length.trim().parse())
        {
            return Ok(text.chars().skip(offset).take(length).collect());
        }
        Err(format!(
            "no function matching `{function}`: check that the function name, arguments, and types are correct"
        ))
    }
}

/// Text as one word of a POSIX shell, each special letter behind a backslash.
fn posix_escape(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("'\n'"),
            letter
                if letter.is_ascii()
                    && !letter.is_ascii_alphanumeric()
                    && !"_-.,:+/@".contains(letter) =>
            {
                out.push('\\');
                out.push(letter);
            }
            letter => out.push(letter),
        }
    }
    out
}
