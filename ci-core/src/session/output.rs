//! The handle that output flows through: masks secrets, cuts lines, keeps order, bounds memory.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::clock::{Clock, Timestamp};
use crate::secret::{Masker, SecretSet};

/// The most that goes on at once: longer writes are cut.
const PIECE: usize = 64 * 1024;

/// Which stream of a process wrote something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// What the engine itself says about the step.
    Engine,
}

/// A piece of masked output: whole lines where the writer ended them, else a cut long line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputChunk {
    /// The stream.
    pub stream: Stream,
    /// When it was read.
    pub time: Timestamp,
    /// The bytes, secrets already masked; not always valid UTF-8.
    pub bytes: Arc<[u8]>,
}

/// Where an [`Output`] puts what it has masked and cut: the step's log and the sinks.
pub trait LogSink: Send + fmt::Debug {
    /// Takes a chunk. May block for as long as a disk does.
    fn write(&mut self, chunk: &OutputChunk) -> io::Result<()>;
}

/// How an [`Output`] treats what it is given.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OutputOptions {
    /// What must never be shown.
    pub secrets: Arc<SecretSet>,
    /// Where time stamps come from.
    pub clock: Clock,
}

impl OutputOptions {
    /// Masks `secrets`, stamps with `clock`.
    #[must_use]
    pub fn new(secrets: Arc<SecretSet>, clock: Clock) -> Self {
        Self { secrets, clock }
    }
}

/// The cheap, cloneable handle that executors write a step's output to. Writing waits while the log
/// is slower than the process: memory stays bounded and the process is held back by its pipe.
#[derive(Clone, Debug)]
pub struct Output {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    secrets: Arc<SecretSet>,
    /// Milliseconds on the clock at which something was last written.
    last_write: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// One for each stream that was written to.
    maskers: [Option<Masker>; 3],
    sink: Option<Box<dyn LogSink>>,
    /// Why the sink takes no more.
    failure: Option<io::Error>,
}

impl Output {
    /// Output that ends in `sink`.
    #[must_use]
    pub fn new(options: &OutputOptions, sink: Box<dyn LogSink>) -> Self {
        Self::build(options, Some(sink))
    }

    /// Output that nobody reads.
    #[must_use]
    pub fn discard() -> Self {
        Self::build(&OutputOptions::new(Arc::default(), Clock::system()), None)
    }

    fn build(options: &OutputOptions, sink: Option<Box<dyn LogSink>>) -> Self {
        Self {
            inner: Arc::new(Inner {
                last_write: AtomicU64::new(millis(&options.clock)),
                clock: options.clock.clone(),
                secrets: Arc::clone(&options.secrets),
                state: Mutex::new(State {
                    maskers: [None, None, None],
                    sink,
                    failure: None,
                }),
            }),
        }
    }

    /// Writes what a stream of the process gave, in any cut.
    pub async fn write(&self, stream: Stream, bytes: &[u8]) {
        self.inner
            .last_write
            .store(millis(&self.inner.clock), Ordering::Relaxed);
        // The lock keeps the order within a stream; the write below it goes to the page cache, which is
        // quicker than handing it to another thread.
        let mut state = self.inner.state.lock().await;
        for piece in bytes.chunks(PIECE) {
            let own = state.maskers[stream as usize]
                .get_or_insert_with(|| Masker::new(Arc::clone(&self.inner.secrets)));
            let masked = own.push(piece);
            self.emit(&mut state, stream, masked);
        }
    }

    /// Writes a line in the name of the engine.
    pub async fn say(&self, line: impl AsRef<str>) {
        self.write(Stream::Engine, format!("{}\n", line.as_ref()).as_bytes())
            .await;
    }

    /// Writes out what was held back in case a secret went on in the next piece.
    ///
    /// # Errors
    /// Why the log could not be written, if it could not: then a part of it is missing.
    pub async fn finish(&self) -> io::Result<()> {
        let mut state = self.inner.state.lock().await;
        for stream in [Stream::Stdout, Stream::Stderr, Stream::Engine] {
            if let Some(masker) = &mut state.maskers[stream as usize] {
                let masked = masker.finish();
                self.emit(&mut state, stream, masked);
            }
        }
        state.failure.take().map_or(Ok(()), Err)
    }

    /// How long ago something was last written.
    #[must_use]
    pub fn silence(&self) -> Duration {
        let last = self.inner.last_write.load(Ordering::Relaxed);
        Duration::from_millis(millis(&self.inner.clock).saturating_sub(last))
    }

    fn emit(&self, state: &mut State, stream: Stream, bytes: Vec<u8>) {
        if bytes.is_empty() || state.failure.is_some() {
            return;
        }
        let chunk = OutputChunk {
            stream,
            time: self.inner.clock.wall(),
            bytes: bytes.into(),
        };
        if let Some(sink) = &mut state.sink
            && let Err(error) = sink.write(&chunk)
        {
            // Kept until the step is over: the process is not to blame and goes on.
            state.failure = Some(error);
        }
    }
}

fn millis(clock: &Clock) -> u64 {
    u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is given.
    #[derive(Debug, Default, Clone)]
    struct Kept(Arc<std::sync::Mutex<Pieces>>);

    type Pieces = Vec<(Stream, Vec<u8>)>;

    impl LogSink for Kept {
        fn write(&mut self, chunk: &OutputChunk) -> io::Result<()> {
            let mut kept = self.0.lock().expect("no panic");
            kept.push((chunk.stream, chunk.bytes.to_vec()));
            Ok(())
        }
    }

    #[derive(Debug)]
    struct Full;

    impl LogSink for Full {
        fn write(&mut self, _chunk: &OutputChunk) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    #[tokio::test]
    async fn streams_keep_their_order_and_do_not_mix_their_secrets() {
        let (secrets, _) = SecretSet::new([("X", "hunter2")]);
        let kept = Kept::default();
        let options = OutputOptions::new(Arc::new(secrets), Clock::system());
        let output = Output::new(&options, Box::new(kept.clone()));
        output.write(Stream::Stdout, b"a hun").await;
        output.write(Stream::Stderr, b"ter2 b").await;
        output.write(Stream::Stdout, b"ter2 c").await;
        output.finish().await.expect("written");
        let of = |wanted| -> Vec<u8> {
            let kept = kept.0.lock().expect("no panic");
            let of = kept.iter().filter(|(stream, _)| *stream == wanted);
            of.flat_map(|(_, bytes)| bytes.clone()).collect()
        };
        assert_eq!(of(Stream::Stdout), b"a *** c");
        assert_eq!(of(Stream::Stderr), b"ter2 b");
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_written_is_told_at_the_end() {
        let options = OutputOptions::new(Arc::default(), Clock::system());
        let output = Output::new(&options, Box::new(Full));
        output.write(Stream::Stdout, b"lost").await;
        output.write(Stream::Stdout, b"lost").await;
        let error = output.finish().await.expect_err("the disk is full");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        output.finish().await.expect("said once");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_counts_from_the_last_write() {
        let output = Output::discard();
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(output.silence(), Duration::from_secs(3));
        output.write(Stream::Stdout, b"x").await;
        assert_eq!(output.silence(), Duration::ZERO);
    }
}
