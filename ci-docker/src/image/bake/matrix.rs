//! Targets with a matrix, one for each combination of its values.

use hcl::eval::{Context, Evaluate};
use hcl::{Expression, Value};
use indexmap::IndexMap;

use super::file::{Attributes, BakeFile, wrong};
use super::variables::declare;
use crate::image::ImageError;

/// How many combinations a matrix may have.
const LIMIT: usize = 1000;

/// A target of a file with the values of its matrix.
#[derive(Debug)]
pub(super) struct Instance<'a> {
    pub(super) attributes: &'a Attributes,
    pub(super) values: Vec<(String, Value)>,
}

/// All targets that can be built, and the names that stand for several of them.
#[derive(Debug, Default)]
pub(super) struct Instances<'a> {
    pub(super) by_name: IndexMap<String, Instance<'a>>,
    pub(super) groups: IndexMap<String, Vec<String>>,
}

pub(super) fn instances<'a>(
    file: &'a BakeFile,
    context: &Context<'static>,
) -> Result<Instances<'a>, ImageError> {
    let mut instances = Instances::default();
    for (name, attributes) in &file.targets {
        let Some(matrix) = attributes.get("matrix") else {
            let values = Vec::new();
            instances.add(name.clone(), Instance { attributes, values })?;
            continue;
        };
        let Some(pattern) = attributes.get("name") else {
            return Err(wrong(format!(
                "the target `{name}` has a matrix and no `name`"
            )));
        };
        let mut names = Vec::new();
        for values in combinations(name, matrix, context)? {
            let own = scope(context, &values);
            let own = text(name, pattern, &own)?;
            instances.add(own.clone(), Instance { attributes, values })?;
            names.push(own);
        }
        instances.groups.insert(name.clone(), names);
    }
    Ok(instances)
}

impl<'a> Instances<'a> {
    fn add(&mut self, name: String, instance: Instance<'a>) -> Result<(), ImageError> {
        if self.by_name.contains_key(&name) {
            return Err(wrong(format!("there are two targets `{name}`")));
        }
        self.by_name.insert(name, instance);
        Ok(())
    }
}

/// What expressions of an instance may name.
pub(super) fn scope(context: &Context<'static>, values: &[(String, Value)]) -> Context<'static> {
    let mut own = context.clone();
    for (key, value) in values {
        declare(&mut own, key, value.clone());
    }
    own
}

fn text(
    target: &str,
    pattern: &Expression,
    context: &Context<'static>,
) -> Result<String, ImageError> {
    let trouble = |why: String| wrong(format!("the name of the target `{target}`: {why}"));
    match pattern.evaluate(context) {
        Ok(Value::String(name)) if !name.is_empty() => Ok(name),
        Ok(_) => Err(trouble("it is no text".to_owned())),
        Err(error) => Err(trouble(error.to_string())),
    }
}

/// Every combination, the last key changing first.
fn combinations(
    target: &str,
    matrix: &Expression,
    context: &Context<'static>,
) -> Result<Vec<Vec<(String, Value)>>, ImageError> {
    let trouble = |why: &str| wrong(format!("the matrix of the target `{target}`: {why}"));
    let matrix = matrix
        .evaluate(context)
        .map_err(|error| trouble(&error.to_string()))?;
    let Value::Object(axes) = matrix else {
        return Err(trouble("it is no object"));
    };
    let mut rows: Vec<Vec<(String, Value)>> = vec![Vec::new()];
    for (key, values) in axes {
        let Value::Array(values) = values else {
            return Err(trouble(&format!("`{key}` is no list")));
        };
        if rows.len().saturating_mul(values.len()) > LIMIT {
            return Err(trouble("it has more than 1000 combinations"));
        }
        let longer = rows.iter().flat_map(|row| {
            values.iter().map(|value| {
                let mut row = row.clone();
                row.push((key.clone(), value.clone()));
                row
            })
        });
        rows = longer.collect();
    }
    Ok(rows)
}
