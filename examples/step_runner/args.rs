//! What can be typed.

use std::time::Duration;

use clap::Parser;

/// Run the steps `lint`, `build` and `test` for a CI server, and break on purpose.
#[derive(Debug, Clone, Parser)]
#[command(name = "step_runner", version, max_term_width = 100)]
pub(crate) struct Args {
    /// Where to listen; without a host, on every address of this machine
    #[arg(
        long,
        env = "STEP_RUNNER_SERVER_ADDR",
        default_value = ":8080",
        value_name = "[HOST]:PORT"
    )]
    pub(crate) addr: String,
    /// How often `build` and `test` fail, from 0 to 1: a commit that failed fails again
    #[arg(long, env = "STEP_RUNNER_FAIL_RATE", default_value_t = 0.2, value_parser = rate)]
    pub(crate) fail_rate: f64,
    /// How often `test` crashes the server
    #[arg(long, env = "STEP_RUNNER_CRASH_RATE", default_value_t = 0.05, value_parser = rate)]
    pub(crate) crash_rate: f64,
    /// How often a call is never answered
    #[arg(long, env = "STEP_RUNNER_HANG_RATE", default_value_t = 0.02, value_parser = rate)]
    pub(crate) hang_rate: f64,
    /// How often a connection is dropped without an answer
    #[arg(long, env = "STEP_RUNNER_DROP_RATE", default_value_t = 0.05, value_parser = rate)]
    pub(crate) drop_rate: f64,
    /// How often the server answers with an error of its own
    #[arg(long, env = "STEP_RUNNER_ERROR_RATE", default_value_t = 0.05, value_parser = rate)]
    pub(crate) error_rate: f64,
    /// The longest a step plays, in milliseconds
    #[arg(
        long,
        env = "STEP_RUNNER_MAX_MS",
        default_value_t = 500,
        value_name = "MS"
    )]
    pub(crate) max_ms: u64,
    /// Makes the breaking repeat itself [default: another one at each start]
    #[arg(long, env = "STEP_RUNNER_SEED", value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Chooses the commits that fail
    #[arg(
        long,
        env = "STEP_RUNNER_VERDICTS",
        default_value_t = 0,
        value_name = "N"
    )]
    pub(crate) verdicts: u64,
    /// Run real commands, with nothing broken on purpose
    #[arg(long, env = "STEP_RUNNER_EXEC")]
    pub(crate) exec: bool,
    /// The command of `lint`, with `--exec`
    #[arg(
        long,
        env = "STEP_RUNNER_LINT",
        default_value = "make lint",
        value_name = "COMMAND"
    )]
    pub(crate) lint: String,
    /// The command of `build`, with `--exec`
    #[arg(
        long,
        env = "STEP_RUNNER_BUILD",
        default_value = "make build",
        value_name = "COMMAND"
    )]
    pub(crate) build: String,
    /// The command of `test`, with `--exec`
    #[arg(
        long,
        env = "STEP_RUNNER_TEST",
        default_value = "make test",
        value_name = "COMMAND"
    )]
    pub(crate) test: String,
    /// The longest a command may take, with `--exec`
    #[arg(long, env = "STEP_RUNNER_TIMEOUT", default_value = "30m", value_parser = duration, value_name = "TIME")]
    pub(crate) timeout: Duration,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.0..=1.0).contains(&rate) {
        Ok(rate)
    } else {
        Err(format!("`{text}` is not between 0 and 1"))
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    ci_core::units::parse_duration(text).map_err(|error| error.to_string())
}
