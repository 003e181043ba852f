//! One command from its start to its end: both outputs, the exit, and what stops it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use super::process::{Ended, Running};
use crate::session::{ExecIo, ExitStatus, Output, Stream};

/// How much is read at once: what a pipe holds on Linux.
const PIECE: usize = 64 * 1024;

/// How long output is read on after the command itself has ended, if something it started still holds
/// the pipe.
const DRAIN: Duration = Duration::from_millis(500);

/// The most that is read after [`DRAIN`]: what the largest pipe that anybody may make can hold. What
/// the command had written before it ended is surely read then.
const FULL_PIPE: usize = 1024 * 1024;

/// The reading end of an output that something still holds.
pub(super) type Pipe = Box<dyn AsyncRead + Send + Unpin>;

/// How a command ended.
pub(super) struct Done {
    pub(super) status: io::Result<ExitStatus>,
    /// Outputs that processes it left behind may still write to.
    pub(super) open: Vec<Pipe>,
}

/// Follows a command to its end. If `io` says so it is stopped before.
pub(super) async fn follow(mut running: Running, io: &ExecIo, grace: Duration) -> Done {
    let (stdout, stderr) = running.pipes();
    let over = CancellationToken::new();
    let pumps = async {
        tokio::join!(
            pump(stdout, Stream::Stdout, &io.output, &over),
            pump(stderr, Stream::Stderr, &io.output, &over),
        )
    };
    let ended = running.ended(&io.cancel, grace);
    tokio::pin!(pumps, ended);
    // Neither is ever dropped before its end: what was read must be written too.
    let mut open = None;
    let ended = loop {
        tokio::select! {
            biased;
            pipes = &mut pumps, if open.is_none() => open = Some(pipes),
            ended = &mut ended => break ended,
        }
    };
    let open = match open {
        Some(open) => open,
        None => tokio::select! {
            biased;
            pipes = &mut pumps => pipes,
            () = tokio::time::sleep(DRAIN) => {
                over.cancel();
                pumps.await
            }
        },
    };
    let status = match ended {
        Ok(Ended::Exited(status)) => Ok(exit_status(status)),
        Ok(Ended::Stopped(left)) => {
            for process in left {
                io.output.say(format!("could not end {process}")).await;
            }
            Ok(ExitStatus::Stopped)
        }
        Err(error) => Err(error),
    };
    let open = [open.0, open.1].into_iter().flatten().collect();
    Done { status, open }
}

/// Copies an output until its end, or until it is `over` and what was in the pipe then is copied.
/// Gives the pipe back if something still holds it.
async fn pump<P: AsyncRead + Send + Unpin + 'static>(
    pipe: Option<P>,
    stream: Stream,
    output: &Output,
    over: &CancellationToken,
) -> Option<Pipe> {
    let mut pipe = pipe?;
    let mut piece = Vec::with_capacity(PIECE);
    let mut late = 0;
    loop {
        let read = tokio::select! {
            biased;
            read = pipe.read_buf(&mut piece) => read,
            () = over.cancelled() => return Some(Box::new(pipe)),
        };
        // A pipe that cannot be read has no more to say.
        if !matches!(read, Ok(1..)) {
            return None;
        }
        output.write(stream, &piece).await;
        if over.is_cancelled() {
            late += piece.len();
            if late >= FULL_PIPE {
                return Some(Box::new(pipe));
            }
        }
        piece.clear();
    }
}

/// Reads on so that what was left behind can go on writing, until `over`. Nobody sees what it writes.
pub(super) async fn swallow(mut pipe: Pipe, over: CancellationToken) {
    let mut nowhere = tokio::io::sink();
    tokio::select! {
        _ = tokio::io::copy(&mut pipe, &mut nowhere) => {}
        () = over.cancelled() => {}
    }
}

fn exit_status(status: std::process::ExitStatus) -> ExitStatus {
    #[cfg(unix)]
    if let Some(number) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return ExitStatus::Signal(number);
    }
    // Only a signal leaves a process without a code.
    ExitStatus::Code(status.code().unwrap_or(-1))
}
