//! A step runner: a server that runs `lint`, `build` and `test` on commits, and breaks on purpose.
//!
//! ```text
//! cargo run -p ci-examples --bin step_runner
//! curl -X POST http://localhost:8080/step/trigger -H 'Content-Type: application/json' \
//!      -d '{"step_name": "lint", "repo_path": "/path/to/repo", "commit_hash": "1234567890"}'
//! ```
//!
//! `ci_core::steps::step_runner` documents the protocol. By default it only plays: `build` and `test`
//! fail for some commits, `test` crashes the server at times, and any call may hang, break or be
//! dropped. With `--exec` it runs real commands on the files of the commit.

mod args;
mod chaos;
mod exec;
mod serve;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let served = runtime.and_then(|runtime| runtime.block_on(serve::serve(args)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            serve::say(&format!("error: {error}"));
            ExitCode::from(3)
        }
    }
}
