//! The connection of one session, and the lease that is held through it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::{Client, boot_text, errors, feed};
use super::error::{SshError, SshErrorKind};

/// What a guard says of its machine once the session's directories are there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The session's directory.
    pub(super) dir: String,
    /// The home of the user.
    pub(super) home: String,
    /// As `uname -s` gives it.
    pub(super) system: String,
    /// As `uname -m` gives it.
    pub(super) machine: String,
}

/// What a guard has to know.
#[derive(Debug)]
pub(super) struct Orders<'a> {
    pub(super) root: &'a str,
    pub(super) run: &'a str,
    pub(super) session: &'a str,
    pub(super) grace: Duration,
    pub(super) lease: Duration,
}

/// A guard that runs.
#[derive(Debug)]
pub(super) struct Guard {
    /// Canceled when the link is gone, whether that was wanted or not.
    pub(super) lost: CancellationToken,
    bye: CancellationToken,
    task: Mutex<Option<JoinHandle<Farewell>>>,
}

/// What a guard said last: the processes that it could not end; none if the link broke first.
type Farewell = Option<String>;

impl Guard {
    /// Connects, and waits until the session's directories are there. When `cancel` is canceled it
    /// leaves nothing behind and gives `None`.
    pub(super) async fn start(
        client: &Client,
        orders: &Orders<'_>,
        cancel: &CancellationToken,
    ) -> Result<Option<(Self, Place)>, SshError> {
        let mut child = client.master()?;
        let text = boot_text(&[
            ("mode", "guard"),
            ("root", orders.root),
            ("run", orders.run),
            ("session", orders.session),
            ("grace", &seconds(orders.grace)),
            ("lease", &seconds(orders.lease)),
        ]);
        let stdout = child.stdout.take();
        let mut lines = BufReader::new(stdout.ok_or_else(no_pipe)?).lines();
        let ready = async {
            feed(&mut child, &text).await;
            greeting(&mut lines).await
        };
        let greeting = tokio::select! {
            biased;
            greeting = ready => Some(greeting),
            () = cancel.cancelled() => None,
        };
        let Some(greeting) = greeting else {
            // The end of its input ends the guard, and it removes what it has made.
            drop(child.stdin.take());
            let all = orders.grace + Duration::from_secs(10);
            let _ = tokio::time::timeout(all, child.wait()).await;
            return Ok(None);
        };
        let Some(place) = greeting else {
            let said = errors(&mut child).await;
            let _ = child.wait().await;
            return Err(SshError::no_connection(client.destination(), &said));
        };
        let place = place?;
        let stdin = child.stdin.take().ok_or_else(no_pipe)?;
        let (lost, bye) = (CancellationToken::new(), CancellationToken::new());
        let watch = Watch {
            child,
            stdin,
            lines,
            bye: bye.clone(),
            lost: lost.clone(),
        };
        let beat = orders.lease / 4;
        let task = tokio::spawn(watch.run(beat));
        let task = Mutex::new(Some(task));
        Ok(Some((Self { lost, bye, task }, place)))
    }

    /// Ends the session: the guard ends its processes and removes its directories. Gives what it could
    /// not end.
    pub(super) async fn end(&self, client: &Client, most: Duration) -> Result<String, SshError> {
        let task = {
            let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            task.take()
        };
        let Some(mut task) = task else {
            return Ok(String::new());
        };
        self.bye.cancel();
        match tokio::time::timeout(most, &mut task).await {
            Ok(Ok(Some(left))) => Ok(left),
            Ok(_) => Err(SshError::lost(client.destination())),
            Err(_) => {
                // Dropping the connection is the last that can be done from here; the guard does the
                // rest when it notices.
                task.abort();
                Err(SshError::lost(client.destination()))
            }
        }
    }
}

/// Reads what the guard says first. `None` if it says nothing.
async fn greeting(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<Result<Place, SshError>> {
    // What a user's start-up files print comes before.
    loop {
        let line = lines.next_line().await.ok()??;
        if let Some(root) = line.strip_prefix("refused ") {
            let text = format!("`{root}` on the machine is not a directory of this user alone");
            return Some(Err(SshError::new(SshErrorKind::Machine, text)));
        }
        if let Some(dir) = line.strip_prefix("full ") {
            let text = format!("`{dir}` on the machine could not be written: is its disk full?");
            return Some(Err(SshError::new(SshErrorKind::Machine, text)));
        }
        if line == "ready" {
            break;
        }
    }
    let mut next = async || lines.next_line().await.ok()?;
    let place = Place {
        dir: next().await?,
        home: next().await?,
        system: next().await?,
        machine: next().await?,
    };
    (next().await? == "ready").then_some(Ok(place))
}

/// Holds the lease until the end.
struct Watch {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    bye: CancellationToken,
    lost: CancellationToken,
}

impl Watch {
    async fn run(mut self, beat: Duration) -> Farewell {
        // Dropped last, so that nobody waits for a link that is gone.
        let _lost = self.lost.clone().drop_guard();
        let mut beats = tokio::time::interval(beat);
        loop {
            tokio::select! {
                () = self.bye.cancelled() => break,
                // Everything that the guard says before its farewell is of no use.
                line = self.lines.next_line() => if !matches!(line, Ok(Some(_))) {
                    return None;
                },
                _ = beats.tick() => if self.stdin.write_all(b"beat\n").await.is_err() {
                    return None;
                },
            }
        }
        self.stdin.write_all(b"bye\n").await.ok()?;
        let mut left = None;
        while let Ok(Some(line)) = self.lines.next_line().await {
            match line.strip_prefix("left ") {
                Some(words) => left = Some(words.to_owned()),
                None if line == "left" => left = Some(String::new()),
                None if line == "done" => break,
                None => {}
            }
        }
        drop(self.stdin);
        // The connection may still carry the outputs of steps; they have been ended.
        let most = Duration::from_secs(2);
        if tokio::time::timeout(most, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        left
    }
}

fn no_pipe() -> SshError {
    SshError::client(std::io::ErrorKind::BrokenPipe.into())
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    whole.to_string()
}
