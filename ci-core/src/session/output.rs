//! The handle that output flows through: masks secrets, cuts lines, keeps order, bounds memory.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::clock::{Clock, Timestamp};
use crate::secret::{Masker, SecretSet};

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
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()>;
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
    /// Milliseconds on the clock at which something was last written.
    last_write: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    maskers: [Masker; 3],
    sink: Option<Box<dyn LogSink>>,
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
        let masker = || Masker::new(Arc::clone(&options.secrets));
        Self {
            inner: Arc::new(Inner {
                last_write: AtomicU64::new(millis(&options.clock)),
                clock: options.clock.clone(),
                state: Mutex::new(State {
                    maskers: [masker(), masker(), masker()],
                    sink,
                }),
            }),
        }
    }

    /// Writes what a stream of the process gave, in any cut.
    pub async fn write(&self, stream: Stream, bytes: &[u8]) {
        self.inner
            .last_write
            .store(millis(&self.inner.clock), Ordering::Relaxed);
        let mut state = self.inner.state.lock().await;
        let masked = state.maskers[stream as usize].push(bytes);
        self.emit(&mut state, stream, masked);
    }

    /// Writes a line in the name of the engine.
    pub async fn say(&self, line: impl AsRef<str>) {
        self.write(Stream::Engine, format!("{}\n", line.as_ref()).as_bytes())
            .await;
    }

    /// Writes out what was held back in case a secret went on in the next piece.
    pub async fn finish(&self) -> std::io::Result<()> {
        let mut state = self.inner.state.lock().await;
        for stream in [Stream::Stdout, Stream::Stderr, Stream::Engine] {
            let masked = state.maskers[stream as usize].finish();
            self.emit(&mut state, stream, masked);
        }
        Ok(())
    }

    /// How long ago something was last written.
    #[must_use]
    pub fn silence(&self) -> std::time::Duration {
        let last = self.inner.last_write.load(Ordering::Relaxed);
        std::time::Duration::from_millis(millis(&self.inner.clock).saturating_sub(last))
    }

    fn emit(&self, state: &mut State, stream: Stream, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let chunk = OutputChunk {
            stream,
            time: self.inner.clock.wall(),
            bytes: bytes.into(),
        };
        if let Some(sink) = &mut state.sink {
            let _ = sink.write(&chunk);
        }
    }
}

fn millis(clock: &Clock) -> u64 {
    u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX)
}
