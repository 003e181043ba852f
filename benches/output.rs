//! What output costs: a GiB of log lines with ten secrets to mask, to nowhere and to a file.

#![expect(clippy::print_stdout, reason = "the fresh process tells its numbers")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use ci_benches::measure::{asked_for, for_real, peak_memory};
use ci_benches::table::{Table, note};
use ci_benches::{Error, child, engine};
use ci_core::clock::Clock;
use ci_core::secret::SecretSet;
use ci_core::session::{LogSink, Output, OutputChunk, OutputOptions, Stream};

/// As much as a pipe gives at once on Linux (pipe(7)).
const PIECE: usize = 64 * 1024;

fn main() -> Result<(), Error> {
    if !asked_for("output") {
        return Ok(());
    }
    if let Some(part) = child::part() {
        let (mbytes_per_second, peak) = match part.as_str() {
            "null" => masked(io::sink())?,
            "file" => masked(scratch_file()?)?,
            "bare file" => bare(&mut scratch_file()?)?,
            other => return Err(format!("there is no part `{other}`").into()),
        };
        println!("{mbytes_per_second} {peak}");
        return Ok(());
    }
    let mib = wanted() / (1024 * 1024);
    let title = format!("Output: {mib} MiB of log lines in pieces of 64 KiB, 10 secrets masked");
    let headings = ["", "MB/s", "peak memory, MiB", "speed / bare file"];
    let mut table = Table::new(title, &headings);
    let mut speeds = Vec::new();
    for part in ["bare file", "file", "null"] {
        let [speed, peak]: [f64; 2] = child::run(part)?
            .try_into()
            .map_err(|_| format!("the part `{part}` did not give two numbers"))?;
        speeds.push(speed);
        table.row([
            part.to_owned(),
            format!("{speed:.0}"),
            format!("{:.1}", peak / (1024.0 * 1024.0)),
            format!("{:.2}", speed / speeds[0]),
        ]);
    }
    table.print();
    note("the bare file takes the same pieces without an `Output` before it: nothing is masked");
    Ok(())
}

fn wanted() -> usize {
    if for_real() { 1 << 30 } else { 1 << 23 }
}

fn scratch_file() -> io::Result<File> {
    tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR"))
}

/// Counts what comes and passes it on.
#[derive(Debug)]
struct Counting<W> {
    to: W,
    bytes: Arc<AtomicU64>,
}

impl<W: Write + Send + std::fmt::Debug> LogSink for Counting<W> {
    fn write(&mut self, chunk: &OutputChunk) -> io::Result<()> {
        let length = u64::try_from(chunk.bytes.len()).unwrap_or(u64::MAX);
        self.bytes.fetch_add(length, Ordering::Relaxed);
        self.to.write_all(&chunk.bytes)
    }
}

fn secrets() -> Vec<(String, String)> {
    let secret = |number: usize| {
        (
            format!("TOKEN_{number}"),
            format!("s3cr3t-value-{number}-0123456789"),
        )
    };
    (0..10).map(secret).collect()
}

/// About a MiB of lines as build tools write them; in one of a hundred a secret. Its length is no
/// multiple of [`PIECE`], so that pieces end in the middle of lines and of secrets.
fn lines() -> Result<String, Error> {
    let secrets = secrets();
    let mut text = String::new();
    let mut line = 0_usize;
    while text.len() < (1 << 20) + 12_345 {
        write!(
            text,
            "[{line:>7}] Compiling a-crate-of-the-project v1.{}.0 (crates/part-{})",
            line % 40,
            line % 97
        )?;
        if line.is_multiple_of(100) {
            write!(
                text,
                " with token {}",
                secrets[line / 100 % secrets.len()].1
            )?;
        }
        text.push('\n');
        line += 1;
    }
    Ok(text)
}

/// MB per second, and the most bytes of memory this process had.
fn masked<W>(to: W) -> Result<(f64, u64), Error>
where
    W: Write + Send + std::fmt::Debug + 'static,
{
    let (secrets, text) = (secrets(), lines()?);
    let pairs = secrets
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let (masks, _) = SecretSet::new(pairs);
    let copies = wanted() / text.len();
    let expected = secrets
        .iter()
        .fold(text.clone(), |text, (_, value)| text.replace(value, "***"))
        .len()
        * copies;
    let came = Arc::new(AtomicU64::new(0));
    let bytes = Arc::clone(&came);
    let options = OutputOptions::new(Arc::new(masks), Clock::system());
    let output = Output::new(&options, Box::new(Counting { to, bytes }));
    let (runtime, sent) = (engine::runtime()?, text.len() * copies);
    let begun = Instant::now();
    engine::on_worker(&runtime, async move {
        let mut pieces = Pieces::new(text, copies);
        while let Some(piece) = pieces.next_piece() {
            output.write(Stream::Stdout, piece).await;
        }
        Ok(output.finish().await?)
    })?;
    let taken = begun.elapsed();
    let came = came.load(Ordering::Relaxed);
    if came != u64::try_from(expected)? {
        return Err(format!("{came} bytes came out, {expected} were expected").into());
    }
    Ok((speed(sent, taken.as_secs_f64()), peak_memory()?))
}

fn bare(to: &mut File) -> Result<(f64, u64), Error> {
    let text = lines()?;
    let copies = wanted() / text.len();
    let sent = text.len() * copies;
    let begun = Instant::now();
    let mut pieces = Pieces::new(text, copies);
    while let Some(piece) = pieces.next_piece() {
        to.write_all(piece)?;
    }
    let taken = begun.elapsed();
    Ok((speed(sent, taken.as_secs_f64()), peak_memory()?))
}

#[expect(clippy::cast_precision_loss, reason = "far fewer bytes than 2^52")]
fn speed(bytes: usize, seconds: f64) -> f64 {
    bytes as f64 / 1e6 / seconds
}

/// A text, over and over, in pieces as a pipe gives them: the last of a copy is shorter.
struct Pieces {
    text: String,
    copies: usize,
    at: usize,
}

impl Pieces {
    fn new(text: String, copies: usize) -> Self {
        Self {
            text,
            copies,
            at: 0,
        }
    }

    fn next_piece(&mut self) -> Option<&[u8]> {
        if self.at == self.text.len() {
            (self.at, self.copies) = (0, self.copies.checked_sub(1)?);
        }
        if self.copies == 0 {
            return None;
        }
        let begin = self.at;
        self.at = (begin + PIECE).min(self.text.len());
        self.text.as_bytes().get(begin..self.at)
    }
}
