//! What a bake file comes to: targets with everything told, in the order they were asked for.

use std::path::PathBuf;

use hcl::eval::{Context, Evaluate};
use serde_json::{Map, Value, json};

use super::fields::{self, Fields};
use super::file::{BakeFile, wrong};
use super::matrix::{Instances, instances, scope};
use super::variables;
use crate::image::{BuildSpec, ImageError};

/// How a bake file is read.
#[derive(Debug, Clone, Default)]
pub struct BakeOptions {
    /// The environment, which gives values to variables.
    pub env: Vec<(String, String)>,
    /// The directory that contexts are relative to; the current one if it is empty.
    pub dir: PathBuf,
    /// Attributes that are changed: `TARGET.ATTRIBUTE=VALUE` or `TARGET.args.NAME=VALUE`. The target may
    /// be a pattern.
    pub set: Vec<String>,
}

/// What a bake file comes to.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BakePlan {
    /// What is built.
    pub targets: Vec<BakeTarget>,
    /// What the file asks for and is not done.
    pub notes: Vec<String>,
}

/// An image to build.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BakeTarget {
    /// Its name in the file.
    pub name: String,
    /// What to build.
    pub spec: BuildSpec,
    /// Its attributes as they came to be.
    attributes: Map<String, Value>,
}

impl BakePlan {
    /// The plan as a bake file in JSON, as `docker buildx bake --print` has it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let names: Vec<&str> = self
            .targets
            .iter()
            .map(|target| target.name.as_str())
            .collect();
        let targets = self.targets.iter();
        let targets: Map<String, Value> = targets
            .map(|target| {
                (
                    target.name.clone(),
                    Value::Object(target.attributes.clone()),
                )
            })
            .collect();
        json!({ "group": { "default": { "targets": names } }, "target": targets })
    }
}

impl BakeFile {
    /// What some groups and targets come to; `default` is the target of that name where there is no
    /// such group.
    pub fn plan(&self, wanted: &[&str], options: &BakeOptions) -> Result<BakePlan, ImageError> {
        let context = variables::context(self, &options.env)?;
        let instances = instances(self, &context)?;
        let resolver = Resolver {
            file: self,
            context: &context,
            instances: &instances,
        };
        let mut names = Vec::new();
        for name in wanted {
            resolver.expand(name, &mut Vec::new(), &mut names)?;
        }
        let sets = options.set.iter().map(|set| fields::parse_set(set));
        let sets: Vec<fields::Set> = sets.collect::<Result<_, _>>()?;
        for (set, text) in sets.iter().zip(&options.set) {
            if !instances.by_name.keys().any(|name| set.is_for(name)) {
                let names: Vec<String> = instances
                    .by_name
                    .keys()
                    .map(|it| format!("`{it}`"))
                    .collect();
                return Err(wrong(format!("`{text}` is for no target of the file"))
                    .with_hint(format!("the file has {}", names.join(", "))));
            }
        }
        let mut plan = BakePlan::default();
        for name in names {
            let mut attributes = resolver.resolve(&name, &mut Vec::new())?;
            for set in &sets {
                set.apply(&name, &mut attributes);
            }
            let fields = Fields::read(&name, &attributes)?;
            let spec = fields.spec(&name, options, &mut plan.notes)?;
            plan.targets.push(BakeTarget {
                name,
                spec,
                attributes,
            });
        }
        Ok(plan)
    }
}

struct Resolver<'a> {
    file: &'a BakeFile,
    context: &'a Context<'static>,
    instances: &'a Instances<'a>,
}

impl Resolver<'_> {
    /// The targets that a name stands for, each once. `path` holds the groups on the way.
    fn expand(
        &self,
        name: &str,
        path: &mut Vec<String>,
        names: &mut Vec<String>,
    ) -> Result<(), ImageError> {
        enter(path, name)?;
        if let Some(group) = self.file.groups.get(name) {
            for (key, value) in group {
                match key.as_str() {
                    "targets" => {
                        for member in strings(name, key, &evaluate(name, value, self.context)?)? {
                            self.expand(&member, path, names)?;
                        }
                    }
                    "description" => {}
                    other => {
                        return Err(wrong(format!(
                            "the group `{name}` has no attribute `{other}`"
                        )));
                    }
                }
            }
        } else if let Some(members) = self.instances.groups.get(name) {
            for member in members {
                push(names, member);
            }
        } else if self.instances.by_name.contains_key(name) {
            push(names, name);
        } else {
            let known = self.file.names().join("`, `");
            return Err(wrong(format!("there is no group or target `{name}`"))
                .with_hint(format!("the file has `{known}`")));
        }
        path.pop();
        Ok(())
    }

    /// The attributes of a target, those that it inherits among them.
    fn resolve(
        &self,
        name: &str,
        path: &mut Vec<String>,
    ) -> Result<Map<String, Value>, ImageError> {
        let Some(instance) = self.instances.by_name.get(name) else {
            return Err(wrong(format!(
                "there is no target `{name}` to inherit from"
            )));
        };
        enter(path, name)?;
        let own_scope = scope(self.context, &instance.values);
        let mut attributes = Map::new();
        if let Some(parents) = instance.attributes.get("inherits") {
            let parents = evaluate(name, parents, &own_scope)?;
            for parent in strings(name, "inherits", &parents)? {
                fields::merge(&mut attributes, self.resolve(&parent, path)?);
            }
        }
        let mut own = Map::new();
        for (key, expression) in instance.attributes {
            if !matches!(key.as_str(), "inherits" | "matrix" | "name") {
                own.insert(key.clone(), evaluate(name, expression, &own_scope)?);
            }
        }
        fields::merge(&mut attributes, own);
        path.pop();
        Ok(attributes)
    }
}

fn evaluate(
    name: &str,
    expression: &hcl::Expression,
    context: &Context<'static>,
) -> Result<Value, ImageError> {
    let value = expression
        .evaluate(context)
        .map_err(|error| wrong(format!("`{name}`: {error}")))?;
    serde_json::to_value(&value).map_err(|error| wrong(format!("`{name}`: {error}")))
}

/// Notes that a name is on the way, and refuses one that is already.
fn enter(path: &mut Vec<String>, name: &str) -> Result<(), ImageError> {
    path.push(name.to_owned());
    let count = path.len();
    if path[..count - 1].iter().any(|before| before == name) {
        let way = path.join(" -> ");
        return Err(wrong(format!("a group or target is part of itself: {way}")));
    }
    Ok(())
}

fn push(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|before| before == name) {
        names.push(name.to_owned());
    }
}

fn strings(name: &str, key: &str, value: &Value) -> Result<Vec<String>, ImageError> {
    let trouble = || wrong(format!("`{key}` of `{name}` is no list of names"));
    let items = value.as_array().ok_or_else(trouble)?.iter();
    items
        .map(|item| item.as_str().map(str::to_owned).ok_or_else(trouble))
        .collect()
}
