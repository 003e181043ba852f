//! Symbolic links that lead out of their tree, made in a session with no more rights than the job has.

use std::sync::{Arc, Mutex, PoisonError};

use crate::session::{Command, ExitStatus, LogSink, Output, OutputChunk, OutputOptions, Stream};
use crate::step::{StepContext, StepError};
use crate::storage::OutsideLink;

/// How many links one command makes: its line has to stay short of what the system allows.
const AT_ONCE: usize = 100;
/// The exit code that stands for a link which was refused.
const REFUSED: i32 = 97;

/// Takes pairs of a target and a path below the directory. Each directory on the way is looked at before
/// it is used: none may be a link, because what is written behind it may be anywhere. As when an archive
/// is unpacked, what stands at the path itself is replaced, and a directory only if it is empty. Says
/// how many words were left and how far it came when it gives up.
const SCRIPT: &str = r#"
end() { printf '%s %s' "$left" "$at"; exit "$1"; }
while [ $# -gt 1 ]; do
  left=$# at=. rest=$2
  while :; do
    case $rest in
      */*) at=$at/${rest%%/*}; rest=${rest#*/} ;;
      *) break ;;
    esac
    [ -h "$at" ] && end 97
    [ -d "$at" ] || mkdir "$at" || end 1
  done
  at=$at/$rest
  if [ -d "$at" ] && [ ! -h "$at" ]; then rmdir "$at" || end 1; fi
  ln -sfn -- "$1" "$at" || end 1
  shift 2
done"#;

/// Makes `links` below `dir`. One that goes through another link is refused.
pub(super) async fn make(
    cx: &StepContext,
    dir: &str,
    links: &[OutsideLink],
) -> Result<(), StepError> {
    for some in links.chunks(AT_ONCE) {
        make_some(cx, dir, some).await?;
    }
    Ok(())
}

async fn make_some(cx: &StepContext, dir: &str, links: &[OutsideLink]) -> Result<(), StepError> {
    let words = ["sh", "-c", SCRIPT, "sh"].into_iter();
    let pairs = links.iter().flat_map(|link| [link.target(), link.path()]);
    let (status, said) = exec(cx, Command::argv(words.chain(pairs)).dir(dir)).await?;
    if matches!(status, ExitStatus::Code(0) | ExitStatus::Stopped) {
        return Ok(());
    }
    let (left, at) = said.out.split_once(' ').unwrap_or_default();
    let left: usize = left.parse().unwrap_or(2 * links.len());
    let index = links.len().saturating_sub(left / 2);
    let path = links.get(index).map_or("", OutsideLink::path);
    Err(if status == ExitStatus::Code(REFUSED) {
        let at = at.trim_start_matches("./");
        StepError::new(format!(
            "the entry `{path}` was refused: it goes through the symbolic link `{at}`"
        ))
    } else {
        let words = format!("could not make the symbolic link `{path}`");
        match said.err.trim() {
            "" => StepError::new(words),
            why => StepError::new(words).with_source(why),
        }
    })
}

/// Runs a command with the step's variables and gives what it said, which is not for the log.
async fn exec(cx: &StepContext, command: Command) -> Result<(ExitStatus, Text), StepError> {
    let said = Said::default();
    let options = OutputOptions::new(Arc::default(), cx.clock().clone());
    let output = Output::new(&options, Box::new(said.clone()));
    let status = cx.exec_into(command, &output).await?;
    // It is kept in memory, where nothing fails.
    let _ = output.finish().await;
    Ok((status, said.text()))
}

/// What a command said, as text.
struct Text {
    out: String,
    err: String,
}

/// The beginnings of what a command says on its two streams.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<[Vec<u8>; 2]>>);

impl Said {
    const KEPT: usize = 8192;

    fn text(&self) -> Text {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [out, err] = &*said;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Text {
            out: text(out),
            err: text(err),
        }
    }
}

impl LogSink for Said {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [out, err] = &mut *said;
        let kept = match chunk.stream {
            Stream::Stdout => out,
            Stream::Stderr | Stream::Engine => err,
        };
        kept.extend_from_slice(&chunk.bytes);
        kept.truncate(Self::KEPT);
        Ok(())
    }
}
