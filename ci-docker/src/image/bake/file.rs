//! Reads bake files: expressions by name, not evaluated yet.

use std::path::Path;

use hcl::expr::{Expression, TemplateExpr};
use hcl::structure::{Block, Body, Structure};
use indexmap::IndexMap;

use crate::image::{ImageError, ImageErrorKind};

/// The largest file, and the deepest nesting in it: the parser calls itself for each level.
const SIZE: usize = 1 << 20;
const DEPTH: usize = 64;

/// Attributes by name.
pub(super) type Attributes = IndexMap<String, Expression>;

/// A bake file, or several that were merged.
#[derive(Debug, Clone, Default)]
pub struct BakeFile {
    pub(super) variables: IndexMap<String, VariableBlock>,
    pub(super) groups: IndexMap<String, Attributes>,
    pub(super) targets: IndexMap<String, Attributes>,
}

/// A variable as it was declared.
#[derive(Debug, Clone, Default)]
pub(super) struct VariableBlock {
    pub(super) default: Option<Expression>,
    /// Conditions that its value has to fulfil, with what is said if it does not.
    pub(super) validations: Vec<(Expression, Option<Expression>)>,
    /// Whether the environment may give another value.
    pub(super) is_open: bool,
}

impl BakeFile {
    /// The names that are looked for in a directory, all that are there being merged in this order.
    pub const NAMES: [&str; 4] = [
        "docker-bake.json",
        "docker-bake.hcl",
        "docker-bake.override.json",
        "docker-bake.override.hcl",
    ];

    /// Reads a file; JSON if its name ends so, else HCL.
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(format!("`{name}` cannot be read")).with_source(error))?;
        Self::parse(&name, &text)
    }

    /// Reads a text; as JSON if `name` ends in `.json`, else as HCL.
    pub fn parse(name: &str, text: &str) -> Result<Self, ImageError> {
        if text.len() > SIZE || depth(text) > DEPTH {
            return Err(wrong(format!("`{name}` is too large or nested too deeply")));
        }
        let is_json = Path::new(name)
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if is_json {
            let value = serde_json::from_str(text)
                .map_err(|error| wrong(format!("`{name}`: {error}")).with_source(error))?;
            return json(name, value);
        }
        let body: Body = hcl::parse(text).map_err(|error| wrong(format!("`{name}`: {error}")))?;
        let mut file = Self::default();
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => {
                    file.fix(attribute.key.to_string(), attribute.expr);
                }
                Structure::Block(block) => file.block(name, &block)?,
            }
        }
        Ok(file)
    }

    /// Puts a later file over this one: its attributes replace those of the same name.
    #[must_use]
    pub fn merge(mut self, later: Self) -> Self {
        let over = |mine: &mut IndexMap<String, Attributes>,
                    theirs: IndexMap<String, Attributes>| {
            for (name, attributes) in theirs {
                mine.entry(name).or_default().extend(attributes);
            }
        };
        over(&mut self.groups, later.groups);
        over(&mut self.targets, later.targets);
        self.variables.extend(later.variables);
        self
    }

    /// The names of all groups and targets.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let names = self.groups.keys().chain(self.targets.keys());
        names.map(String::as_str).collect()
    }

    /// A variable that the environment cannot change: an attribute outside of all blocks.
    fn fix(&mut self, name: String, value: Expression) {
        let variable = VariableBlock {
            default: Some(value),
            ..VariableBlock::default()
        };
        self.variables.insert(name, variable);
    }

    fn block(&mut self, file: &str, block: &Block) -> Result<(), ImageError> {
        let kind = block.identifier();
        let [label] = block.labels() else {
            return Err(wrong(format!("`{file}`: a block `{kind}` needs one name")));
        };
        let name = label.as_str().to_owned();
        match kind {
            "variable" => {
                let variable = variable(file, &name, block)?;
                self.variables.insert(name, variable);
            }
            "group" => {
                let attributes = attributes(file, block)?;
                self.groups.entry(name).or_default().extend(attributes);
            }
            "target" => {
                let attributes = attributes(file, block)?;
                self.targets.entry(name).or_default().extend(attributes);
            }
            "function" => {
                let message = format!(
                    "`{file}`: functions of one's own, such as `{name}`, are not supported"
                );
                return Err(ImageError::new(ImageErrorKind::Unsupported, message));
            }
            other => {
                return Err(wrong(format!(
                    "`{file}`: a bake file has no block `{other}`"
                )));
            }
        }
        Ok(())
    }
}

fn attributes(file: &str, block: &Block) -> Result<Attributes, ImageError> {
    if let Some(inner) = block.body().blocks().next() {
        let (kind, inner) = (block.identifier(), inner.identifier());
        return Err(wrong(format!("`{file}`: a {kind} has no block `{inner}`")));
    }
    let attributes = block.body().attributes();
    Ok(attributes
        .map(|attribute| (attribute.key().to_owned(), attribute.expr().clone()))
        .collect())
}

fn variable(file: &str, name: &str, block: &Block) -> Result<VariableBlock, ImageError> {
    let mut variable = VariableBlock {
        is_open: true,
        ..VariableBlock::default()
    };
    for attribute in block.body().attributes() {
        match attribute.key() {
            "default" => variable.default = Some(attribute.expr().clone()),
            // Values find their types by themselves.
            "description" | "type" => {}
            other => {
                let message = format!("`{file}`: the variable `{name}` has no attribute `{other}`");
                return Err(wrong(message));
            }
        }
    }
    for inner in block.body().blocks() {
        let find = |key: &str| {
            let mut attributes = inner.body().attributes();
            attributes.find(|attribute| attribute.key() == key)
        };
        let (Some(condition), "validation") = (find("condition"), inner.identifier()) else {
            let message =
                format!("`{file}`: the variable `{name}` has a block that makes no sense");
            return Err(wrong(message));
        };
        let said = find("error_message").map(|said| said.expr().clone());
        variable.validations.push((condition.expr().clone(), said));
    }
    Ok(variable)
}

/// A file in JSON: blocks are objects by name, and strings may have templates in them.
fn json(name: &str, value: serde_json::Value) -> Result<BakeFile, ImageError> {
    let object = |what: &str, value: serde_json::Value| match value {
        serde_json::Value::Object(object) => Ok(object),
        _ => Err(wrong(format!("`{name}`: {what} is no object"))),
    };
    let mut file = BakeFile::default();
    for (kind, value) in object("the file", value)? {
        if !matches!(kind.as_str(), "variable" | "group" | "target") {
            file.fix(kind, expression(value));
            continue;
        }
        for (label, body) in object(&kind, value)? {
            let body = object(&label, body)?.into_iter();
            let mut body: Attributes = body.map(|(key, value)| (key, expression(value))).collect();
            match kind.as_str() {
                "variable" => {
                    let default = body.swap_remove("default");
                    let is_open = true;
                    let variable = VariableBlock {
                        default,
                        is_open,
                        ..VariableBlock::default()
                    };
                    file.variables.insert(label, variable);
                }
                "group" => file.groups.entry(label).or_default().extend(body),
                _ => file.targets.entry(label).or_default().extend(body),
            }
        }
    }
    Ok(file)
}

fn expression(value: serde_json::Value) -> Expression {
    use serde_json::Value;
    match value {
        Value::Null => Expression::Null,
        Value::Bool(value) => value.into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => Expression::Null,
        },
        Value::String(text) if text.contains("${") || text.contains("%{") => {
            Expression::from(TemplateExpr::from(text))
        }
        Value::String(text) => text.into(),
        Value::Array(items) => Expression::Array(items.into_iter().map(expression).collect()),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            Expression::Object(
                fields
                    .map(|(key, value)| {
                        (
                            hcl::expr::ObjectKey::Expression(key.into()),
                            expression(value),
                        )
                    })
                    .collect(),
            )
        }
    }
}

/// How deep brackets stand in brackets, at most.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

pub(super) fn wrong(message: impl Into<String>) -> ImageError {
    ImageError::new(ImageErrorKind::Invalid, message)
}
