//! The values of variables: from the environment, else their defaults, which may name each other.

use hcl::eval::{Context, Evaluate};
use hcl::{Identifier, Value};

use super::file::{BakeFile, wrong};
use super::functions;
use crate::image::ImageError;

/// Everything that expressions may name.
pub(super) fn context(
    file: &BakeFile,
    env: &[(String, String)],
) -> Result<Context<'static>, ImageError> {
    let mut context = Context::new();
    functions::declare(&mut context);
    // What `docker buildx bake` sets on its own.
    let platform = format!("linux/{}", architecture());
    declare(&mut context, "BAKE_LOCAL_PLATFORM", Value::from(platform));
    declare(&mut context, "BAKE_CMD_CONTEXT", Value::from("."));
    let mut open: Vec<&String> = file.variables.keys().collect();
    // A default may name variables that are declared after it: as long as one more can be told, there
    // is another round.
    while !open.is_empty() {
        let mut left = Vec::new();
        let mut trouble = None;
        let count = open.len();
        for name in open {
            match value(file, name, env, &context) {
                Ok(value) => declare(&mut context, name, value),
                Err(why) => {
                    left.push(name);
                    trouble.get_or_insert((name, why));
                }
            }
        }
        if let (Some((name, why)), true) = (trouble, left.len() == count) {
            return Err(wrong(format!("the variable `{name}`: {why}")));
        }
        open = left;
    }
    validate(file, &context)?;
    Ok(context)
}

pub(super) fn declare(context: &mut Context<'static>, name: &str, value: Value) {
    context.declare_var(Identifier::sanitized(name), value);
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn value(
    file: &BakeFile,
    name: &str,
    env: &[(String, String)],
    context: &Context<'static>,
) -> Result<Value, String> {
    let variable = file.variables.get(name).ok_or("it is not declared")?;
    let default = match &variable.default {
        Some(default) => default
            .evaluate(context)
            .map_err(|error| error.to_string())?,
        None => Value::Null,
    };
    let given = env.iter().rev().find(|(key, _)| key == name);
    let Some((_, text)) = given.filter(|_| variable.is_open) else {
        // As an empty text it can stand in every tag.
        return Ok(if default.is_null() {
            Value::from("")
        } else {
            default
        });
    };
    typed(text, &default)
}

/// A value of the environment, of the type that the default has.
fn typed(text: &str, default: &Value) -> Result<Value, String> {
    let wrong = |what: &str| format!("`{text}` of the environment is no {what}");
    match default {
        Value::Bool(_) => match text.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" => Ok(Value::from(true)),
            "0" | "f" | "false" | "" => Ok(Value::from(false)),
            _ => Err(wrong("truth value")),
        },
        Value::Number(_) => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => Ok(Value::from(number)),
            (_, Ok(number)) if number.is_finite() => Ok(Value::from(number)),
            _ => Err(wrong("number")),
        },
        Value::Array(_) => Ok(text
            .split(',')
            .filter(|word| !word.is_empty())
            .map(Value::from)
            .collect()),
        Value::Object(_) => serde_json::from_str(text).map_err(|_| wrong("object in JSON")),
        Value::Null | Value::String(_) => Ok(Value::from(text)),
    }
}

fn validate(file: &BakeFile, context: &Context<'static>) -> Result<(), ImageError> {
    for (name, variable) in &file.variables {
        for (condition, said) in &variable.validations {
            let evaluate = |expression: &hcl::Expression| {
                expression
                    .evaluate(context)
                    .map_err(|error| wrong(format!("the validation of `{name}`: {error}")))
            };
            if evaluate(condition)?.as_bool() == Some(true) {
                continue;
            }
            let said = said.as_ref().map(evaluate).transpose()?;
            let said = said
                .as_ref()
                .and_then(Value::as_str)
                .unwrap_or("a validation fails");
            return Err(wrong(format!("the variable `{name}`: {said}")));
        }
    }
    Ok(())
}
