//! The first process of a job's container: a shell that does what it is told on its standard input, and
//! ends with that. To ask it costs a hundredth of what a command of its own costs the engine.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ci_core::session::Stream as Channel;
use futures_util::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::container::{MOST, Said};
use crate::engine::Tether;

/// Holds the first process: it ends when this is dropped.
pub(crate) struct Keeper {
    asked: tokio::sync::Mutex<Asked>,
    heard: Arc<Heard>,
    /// Canceled when the container has ended, by whatever.
    over: CancellationToken,
}

/// What questions go through.
struct Asked {
    /// Taken when the container has to end by itself.
    input: Option<Pin<Box<dyn AsyncWrite + Send>>>,
    /// Counts questions.
    number: u64,
}

/// What the first process said since the last question.
#[derive(Default)]
struct Heard {
    said: Mutex<Streams>,
    more: Notify,
}

#[derive(Default)]
struct Streams {
    text: Vec<u8>,
    errors: Vec<u8>,
}

impl Keeper {
    /// Takes hold of the first process.
    pub(crate) fn hold(tether: Tether, over: CancellationToken) -> Self {
        let heard = Arc::new(Heard::default());
        let (all, ended, mut output) = (Arc::clone(&heard), over.clone(), tether.output);
        tokio::spawn(async move {
            while let Some(Ok((channel, bytes))) = output.next().await {
                all.take(channel, &bytes);
            }
            ended.cancel();
        });
        Self {
            asked: tokio::sync::Mutex::new(Asked {
                input: Some(tether.input),
                number: 0,
            }),
            heard,
            over,
        }
    }

    /// Has a short script run, as who the container's first process is. None if that has ended.
    pub(crate) async fn ask(&self, script: &str, arguments: &[&str]) -> Option<Said> {
        let mut asked = self.asked.lock().await;
        asked.number += 1;
        let mark = format!("ci-core-{}", asked.number);
        let line = question(&mark, script, arguments);
        self.heard.forget();
        let input = asked.input.as_mut()?;
        input.write_all(line.as_bytes()).await.ok()?;
        input.flush().await.ok()?;
        loop {
            let more = self.heard.more.notified();
            if let Some(said) = self.heard.answer(&mark) {
                return Some(said);
            }
            tokio::select! {
                () = more => {}
                () = self.over.cancelled() => return None,
            }
        }
    }

    /// Ends the first process. One that is being asked something ends after that.
    pub(crate) fn let_go(&self) {
        if let Ok(mut asked) = self.asked.try_lock() {
            asked.input = None;
        }
    }
}

impl Heard {
    fn take(&self, channel: Channel, bytes: &Bytes) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = if channel == Channel::Stderr {
            &mut said.errors
        } else {
            &mut said.text
        };
        let rest = MOST.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(rest)]);
        drop(said);
        self.more.notify_one();
    }

    fn forget(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        *said = Streams::default();
    }

    fn answer(&self, mark: &str) -> Option<Said> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, code) = between(&said.text, mark)?;
        let (errors, _) = between(&said.errors, mark)?;
        Some(Said { code, text, errors })
    }
}

/// What to tell a shell: to run the script on its own, between two marks on both of its streams.
fn question(mark: &str, script: &str, arguments: &[&str]) -> String {
    let quoted = |word: &&str| format!(" '{}'", word.replace('\'', r"'\''"));
    let arguments: String = arguments.iter().map(quoted).collect();
    // Both streams are carried apart from each other: each tells where it begins and ends.
    format!(
        "echo {mark}:; echo {mark}: >&2\n(\nset --{arguments}\n{script}\n) </dev/null\n\
         echo \" {mark}=$?.\"; echo \" {mark}=.\" >&2\n"
    )
}

/// What stands between the marks, and the number after the second one.
fn between(said: &[u8], mark: &str) -> Option<(String, i64)> {
    let said = String::from_utf8_lossy(said);
    let (_, rest) = said.split_once(&format!("{mark}:\n"))?;
    let (text, end) = rest.rsplit_once(&format!(" {mark}="))?;
    let (code, _) = end.split_once('.')?;
    Some((text.to_owned(), code.parse().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// What a shell of this machine says when it is told this.
    fn told(told: &str) -> Streams {
        use std::io::Write;
        let mut shell = Command::new("sh")
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(told.as_bytes()).unwrap();
        drop(input);
        let done = shell.wait_with_output().unwrap();
        Streams {
            text: done.stdout,
            errors: done.stderr,
        }
    }

    #[test]
    fn each_question_gets_its_answer_whatever_its_words_are() {
        let words = ["two words", "it's", "a\nline", "$HOME `id` \\", ""];
        let script = "printf '%s|' \"$@\"; echo bad >&2; exit 3";
        let both = question("m-1", script, &words) + &question("m-2", "cat; id -u", &[]);
        let said = told(&both);
        let (text, code) = between(&said.text, "m-1").unwrap();
        assert_eq!((text, code), (words.join("|") + "|", 3));
        let (errors, _) = between(&said.errors, "m-1").unwrap();
        assert_eq!(errors, "bad\n");
        let (text, code) = between(&said.text, "m-2").unwrap();
        assert!(text.trim().parse::<u32>().is_ok(), "{text}");
        assert_eq!(code, 0);
    }

    #[test]
    fn an_answer_that_has_not_ended_is_none() {
        for said in [
            "",
            "m-1:\n",
            "m-1:\ntext",
            "m-1:\ntext m-1=12",
            "m-2:\n m-2=0.",
        ] {
            assert_eq!(between(said.as_bytes(), "m-1"), None, "{said}");
        }
    }
}
