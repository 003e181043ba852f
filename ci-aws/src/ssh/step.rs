//! One step from its start to its trailer: both outputs, the stop, and the link that may break.

use ci_core::session::{ExecIo, ExitStatus, Output, SessionError, SessionErrorKind, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use super::client::{Client, errors, feed};
use super::error::{SshError, SshErrorKind};
use super::trailer::Splitter;

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// What surrounds a step.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub(super) client: &'a Client,
    /// Canceled when the session's link is gone.
    pub(super) lost: &'a CancellationToken,
    /// Canceled when the session is torn down.
    pub(super) over: &'a CancellationToken,
    /// The name of the program.
    pub(super) program: &'a str,
    /// The directory it starts in.
    pub(super) dir: &'a str,
}

/// Runs the step of `script` that the supervisor's `command` starts.
pub(super) async fn run(
    around: &Around<'_>,
    command: &str,
    script: &str,
    io: &ExecIo,
) -> Result<ExitStatus, SessionError> {
    let mark = format!("ci-{}", uuid::Uuid::now_v7().simple());
    let mut child = around.client.shared(command)?;
    let text = format!("{mark}\n{script}{mark}\n");
    tokio::select! {
        () = feed(&mut child, &text) => {}
        () = around.lost.cancelled() => return Err(lost(around, child).await),
    }
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (Some(mut stdout), Some(mut stderr)) = (stdout, stderr) else {
        return Err(SshError::client(std::io::ErrorKind::BrokenPipe.into()).into());
    };
    let broken = CancellationToken::new();
    let outputs = async {
        tokio::join!(
            follow(&mut stdout, &mark, (&io.output, Stream::Stdout), &broken),
            follow(&mut stderr, &mark, (&io.output, Stream::Stderr), &broken),
        )
    };
    let stdin = child.stdin.take();
    let stop = async {
        io.cancel.cancelled().await;
        if let Some(mut stdin) = stdin {
            let _ = stdin.write_all(b"stop\n").await;
            // Its end would say the same; it stays open until the step is over.
            std::future::pending::<()>().await;
        }
        std::future::pending::<()>().await;
    };
    // Where the link is gone without a word, the streams would stay open.
    let gone = async {
        around.lost.cancelled().await;
        broken.cancel();
        std::future::pending::<()>().await;
    };
    let (words, said) = tokio::select! {
        ends = outputs => ends,
        () = stop => unreachable_ends(),
        () = gone => unreachable_ends(),
    };
    let Some(words) = words.filter(|_| said.is_some()) else {
        return Err(lost(around, child).await);
    };
    // Something that the step left behind may hold the outputs; it shall not die of a broken pipe.
    tokio::spawn(swallow(child, stdout, stderr, around.over.clone()));
    status(around, &words, io).await
}

/// What the futures that never end give.
fn unreachable_ends() -> (Option<String>, Option<String>) {
    (None, None)
}

/// What the supervisor's words mean.
async fn status(around: &Around<'_>, words: &str, io: &ExecIo) -> Result<ExitStatus, SessionError> {
    let (verdict, rest) = words.split_once(' ').unwrap_or((words, ""));
    match verdict {
        "exit" => rest.parse().map(ExitStatus::from_shell_code).map_err(|_| {
            let text = format!("the supervisor gave the exit code `{rest}`");
            SessionError::new(SessionErrorKind::Other, text)
        }),
        "stopped" => {
            for process in rest.split_whitespace() {
                io.output
                    .say(format!("could not end process {process}"))
                    .await;
            }
            Ok(ExitStatus::Stopped)
        }
        "missing" => {
            let name = match rest {
                "directory" => around.dir,
                _ => around.program,
            };
            let text = format!("the {rest} `{name}` does not exist");
            Err(SessionError::new(SessionErrorKind::NotFound, text))
        }
        "over" if around.over.is_cancelled() => {
            let text = "the session was torn down while the command ran";
            Err(SessionError::new(SessionErrorKind::Other, text))
        }
        _ => Err(SshError::lost(around.client.destination()).into()),
    }
}

/// The error of a step without a trailer.
async fn lost(around: &Around<'_>, mut child: Child) -> SessionError {
    let _ = child.start_kill();
    let said = errors(&mut child).await;
    let _ = child.wait().await;
    let error = SshError::no_connection(around.client.destination(), &said);
    match error.kind() {
        // A connection that had to be made anew was refused.
        SshErrorKind::HostKey | SshErrorKind::Denied => error.into(),
        _ => SshError::lost(around.client.destination()).into(),
    }
}

/// Copies an output up to the mark, and gives the words that follow it; `None` if there is no mark.
async fn follow(
    pipe: &mut (impl AsyncRead + Unpin),
    mark: &str,
    (output, stream): (&Output, Stream),
    broken: &CancellationToken,
) -> Option<String> {
    let mut splitter = Splitter::new(mark);
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        piece.clear();
        let read = tokio::select! {
            biased;
            read = pipe.read_buf(&mut piece) => read,
            () = broken.cancelled() => return None,
        };
        if !matches!(read, Ok(1..)) {
            output.write(stream, &splitter.rest()).await;
            return None;
        }
        let own = splitter.push(&piece);
        if !own.is_empty() {
            output.write(stream, &own).await;
        }
        if let Some(words) = splitter.words() {
            return Some(words);
        }
    }
}

/// Reads what comes after the trailer, until nobody holds the outputs or the session is over.
async fn swallow(
    mut child: Child,
    mut stdout: impl AsyncRead + Unpin,
    mut stderr: impl AsyncRead + Unpin,
    over: CancellationToken,
) {
    let mut sink = (tokio::io::sink(), tokio::io::sink());
    let all = async {
        let _ = tokio::join!(
            tokio::io::copy(&mut stdout, &mut sink.0),
            tokio::io::copy(&mut stderr, &mut sink.1),
        );
        let _ = child.wait().await;
    };
    tokio::select! {
        () = all => {}
        () = over.cancelled() => {}
    }
}
