//! The step that waits until a service answers.

use std::time::Duration;

use async_trait::async_trait;
use tokio::net::TcpStream;

use crate::outcome::{CancelReason, Outcome};
use crate::session::{Command, ExecIo, ExitStatus, Output};
use crate::step::{Step, StepContext, StepError, WaitProbe, WaitSpec};

/// The longest a single try may take, if the deadline allows it.
const TRY_LIMIT: Duration = Duration::from_secs(10);

/// Waits until a service answers.
///
/// TCP and HTTP are tried from this machine where the job runs on it, else by a script in the job's
/// session, with `nc` or `bash` for TCP and `curl` or `wget` for HTTP.
#[derive(Debug, Clone)]
pub(crate) struct WaitForService(pub(crate) WaitSpec);

#[async_trait]
impl Step for WaitForService {
    fn name(&self) -> &'static str {
        "wait for"
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        let clock = cx.clock();
        let end = clock.elapsed() + self.0.deadline;
        let here = cx.session().await?.info().host_work_dir.is_some();
        let mut count = 0u32;
        loop {
            count += 1;
            let left = end.saturating_sub(clock.elapsed());
            let limit = TRY_LIMIT.min(left.max(Duration::from_millis(1)));
            let tried = tokio::select! {
                tried = tokio::time::timeout(limit, self.probe(cx, here)) => tried,
                () = cx.cancellation().cancelled() => {
                    return Ok(Outcome::Canceled(CancelReason::Requested));
                }
            };
            let problem = match tried {
                Ok(Ok(())) => {
                    cx.say(format!("{} answers (try {count})", self.target()))
                        .await;
                    return Ok(Outcome::Success);
                }
                Ok(Err(Problem::Broken(error))) => return Err(error),
                Ok(Err(Problem::NotYet(why))) => why,
                Err(_) => format!("no answer within {} s", limit.as_secs_f64()),
            };
            if clock.elapsed() + self.0.interval >= end {
                let waited = self.0.deadline.as_secs_f64();
                return Ok(Outcome::failed(format!(
                    "{} did not answer within {waited} s ({count} tries, the last: {problem})",
                    self.target()
                )));
            }
            tokio::select! {
                () = clock.sleep(self.0.interval) => {}
                () = cx.cancellation().cancelled() => {}
            }
        }
    }
}

/// Why a try failed.
enum Problem {
    /// The service does not answer yet.
    NotYet(String),
    /// Trying itself is not possible.
    Broken(StepError),
}

impl WaitForService {
    fn target(&self) -> String {
        match &self.0.probe {
            WaitProbe::Tcp(address) => format!("`{address}`"),
            WaitProbe::Http(url) => format!("`{url}`"),
            WaitProbe::Command(script) => format!("`{}`", script.trim()),
        }
    }

    async fn probe(&self, cx: &StepContext, here: bool) -> Result<(), Problem> {
        match &self.0.probe {
            WaitProbe::Tcp(address) if here => match TcpStream::connect(address.as_str()).await {
                Ok(_) => Ok(()),
                Err(error) => Err(Problem::NotYet(error.to_string())),
            },
            WaitProbe::Http(url) if here => http(url).await,
            WaitProbe::Tcp(address) => script(cx, &tcp_script(address)).await,
            WaitProbe::Http(url) => script(cx, &http_script(url)).await,
            WaitProbe::Command(text) => script(cx, text).await,
        }
    }
}

#[cfg(feature = "http")]
async fn http(url: &str) -> Result<(), Problem> {
    use std::sync::LazyLock;
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);
    if url.starts_with("https:") {
        let message = format!("`{url}`: health checks over TLS are not built in; use a `command`");
        return Err(Problem::Broken(StepError::new(message)));
    }
    match CLIENT.get(url).send().await {
        Ok(response) if response.status().as_u16() < 400 => Ok(()),
        Ok(response) => Err(Problem::NotYet(format!(
            "status {}",
            response.status().as_u16()
        ))),
        Err(error) => Err(Problem::NotYet(crate::error::chain(&error))),
    }
}

#[cfg(not(feature = "http"))]
#[expect(
    clippy::unused_async,
    reason = "the same signature as with the feature"
)]
async fn http(url: &str) -> Result<(), Problem> {
    let message = format!("`{url}`: a health check over HTTP needs the feature `http` of ci-core");
    Err(Problem::Broken(StepError::new(message)))
}

/// A word that a shell reads as it stands.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn tcp_script(address: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let (host, port) = (quoted(host), quoted(port));
    format!(
        "if command -v nc >/dev/null; then nc -z {host} {port}; \
         else bash -c 'exec 3<>/dev/tcp/$0/$1' {host} {port}; fi"
    )
}

fn http_script(url: &str) -> String {
    let url = quoted(url);
    format!(
        "if command -v curl >/dev/null; then curl -fsS -o /dev/null {url}; \
         else wget -q -O /dev/null {url}; fi"
    )
}

/// Runs a script in the session, its output unread: what it says until the service answers is noise.
async fn script(cx: &StepContext, text: &str) -> Result<(), Problem> {
    let session = cx.session().await.map_err(Problem::Broken)?;
    let mut command = Command::sh(text);
    command.env.extend(
        cx.env()
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    // Canceled when this try is given up.
    let cancel = cx.cancellation().child_token();
    let guard = cancel.clone().drop_guard();
    let status = session
        .exec(&command, ExecIo::new(Output::discard(), cancel))
        .await;
    drop(guard);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(ExitStatus::Code(code)) => Err(Problem::NotYet(format!("exit code {code}"))),
        Ok(status) => Err(Problem::NotYet(format!("{status:?}"))),
        Err(error) => Err(Problem::Broken(error.into())),
    }
}
