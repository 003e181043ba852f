//! The client: one call, and as many as it takes.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::answer::{Answer, read};
use crate::job::Backoff;
use crate::outcome::Outcome;
use crate::session::Output;

/// The port of a step runner where nobody says another.
const PORT: u16 = 8080;
/// The longest an answer may be, in bytes: more than a log of a step, less than memory.
const LONGEST: usize = 16 << 20;
/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A step runner, and how patient to be with it. Cheap to clone.
///
/// ```
/// use std::time::Duration;
/// use ci_core::steps::step_runner::StepRunner;
///
/// let runner = StepRunner::new(":8080")?.budget(Duration::from_secs(60));
/// assert_eq!(runner.address(), "http://127.0.0.1:8080");
/// # Ok::<(), ci_core::steps::step_runner::StepRunnerError>(())
/// ```
#[derive(Debug, Clone)]
pub struct StepRunner {
    pub(super) address: String,
    client: reqwest::Client,
    reply_timeout: Duration,
    budget: Duration,
    attempts: u32,
    backoff: Backoff,
}

/// The address of a step runner cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{address}` is no address of a step runner: {why}")]
pub struct StepRunnerError {
    address: String,
    why: String,
}

/// What a step runner is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Ask {
    pub(super) step_name: String,
    pub(super) repo_path: String,
    pub(super) commit_hash: String,
}

/// What became of asking.
#[derive(Debug)]
pub(super) struct Asked {
    /// How the step ended, and what it printed; or why nobody knows.
    pub(super) result: Result<(Outcome, Option<String>), String>,
    /// How many times the runner was asked.
    pub(super) tries: u32,
}

impl StepRunner {
    /// A step runner at `address`: `:8080` for one of this machine, `host:port`, or a URL with the
    /// scheme `http`.
    pub fn new(address: &str) -> Result<Self, StepRunnerError> {
        let wrong = |why: String| StepRunnerError {
            address: address.to_owned(),
            why,
        };
        let rest = address.strip_prefix("http://").unwrap_or(address);
        let rest = rest.trim_end_matches('/');
        if rest.contains("://") {
            return Err(wrong("its scheme has to be `http`".into()));
        }
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of a bare IPv6 address are none before a port.
            Some((host, port)) if !port.contains(']') => {
                let number = port.parse::<u16>();
                (
                    host,
                    number.map_err(|_| wrong(format!("`{port}` is no port")))?,
                )
            }
            _ => (rest, PORT),
        };
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        let address = format!("http://{host}:{port}");
        let client = crate::http::client()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            // A connection that was kept is dead after a restart of the runner.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| wrong(crate::error::chain(&error)))?;
        let url = reqwest::Url::parse(&address);
        url.map_err(|error| wrong(error.to_string()))?;
        let mut backoff = Backoff::exponential(Duration::from_millis(100)).jitter(0.5);
        backoff.limit = Duration::from_secs(5);
        Ok(Self {
            address,
            client,
            reply_timeout: Duration::from_mins(10),
            budget: Duration::from_mins(30),
            attempts: 20,
            backoff,
        })
    }

    /// How long one call may take before it counts as hung. Ten minutes by default.
    #[must_use]
    pub fn reply_timeout(mut self, limit: Duration) -> Self {
        self.reply_timeout = limit;
        self
    }

    /// How long all calls for one step may take together, pauses included. Half an hour by default.
    #[must_use]
    pub fn budget(mut self, limit: Duration) -> Self {
        self.budget = limit;
        self
    }

    /// How many times a step may be asked for and come to nothing because the runner broke. Twenty by
    /// default. That nobody is there, or that another step is in the way, does not count: the
    /// [budget](Self::budget) ends that.
    #[must_use]
    pub fn attempts(mut self, most: u32) -> Self {
        self.attempts = most.max(1);
        self
    }

    /// The pause between calls. From a tenth of a second to five seconds by default.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Where it is, as a URL.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks until there is an answer that decides, or the patience ends. The log is told what went
    /// wrong.
    pub(super) async fn ask(&self, ask: &Ask, log: &Output) -> Asked {
        let end = Instant::now() + self.budget;
        let (mut tries, mut broken) = (0, 0);
        loop {
            tries += 1;
            let left = end.saturating_duration_since(Instant::now());
            let called = self.call(ask, self.reply_timeout.min(left)).await;
            let (why, pause) = match called {
                Answer::Ended(outcome, output) => {
                    let result = Ok((outcome, output));
                    return Asked { result, tries };
                }
                Answer::Refused(why) => {
                    let result = Err(why);
                    return Asked { result, tries };
                }
                Answer::Busy(why, pause) => (why, pause),
                Answer::Broke(why) => {
                    broken += 1;
                    (why, None)
                }
            };
            let pause = pause.unwrap_or_else(|| self.backoff.delay(tries, random()));
            let left = end.saturating_duration_since(Instant::now());
            if broken >= self.attempts || pause >= left {
                let result = Err(why);
                return Asked { result, tries };
            }
            log.say(format!("asking again: {why}")).await;
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks once.
    async fn call(&self, ask: &Ask, limit: Duration) -> Answer {
        let body = match serde_json::to_vec(ask) {
            Ok(body) => body,
            Err(error) => return Answer::Refused(error.to_string()),
        };
        let request = self
            .client
            .post(format!("{}/step/trigger", self.address))
            .header("content-type", "application/json")
            .body(body);
        match tokio::time::timeout(limit, answer(request)).await {
            Ok(answer) => answer,
            Err(_) => Answer::Broke(format!(
                "no answer within {}",
                crate::units::format_duration(limit)
            )),
        }
    }
}

/// A number from 0 to 1 that differs between clients, so that they do not all ask at once.
fn random() -> f64 {
    let bits = uuid::Uuid::now_v7().as_u128();
    f64::from(u16::try_from(bits & 0xffff).unwrap_or(0)) / f64::from(u16::MAX)
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let broke = |error: reqwest::Error| {
        let why = crate::error::chain(&error.without_url());
        Answer::Broke(format!("the connection broke: {why}"))
    };
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => {
            let why = crate::error::chain(&error.without_url());
            return Answer::Busy(format!("it cannot be reached: {why}"), None);
        }
        Err(error) => return broke(error),
    };
    let status = response.status().as_u16();
    let header = response.headers().get("retry-after");
    let seconds = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let retry_after = seconds.map(Duration::from_secs);
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LONGEST => {
                return Answer::Refused(format!("its answer is longer than {LONGEST} bytes"));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return read(status, &body, retry_after),
            Err(error) => return broke(error),
        }
    }
}
