//! Checks of what arrives of a command's output.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::bench::{Bench, within};
use super::check::{Check, Trouble, Verdict, check, ensure, same};
use super::log;
use super::machine;
use crate::session::{ExecIo, ExitStatus, LogSink, OutputChunk, Stream};

pub(super) const CHECKS: &[Check] = &[
    check!("output: both streams apart, each in order", streams),
    check!("output: arrives while the command runs", live),
    check!("output: large, in bounded memory", large),
    check!("output: bytes that are no text", no_text),
    check!("output: a very long line", long_line),
    check!("output: a command that closes it runs on", closed),
];

async fn streams(bench: Bench) -> Verdict {
    const LINES: usize = 10_000;
    let script = format!(
        "i=0; while [ $i -lt {LINES} ]; do echo \"o $i\"; echo \"e $i\" >&2; i=$((i+1)); done; exit 3"
    );
    let ran = bench.script(&script).await?;
    same("the status", &ran.status, &ExitStatus::Code(3))?;
    for (stream, letter) in [(Stream::Stdout, 'o'), (Stream::Stderr, 'e')] {
        let text = ran.log.text(stream);
        let wrong = text
            .lines()
            .map(ToOwned::to_owned)
            .enumerate()
            .find(|(number, line)| *line != format!("{letter} {number}"));
        ensure(wrong.is_none(), || {
            format!("{stream:?} went wrong at {wrong:?}")
        })?;
        same(
            format!("lines of {stream:?}"),
            &text.lines().count(),
            &LINES,
        )?;
    }
    Ok(format!("{LINES} lines each"))
}

async fn live(bench: Bench) -> Verdict {
    bench.sh("rm -f seen").await?;
    let script = "echo first; tries=0; until [ -e seen ]; do\n\
                  tries=$((tries+1)); [ $tries -lt 100 ] || exit 9; sleep 1; done; echo second";
    let began = Instant::now();
    let started = bench.start(bench.command(script));
    bench.soon("the first line", started.log.lines(1)).await?;
    let took = began.elapsed();
    bench.sh("touch seen").await?;
    let ran = started.end(bench.options.patience).await?;
    same("the output", &ran.stdout(), &"first\nsecond\n".to_owned())?;
    Ok(format!("the first line came after {took:.2?}"))
}

async fn large(bench: Bench) -> Verdict {
    let lines = bench.options.big_output / LINE;
    let script =
        format!("awk 'BEGIN {{ for (i = 0; i < {lines}; i++) printf \"%010d {FILL}\\n\", i }}'");
    let seen = Arc::new(Mutex::new(Seen::new()));
    let output = log::output(Checking(Arc::clone(&seen)));
    let command = bench.command(&script);
    let io = ExecIo::new(output.clone(), CancellationToken::new());
    let began = Instant::now();
    let running = bench.session.exec(&command, io);
    let status = within(bench.options.longest, "large output", running).await??;
    let _ = output.finish().await;
    let took = began.elapsed();

    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    same("the status", &status, &ExitStatus::Code(0))?;
    ensure(seen.wrong.is_none(), || {
        format!("the first wrong line is the one after {:?}", seen.wrong)
    })?;
    same("the number of bytes", &seen.bytes, &(lines * LINE))?;
    let grown = match (seen.before, bench.options.memory) {
        (Some(before), Some(most)) => {
            let grown = seen.peak.saturating_sub(before);
            ensure(grown <= most, || {
                format!(
                    "memory grew by {} MiB while the reader was slow",
                    grown >> 20
                )
            })?;
            format!("memory grew by {} MiB", grown >> 20)
        }
        (None, _) => "memory not measured: unknown here".to_owned(),
        (_, None) => "memory not measured: no limit in the options".to_owned(),
    };
    let took = took.saturating_sub(STALL);
    Ok(format!("{} MiB in {took:.2?}, {grown}", seen.bytes >> 20))
}

/// The length of every line of the large output, in bytes.
const LINE: u64 = 100;

/// What stands in every line after its number of ten digits and a space.
const FILL: &str =
    "every line is just as long as the others, and this is what makes it so; the number tells";

/// How long the reader of the large output stops reading, so that an executor that does not hold the
/// process back has to keep what comes meanwhile.
const STALL: Duration = Duration::from_secs(2);

/// What was seen of the large output.
struct Seen {
    bytes: u64,
    /// The piece of a line at the end of the last chunk.
    rest: Vec<u8>,
    /// The number of the last right line before the first wrong one.
    wrong: Option<u64>,
    lines: u64,
    before: Option<u64>,
    peak: u64,
}

impl Seen {
    fn new() -> Self {
        Self {
            bytes: 0,
            rest: Vec::new(),
            wrong: None,
            lines: 0,
            before: machine::resident(),
            peak: 0,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.rest.extend_from_slice(bytes);
        let rest = std::mem::take(&mut self.rest);
        let mut lines = rest.chunks_exact(usize::try_from(LINE).unwrap_or(usize::MAX));
        for line in &mut lines {
            let expected = format!("{:010} {FILL}\n", self.lines);
            if line != expected.as_bytes() && self.wrong.is_none() {
                self.wrong = Some(self.lines);
            }
            self.lines += 1;
        }
        self.rest = lines.remainder().to_vec();
        self.peak = self.peak.max(machine::resident().unwrap_or(0));
    }
}

struct Checking(Arc<Mutex<Seen>>);

impl std::fmt::Debug for Checking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checking")
    }
}

impl LogSink for Checking {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        if chunk.stream == Stream::Stdout {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let first = seen.bytes == 0;
            seen.take(&chunk.bytes);
            if first {
                // As a full disk cache would.
                std::thread::sleep(STALL);
            }
        }
        Ok(())
    }
}

async fn no_text(bench: Bench) -> Verdict {
    let ran = bench
        .script(r"printf 'a\377\376\000b\200\n\303'; printf '\251\r\n\033[0m' >&2")
        .await?;
    same(
        "standard output",
        &ran.log.bytes(Stream::Stdout),
        &b"a\xff\xfe\0b\x80\n\xc3".to_vec(),
    )?;
    same(
        "standard error",
        &ran.log.bytes(Stream::Stderr),
        &b"\xa9\r\n\x1b[0m".to_vec(),
    )?;
    Ok(String::new())
}

async fn long_line(bench: Bench) -> Verdict {
    const LENGTH: usize = 5 << 20;
    let script = format!("head -c {LENGTH} /dev/zero | tr '\\0' x; printf end");
    let bytes = bench.script(&script).await?.log.bytes(Stream::Stdout);
    same("its length", &bytes.len(), &(LENGTH + 3))?;
    let right = bytes[..LENGTH].iter().all(|byte| *byte == b'x') && bytes.ends_with(b"end");
    ensure(right, || "its bytes were changed".to_owned())?;
    Ok("5 MiB without a newline".to_owned())
}

async fn closed(bench: Bench) -> Verdict {
    let script = "echo before; exec >&- 2>&-; sleep 1; touch ran-on; exit 3";
    bench.sh("rm -f ran-on").await?;
    let ran = bench.script(script).await?;
    same("the status", &ran.status, &ExitStatus::Code(3))?;
    same("the output", &ran.stdout(), &"before\n".to_owned())?;
    let ran_on = bench.sh("[ -e ran-on ] && echo yes").await;
    ran_on.map_err(|_| Trouble::failed("the command did not run on"))?;
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_byte_and_a_swapped_line_are_noticed() {
        let line = |number: u64| format!("{number:010} {FILL}\n").into_bytes();
        assert_eq!(line(7).len() as u64, LINE);
        let whole: Vec<u8> = (0..50).flat_map(line).collect();
        let check = |bytes: &[u8], cut: usize| {
            let mut seen = Seen::new();
            bytes.chunks(cut).for_each(|piece| seen.take(piece));
            (seen.bytes, seen.wrong)
        };
        for cut in [1, 7, 100, 101, 5000] {
            assert_eq!(check(&whole, cut), (5000, None));
        }
        let mut lost = whole.clone();
        lost.remove(2345);
        assert_eq!(check(&lost, 64), (4999, Some(23)));
        let mut swapped = whole;
        swapped[300..500].rotate_left(100);
        assert_eq!(check(&swapped, 64), (5000, Some(3)));
    }
}
