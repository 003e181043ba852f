//! What a setup workflow asks for: the configuration that its pipeline goes on with
//! (<https://circleci.com/docs/guides/orchestrate/dynamic-config/>).
//!
//! A job of a setup workflow posts it to the vendor's address. The lowered job puts a `curl` in front
//! of the real one that takes this one request, and keeps it as the artifact
//! [`Continuation::ARTIFACT`]: so it is there whatever executor ran the job, and after a crash.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::compile::{CompileOptions, Compiled, compile};
use super::parameters::declared;
use crate::yaml::load;
use crate::yaml::problem::{ConfigError, Problem, Problems};

/// The configuration that a pipeline goes on with, and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Continuation {
    /// The text of the configuration.
    pub configuration: String,
    /// The arguments of its parameters, as they would be typed.
    pub parameters: BTreeMap<String, String>,
}

/// The body of the request.
#[derive(Deserialize)]
struct Request {
    configuration: String,
    #[serde(default)]
    parameters: Option<BTreeMap<String, serde_json::Value>>,
}

impl Continuation {
    /// The artifact of a job of a setup workflow that holds its request.
    pub const ARTIFACT: &'static str = "continuation.json";

    /// Reads the body of a request.
    ///
    /// # Errors
    /// If it is no JSON with a text `configuration`, or a parameter is neither text, number nor
    /// boolean.
    ///
    /// ```
    /// use ci_core::config::circleci::Continuation;
    ///
    /// let body = br#"{"continuation-key": "k", "configuration": "version: 2.1", "parameters": {"n": 3}}"#;
    /// let continuation = Continuation::parse(body)?;
    /// assert_eq!(continuation.parameters["n"], "3");
    /// # Ok::<(), ci_core::config::problem::ConfigError>(())
    /// ```
    pub fn parse(body: &[u8]) -> Result<Self, ConfigError> {
        let wrong = |message: String| Problem::of_file("continuation", message);
        let request: Request = serde_json::from_slice(body)
            .map_err(|error| wrong(format!("the request is wrong: {error}")))?;
        let mut parameters = BTreeMap::new();
        for (name, value) in request.parameters.unwrap_or_default() {
            let text = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Bool(_) | serde_json::Value::Number(_) => value.to_string(),
                _ => {
                    let message =
                        format!("the parameter `{name}` is neither text, number nor boolean");
                    return Err(wrong(message).into());
                }
            };
            parameters.insert(name, text);
        }
        Ok(Self {
            configuration: request.configuration,
            parameters,
        })
    }

    /// Compiles the configuration with `options`, those of the setup: of the arguments given there,
    /// those that it declares count as well. `file` is the configuration's name for people.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration; that it is a setup itself; that it and the
    /// pipeline both give a parameter.
    pub fn compile(&self, file: &str, options: &CompileOptions) -> Result<Compiled, ConfigError> {
        let mut options = options.clone();
        let given = std::mem::take(&mut options.pipeline.parameters);
        let mut problems = Problems::new();
        let declared = load(&self.configuration, file, &mut Problems::new())
            .ok()
            .and_then(|documents| documents.into_iter().next())
            .map(|document| declared(&document, &mut Problems::new()))
            .unwrap_or_default();
        for (name, text) in given {
            if self.parameters.contains_key(&name) {
                let message = format!("conflicting pipeline parameters: `{name}` is given twice");
                let hint = "give it on the command line or in the continuation, not both";
                problems.push(Problem::of_file(file, message).hint(hint));
            } else if declared.iter().any(|(known, _)| **known == *name) {
                options.pipeline.parameters.insert(name, text);
            }
        }
        problems.finish()?;
        let own = self.parameters.clone();
        options.pipeline.parameters.extend(own);
        let compiled = compile(&self.configuration, file, &options)?;
        if compiled.is_setup() {
            let message = "a continuation cannot be a setup itself";
            let problem = Problem::error(&compiled.config.mark, message);
            return Err(problem.hint("remove `setup: true` from it").into());
        }
        Ok(compiled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
version: 2.1
parameters:
  run-it: {type: boolean, default: false}
  who: {type: string, default: world}
jobs:
  one: {docker: [{image: a}], steps: [run: echo << pipeline.parameters.who >>]}
workflows:
  main: {when: << pipeline.parameters.run-it >>, jobs: [one]}
";

    fn body(configuration: &str, parameters: &serde_json::Value) -> Vec<u8> {
        let body = serde_json::json!({
            "continuation-key": "k", "configuration": configuration, "parameters": parameters,
        });
        body.to_string().into_bytes()
    }

    fn options(parameters: &[(&str, &str)]) -> CompileOptions {
        let mut options = CompileOptions::default();
        for (name, value) in parameters {
            let parameters = &mut options.pipeline.parameters;
            parameters.insert((*name).to_owned(), (*value).to_owned());
        }
        options
    }

    #[test]
    fn parameters_of_both_sides_count() {
        let body = body(CONFIG, &serde_json::json!({"run-it": true}));
        let continuation = Continuation::parse(&body).unwrap();
        // The setup may declare parameters that the continuation does not.
        let options = options(&[("who", "moon"), ("only-of-setup", "1")]);
        let compiled = continuation.compile("c.yml", &options).unwrap();
        assert_eq!(compiled.workflows(), ["main".into()]);
        let text = serde_json::to_string(&compiled.config).unwrap();
        assert!(text.contains("echo moon"), "{text}");
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (body, options, expected) in [
            (b"{".to_vec(), &[][..], "the request is wrong"),
            (
                body(CONFIG, &serde_json::json!({"who": []})),
                &[],
                "`who` is neither text, number nor boolean",
            ),
            (
                body(CONFIG, &serde_json::json!({"who": "a"})),
                &[("who", "b")],
                "conflicting pipeline parameters: `who`",
            ),
            (
                body(CONFIG, &serde_json::json!({"woh": "a"})),
                &[],
                "the pipeline has no parameter `woh`",
            ),
            (
                body(
                    &CONFIG.replace("jobs:\n  one", "setup: true\njobs:\n  one"),
                    &serde_json::json!({}),
                ),
                &[],
                "cannot be a setup itself",
            ),
        ] {
            let options = self::options(options);
            let done = Continuation::parse(&body).and_then(|it| it.compile("c.yml", &options));
            let told = done.unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
    }
}
