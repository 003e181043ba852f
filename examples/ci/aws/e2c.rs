//! `ci e2c`: one machine of EC2 over several commands, each in a shell of its own.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Arc;

use ci_aws::e2c::{BuildRequest, E2c, Variables};
use ci_aws::ec2::{Access, SdkEc2};
use ci_core::clock::Clock;
use ci_core::session::{ExitStatus, LogSink, Output, OutputChunk, OutputOptions, Stream};
use tokio_util::sync::CancellationToken;

use super::args::{E2cArgs, E2cCommand};
use crate::args::{Format, Global};
use crate::commands::image::interrupts;
use crate::failure::{Failure, INTERRUPTED, WORKFLOW};
use crate::output;

/// Does what was typed.
pub(crate) async fn e2c(global: &Global, command: E2cCommand) -> Result<u8, Failure> {
    let (E2cCommand::Setup(args)
    | E2cCommand::Build { job: args, .. }
    | E2cCommand::Cleanup(args)
    | E2cCommand::Teardown(args)) = &command;
    let cancel = interrupts();
    let e2c = manager(args, &cancel)?;
    let done = run(global, &e2c, &command).await;
    if cancel.is_cancelled() {
        if let Err(failure) = &done {
            output::error(failure);
        }
        return Ok(INTERRUPTED);
    }
    done
}

fn manager(args: &E2cArgs, cancel: &CancellationToken) -> Result<E2c, Failure> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let variables = Variables::read(&environment)?;
    let options = OutputOptions::new(Arc::new(variables.secrets()), Clock::system());
    Ok(E2c::new(
        Arc::new(SdkEc2::new(Access::default())),
        variables,
        &args.project,
        Output::new(&options, Box::new(Terminal)),
        cancel.clone(),
    ))
}

async fn run(global: &Global, e2c: &E2c, command: &E2cCommand) -> Result<u8, Failure> {
    match command {
        E2cCommand::Setup(_) => {
            let state = e2c.setup().await?;
            if global.format == Format::Json {
                output::json(&serde_json::json!({
                    "instance": state.instance,
                    "address": state.address,
                    "strategy": state.strategy.as_str(),
                }))?;
            }
        }
        E2cCommand::Build {
            platform,
            target,
            bake_file,
            ..
        } => {
            let request = BuildRequest::new(platform, target, bake_file);
            let status = e2c.build(&request).await?;
            if !status.success() {
                let how = match status {
                    ExitStatus::Code(code) => format!("with the exit code `{code}`"),
                    ExitStatus::Signal(signal) => format!("by the signal `{signal}`"),
                    _ => "before its end".to_owned(),
                };
                output::say(format!("error: the build ended {how}"));
                return Ok(WORKFLOW);
            }
        }
        E2cCommand::Cleanup(_) => e2c.cleanup().await?,
        E2cCommand::Teardown(_) => {
            let given = e2c.teardown().await?;
            if global.format == Format::Json {
                output::json(&serde_json::json!({ "given_back": given }))?;
            }
        }
    }
    Ok(0)
}

/// Both outputs of the machine go where they would go here; what there is to say goes to the second.
#[derive(Debug)]
struct Terminal;

impl LogSink for Terminal {
    fn write(&mut self, chunk: &OutputChunk) -> io::Result<()> {
        let written = match chunk.stream {
            Stream::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(&chunk.bytes).and_then(|()| out.flush())
            }
            _ => io::stderr().lock().write_all(&chunk.bytes),
        };
        match written {
            // Whoever read may have gone away; the machine's work goes on.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}
