//! A pipeline as a whole: what holds for all stages, and the stages in their order.

use super::parser::Statement;
use super::stages::{Around, Stages};
use super::steps;
use crate::config::import::pipeline::Pipeline;
use crate::yaml::problem::{ConfigError, Problem};

/// Converts the block of `pipeline`.
pub(super) fn pipeline(block: &Statement, file: &str) -> Result<Pipeline, ConfigError> {
    let mut pipeline = Pipeline {
        name: "jenkins".into(),
        ..Pipeline::default()
    };
    let mut around = Around::default();
    let mut stages = None;
    for part in block.children() {
        match &*part.name {
            "agent" => around.agent(part, &mut pipeline),
            "environment" => pipeline.env = steps::environment(part, &mut pipeline),
            "stages" => stages = Some(part),
            "post" => around.post = Some(part.clone()),
            "tools" => {
                for tool in part.children() {
                    pipeline.note(
                        &tool.mark,
                        format!("the tool `{}`", tool.words),
                        "use an image that has it",
                    );
                }
            }
            "options" => around.options(part, &mut pipeline),
            "triggers" | "parameters" => {
                for one in part.children() {
                    let hint = if part.name == "triggers" {
                        "schedules are set up in the project's settings, or with `ci watch` in `.ci/triggers.yml`"
                    } else {
                        "parameters are variables of the same name: `ci run --var NAME=VALUE`"
                    };
                    pipeline.note(&one.mark, format!("`{}`", one.words), hint);
                }
            }
            _ => pipeline.note(
                &part.mark,
                format!("`{}`", part.words),
                "nothing of CircleCI or GitLab is the same",
            ),
        }
    }
    let Some(stages) = stages else {
        return Err(Problem::error(
            &block.mark,
            format!("the pipeline of `{file}` has no `stages`"),
        )
        .into());
    };
    Stages::default().add(stages, &around, &mut pipeline);
    if pipeline.jobs.is_empty() {
        return Err(Problem::error(&stages.mark, "the pipeline has no stage with steps").into());
    }
    Ok(pipeline)
}
