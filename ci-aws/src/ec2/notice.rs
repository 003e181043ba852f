//! Notices of the end of a spot instance, from the machine's own metadata service.
//!
//! See *spot instance interruption notices* and *instance rebalance recommendations* in the EC2 user
//! guide: the first comes two minutes before the end, the second earlier if at all.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use ci_core::clock::Clock;
use ci_core::session::{Command, ExecIo, LogSink, Output, OutputChunk, OutputOptions, Session};
use tokio_util::sync::CancellationToken;

/// Prints a line for each notice, until it is stopped. A machine without `curl` gives none: then only
/// EC2 itself tells.
const SCRIPT: &str = r#"command -v curl >/dev/null 2>&1 || exit 0
while :; do
    token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$CI_NOTICES/latest/api/token")
    for what in spot/instance-action events/recommendations/rebalance; do
        said=$(curl -sf -m 2 -H "X-aws-ec2-metadata-token: $token" "$CI_NOTICES/latest/meta-data/$what") &&
            printf 'notice %s %s\n' "$what" "$(printf %s "$said" | tr -d '\n')"
    done
    sleep 5
done"#;

/// What was noticed so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// The words of the notice of the end.
    end: Option<String>,
    rebalance: bool,
    /// What there is to say to whoever runs a command next.
    unsaid: Vec<String>,
    /// Where the last command's output goes.
    output: Option<Output>,
}

impl Notices {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the notice of the machine's end said.
    pub(super) fn end(&self) -> Option<String> {
        self.seen().end.clone()
    }

    /// Says what was noticed where the output of the job goes.
    pub(super) async fn tell(&self, output: &Output) {
        let unsaid = {
            let mut seen = self.seen();
            seen.output = Some(output.clone());
            std::mem::take(&mut seen.unsaid)
        };
        for line in unsaid {
            output.say(line).await;
        }
    }

    fn take(&self, line: &str) {
        let Some(rest) = line.strip_prefix("notice ") else {
            return;
        };
        let (what, words) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut seen = self.seen();
        let text = if what.starts_with("spot/") && seen.end.is_none() {
            seen.end = Some(words.to_owned());
            format!("EC2 is about to take this machine away: {words}")
        } else if what.starts_with("events/") && !seen.rebalance {
            seen.rebalance = true;
            "EC2 says that this machine is likely to be taken away soon".to_owned()
        } else {
            return;
        };
        match seen.output.clone() {
            Some(output) => {
                tokio::spawn(async move { output.say(text).await });
            }
            None => seen.unsaid.push(text),
        }
    }
}

/// Takes the lines of the script.
#[derive(Debug)]
struct Lines {
    notices: Notices,
    rest: String,
}

impl LogSink for Lines {
    fn write(&mut self, chunk: &OutputChunk) -> io::Result<()> {
        self.rest.push_str(&String::from_utf8_lossy(&chunk.bytes));
        while let Some((line, rest)) = self.rest.split_once('\n') {
            self.notices.take(line);
            self.rest = rest.to_owned();
        }
        // What has no line's end for so long is none of ours.
        if self.rest.len() > 64 * 1024 {
            self.rest.clear();
        }
        Ok(())
    }
}

/// Watches on the machine of `session` until `over`.
pub(super) async fn watch(
    session: Arc<dyn Session>,
    url: String,
    notices: Notices,
    over: CancellationToken,
) {
    let options = OutputOptions::new(Arc::default(), Clock::system());
    let sink = Lines {
        notices,
        rest: String::new(),
    };
    let output = Output::new(&options, Box::new(sink));
    let command = Command::sh(SCRIPT).env("CI_NOTICES", url).dir("/");
    let _ = session.exec(&command, ExecIo::new(output, over)).await;
}
