//! One command from its start to its end: both outputs, the exit, and what stops it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use super::process::{Ended, Running};
use crate::session::{ExecIo, ExitStatus, Output, Stream};

/// How much is read at once: what a pipe holds on Linux.
const PIECE: usize = 64 * 1024;

/// How much is read first.
const FIRST: usize = 4 * 1024;

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
            pump(stdout, (&io.output, Stream::Stdout), &over),
            pump(stderr, (&io.output, Stream::Stderr), &over),
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
    let open = if let Some(open) = open {
        open
    } else {
        tokio::select! {
            biased;
            pipes = &mut pumps => pipes,
            () = tokio::time::sleep(DRAIN) => {
                over.cancel();
                pumps.await
            }
        }
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

/// What takes the pieces of an output.
trait Taker: Send {
    fn take(&mut self, piece: &[u8]) -> impl Future<Output = ()> + Send;
}

impl Taker for (&Output, Stream) {
    fn take(&mut self, piece: &[u8]) -> impl Future<Output = ()> + Send {
        self.0.write(self.1, piece)
    }
}

/// Copies an output until its end, or until it is `over` and what was in the pipe then is copied.
/// Gives the pipe back if something still holds it.
async fn pump<P: AsyncRead + Send + Unpin + 'static>(
    pipe: Option<P>,
    mut taker: impl Taker,
    over: &CancellationToken,
) -> Option<Pipe> {
    let mut pipe = pipe?;
    // Most commands say little.
    let mut piece = Vec::with_capacity(FIRST);
    let mut late = 0;
    let mut asked = false;
    loop {
        let read = tokio::select! {
            biased;
            read = pipe.read_buf(&mut piece) => read,
            () = over.cancelled(), if !asked => {
                // The runtime may not have heard yet that there is something to read.
                tokio::task::yield_now().await;
                asked = true;
                continue;
            }
            () = std::future::ready(()), if asked => return Some(Box::new(pipe)),
        };
        // A pipe that cannot be read has no more to say.
        if !matches!(read, Ok(1..)) {
            return None;
        }
        taker.take(&piece).await;
        if over.is_cancelled() {
            late += piece.len();
            if late >= FULL_PIPE {
                return Some(Box::new(pipe));
            }
        }
        if piece.len() == piece.capacity() && piece.len() < PIECE {
            piece = Vec::with_capacity(PIECE);
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::process::Stdio;

    use super::*;

    /// Keeps the beginning, and the size of the whole and of the largest piece.
    #[derive(Default)]
    struct Kept {
        start: Vec<u8>,
        total: usize,
        largest: usize,
    }

    impl Taker for &mut Kept {
        async fn take(&mut self, piece: &[u8]) {
            let rest = 1024_usize.saturating_sub(self.start.len());
            self.start
                .extend_from_slice(&piece[..piece.len().min(rest)]);
            self.total += piece.len();
            self.largest = self.largest.max(piece.len());
        }
    }

    /// A process whose standard output is all that is of interest.
    fn process(script: &str) -> tokio::process::Child {
        tokio::process::Command::new("sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    #[tokio::test]
    async fn a_line_without_end_is_never_held_as_a_whole() {
        let mut child = process("head -c 67108864 /dev/zero");
        let mut kept = Kept::default();
        let open = pump(child.stdout.take(), &mut kept, &CancellationToken::new()).await;
        assert!(open.is_none());
        assert_eq!(kept.total, 64 << 20);
        assert!(kept.largest <= PIECE);
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_stay_as_they_are() {
        let mut child = process("printf '\\377\\000\\376x'");
        let mut kept = Kept::default();
        pump(child.stdout.take(), &mut kept, &CancellationToken::new()).await;
        assert_eq!(kept.start, b"\xff\0\xfex");
    }

    #[tokio::test]
    async fn what_is_in_the_pipe_is_read_when_it_is_over_and_the_pipe_given_back() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("written");
        let mut child = process(&format!(
            "echo before; echo > {}; exec sleep 600",
            file.display()
        ));
        while !file.exists() {
            tokio::task::yield_now().await;
        }
        let (mut kept, over) = (Kept::default(), CancellationToken::new());
        over.cancel();
        let open = pump(child.stdout.take(), &mut kept, &over).await;
        assert!(open.is_some());
        assert_eq!(kept.start, b"before\n");
    }

    #[tokio::test]
    async fn what_never_stops_writing_is_left_after_a_full_pipe() {
        let mut child = process("exec yes");
        let (mut kept, over) = (Kept::default(), CancellationToken::new());
        over.cancel();
        assert!(pump(child.stdout.take(), &mut kept, &over).await.is_some());
        assert!(kept.total <= FULL_PIPE + PIECE);
    }
}
