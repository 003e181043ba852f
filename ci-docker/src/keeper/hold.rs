//! Holds a container's first process, and has it run one thing after the other.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ci_core::session::{Output, Stream as Channel};
use futures_util::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{MutexGuard, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::message::{self, Done, ToRun};
use super::splitter::Splitter;
use crate::container::{Said, keep};
use crate::engine::Tether;

/// How many pieces of output wait for whoever reads them: the command waits behind that.
const PIECES: usize = 8;

/// How long what a command left in the background is listened to: as long as an engine listens at the
/// end of an exec.
const LATE: Duration = Duration::from_secs(2);

/// Holds the first process: it ends when this is dropped.
pub(crate) struct Keeper {
    /// Nobody who knows it not can end a command in its place.
    nonce: String,
    input: tokio::sync::Mutex<Option<Input>>,
    /// Counts what it was told. Who has it is the only one who talks to it.
    told: tokio::sync::Mutex<u64>,
    /// Whether who talks to it runs a command, which takes time.
    busy: watch::Sender<bool>,
    /// Whether what it says may be mixed with what others write.
    spoiled: AtomicBool,
    /// Whether it can run commands.
    runs: AtomicBool,
    heard: Heard,
    /// Canceled when the container has ended, by whatever.
    over: CancellationToken,
}

type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// Who gets what the first process says. What nobody waits for is dropped.
type Heard = Arc<Mutex<Option<mpsc::Sender<(Channel, Bytes)>>>>;

/// What came of a question.
pub(crate) enum Answer {
    Said(Said),
    /// It is busy, or not to be trusted any more.
    Busy,
    /// The container has ended.
    Ended,
}

/// The right to talk to the first process. One that is dropped before its end spoils it.
pub(crate) struct Turn<'a> {
    keeper: &'a Keeper,
    number: MutexGuard<'a, u64>,
    pieces: mpsc::Receiver<(Channel, Bytes)>,
    whole: bool,
}

impl Keeper {
    /// Takes hold of the first process.
    pub(crate) fn hold(tether: Tether, over: CancellationToken) -> Self {
        let heard = Heard::default();
        let (all, ended, mut output) = (Arc::clone(&heard), over.clone(), tether.output);
        tokio::spawn(async move {
            while let Some(Ok(piece)) = output.next().await {
                let listens = locked(&all).clone();
                if let Some(listens) = listens {
                    // Who has gone wants no more.
                    let _ = listens.send(piece).await;
                }
            }
            ended.cancel();
            *locked(&all) = None;
        });
        Self {
            nonce: uuid::Uuid::now_v7().simple().to_string(),
            input: tokio::sync::Mutex::new(Some(tether.input)),
            told: tokio::sync::Mutex::new(0),
            busy: watch::Sender::new(false),
            spoiled: AtomicBool::new(false),
            runs: AtomicBool::new(false),
            heard,
            over,
        }
    }

    /// Says that it can run commands.
    pub(crate) fn can_run(&self) {
        self.runs.store(true, Ordering::Relaxed);
    }

    /// Has a short script run, as who the container's first process is.
    pub(crate) async fn ask(&self, script: &str, arguments: &[&str]) -> Answer {
        let Some(mut turn) = self.turn().await else {
            return Answer::Busy;
        };
        let mark = turn.mark();
        let question = message::question(&mark, script, arguments);
        if turn.tell(&question).await.is_none() {
            return Answer::Ended;
        }
        turn.answer(&mark).await.map_or(Answer::Ended, Answer::Said)
    }

    /// The right to run a command, if it can and is free. Questions do not wait for that to end.
    pub(crate) async fn free(&self) -> Option<Turn<'_>> {
        if !self.runs.load(Ordering::Relaxed) {
            return None;
        }
        let turn = self.turn().await?;
        self.busy.send_replace(true);
        Some(turn)
    }

    /// Waits for who talks to it, unless that is a command.
    async fn turn(&self) -> Option<Turn<'_>> {
        let mut busy = self.busy.subscribe();
        let number = tokio::select! {
            biased;
            number = self.told.lock() => number,
            _ = busy.wait_for(|busy| *busy) => return None,
        };
        if self.spoiled.load(Ordering::Relaxed) {
            return None;
        }
        let (listens, pieces) = mpsc::channel(PIECES);
        *locked(&self.heard) = Some(listens);
        if self.over.is_cancelled() {
            // Nothing comes any more: who waits for it is told.
            *locked(&self.heard) = None;
        }
        Some(Turn {
            keeper: self,
            number,
            pieces,
            whole: false,
        })
    }

    /// Ends the first process, whatever it does.
    pub(crate) async fn let_go(&self) {
        // One that is just being told something ends after that.
        let mut input = self.input.lock().await;
        if let Some(mut input) = input.take() {
            // What hands on what it is told sees the end after it; one that is free goes at once.
            let _ = input.write_all(b"exit\n").await;
            let _ = input.shutdown().await;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.whole {
            self.keeper.spoiled.store(true, Ordering::Relaxed);
        }
        *locked(&self.keeper.heard) = None;
        self.keeper.busy.send_replace(false);
    }
}

impl Turn<'_> {
    /// The mark of what is told next.
    fn mark(&mut self) -> String {
        *self.number += 1;
        message::mark(&self.keeper.nonce, *self.number)
    }

    async fn tell(&self, text: &str) -> Option<()> {
        let mut input = self.keeper.input.lock().await;
        let input = input.as_mut()?;
        if *self.number == 1 {
            input.write_all(message::prelude().as_bytes()).await.ok()?;
        }
        input.write_all(text.as_bytes()).await.ok()?;
        input.flush().await.ok()
    }

    async fn answer(&mut self, mark: &str) -> Option<Said> {
        let mut streams = Streams::new(mark);
        let (mut text, mut errors) = (Vec::new(), Vec::new());
        loop {
            if let Some(code) = streams.said() {
                let code = code.parse().ok()?;
                self.whole = true;
                return Some(Said::new(code, &text, &errors));
            }
            let (channel, piece) = self.pieces.recv().await?;
            let kept = match channel {
                Channel::Stderr => &mut errors,
                _ => &mut text,
            };
            keep(kept, &streams.push(channel, piece));
        }
    }

    /// Runs a command to its end, and writes its output as it comes. None if the container has ended.
    pub(crate) async fn run(mut self, task: &ToRun<'_>, output: &Output) -> Option<Done> {
        let mark = self.mark();
        self.tell(&message::command(&mark, task)).await?;
        let mut streams = Streams::new(&mark);
        let done = loop {
            if let Some(said) = streams.said() {
                break Done::read(said)?;
            }
            let (channel, piece) = self.pieces.recv().await?;
            output.write(channel, &streams.push(channel, piece)).await;
        };
        self.whole = !done.held;
        if done.held {
            let late = async {
                while let Some((channel, piece)) = self.pieces.recv().await {
                    output.write(channel, &piece).await;
                }
            };
            // What is still written then is nobody's.
            let _ = tokio::time::timeout(LATE, late).await;
        }
        Some(done)
    }
}

/// Both streams of the first process, each up to the mark.
struct Streams {
    out: Splitter,
    err: Splitter,
}

impl Streams {
    fn new(mark: &str) -> Self {
        let (out, err) = (Splitter::new(mark), Splitter::new(mark));
        Self { out, err }
    }

    /// Takes what came on one of them, and gives what is certainly not of the mark.
    fn push(&mut self, channel: Channel, piece: Bytes) -> Bytes {
        match channel {
            Channel::Stderr => self.err.push(piece),
            _ => self.out.push(piece),
        }
    }

    /// What the mark says, once it has come on both.
    fn said(&self) -> Option<&str> {
        self.err.said().and(self.out.said())
    }
}

fn locked<T>(heard: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
