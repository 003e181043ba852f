//! Reports read: test results and coverage of 50 MB beside the crates that read them too, and what
//! reports made to break a reader cost, in time and memory.

#![expect(clippy::print_stdout, reason = "the fresh process tells its numbers")]

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ci_benches::measure::{Contender, asked_for, for_real, interleaved, peak_memory};
use ci_benches::reports::files::{self, Covered, Tests};
use ci_benches::reports::{coverage, hostile, junit};
use ci_benches::table::{Table, note};
use ci_benches::{Error, child};

/// Each has at most so many turns, and three at least if they take longer than [`PATIENCE`].
const ROUNDS: usize = 15;
const PATIENCE: Duration = Duration::from_secs(4);

/// What the process that was started first tells those that it starts: where the files are.
const FILES: &str = "CI_BENCH_FILES";

fn main() -> Result<(), Error> {
    if let Some(part) = child::part() {
        let files = std::env::var_os(FILES).ok_or("there are no files to read")?;
        let (seconds, peak) = alone(&part, Path::new(&files))?;
        println!("{seconds} {peak}");
        return Ok(());
    }
    if !asked_for("report") {
        return Ok(());
    }
    // On the disk of the build, not in a temporary directory that may be memory.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let made = Made::write(dir.path())?;
    made.tests()?;
    made.cobertura()?;
    made.lcov()?;
    memory(dir.path())
}

/// The files, and what they say.
struct Made {
    junit: (Vec<u8>, Tests),
    cobertura: (Vec<u8>, Covered),
    lcov: (Vec<u8>, Covered),
}

/// Makes a file in a directory with what `fill` writes, and reads it back.
fn make<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<T>,
) -> Result<(Vec<u8>, T), Error> {
    let mut writer = BufWriter::new(File::create(path)?);
    let said = fill(&mut writer)?;
    writer.flush()?;
    Ok((std::fs::read(path)?, said))
}

impl Made {
    fn write(dir: &Path) -> Result<Self, Error> {
        // A test run only asks whether everything works.
        let part = if for_real() { 1 } else { 200 };
        Ok(Self {
            junit: make(&dir.join("junit"), |to| files::junit(to, 200_000 / part))?,
            cobertura: make(&dir.join("cobertura"), |to| {
                files::cobertura(to, 1_600 / part)
            })?,
            lcov: make(&dir.join("lcov"), |to| files::lcov(to, 2_800 / part))?,
        })
    }

    fn tests(&self) -> Result<(), Error> {
        let (bytes, said) = &self.junit;
        let reader = |name, read: fn(&[u8]) -> Result<Tests, Error>| {
            Contender::new(name, move || timed(said, || read(bytes)))
        };
        let contenders = vec![
            reader("quick-xml's loop, checked", junit::quick_xml_loop),
            reader("ci-core, visitor", junit::visited),
            reader("ci-core, collected", junit::collected),
            reader("junit-parser", junit::junit_parser),
            reader("quick-junit", junit::quick_junit),
        ];
        let title = format!("JUnit, {} cases, {} failed", said.cases, said.failed);
        race(&title, bytes.len(), contenders)?;
        note("quick-xml's loop finds tags and raw attributes; the others build cases");
        Ok(())
    }

    fn cobertura(&self) -> Result<(), Error> {
        let (bytes, said) = &self.cobertura;
        let looped = |checked| {
            move || {
                timed(&said.functions, || {
                    coverage::quick_xml_loop(bytes, checked).map(|seen| seen.functions)
                })
            }
        };
        let contenders = vec![
            Contender::new("quick-xml's loop, checked", looped(true)),
            Contender::new("quick-xml's loop, not checked", looped(false)),
            Contender::new("ci-core, visitor", || {
                timed(said, || coverage::visited(&bytes[..]))
            }),
            Contender::new("ci-core, collected", || {
                timed(said, || coverage::collected(&bytes[..]))
            }),
        ];
        let title = format!(
            "Cobertura, {} lines, {} branches",
            said.lines, said.branches
        );
        race(&title, bytes.len(), contenders)?;
        note(
            "quick-xml's loop finds tags and raw attributes; ci-core reads numbers and conditions",
        );
        Ok(())
    }

    fn lcov(&self) -> Result<(), Error> {
        let (bytes, said) = &self.lcov;
        let contenders = vec![
            Contender::new("grcov", || {
                // It wants a copy of its own, which is not its work.
                let mut copy = Some(bytes.clone());
                timed(said, || coverage::grcov(copy.take().unwrap_or_default()))
            }),
            Contender::new("ci-core, visitor", || {
                timed(said, || coverage::visited(&bytes[..]))
            }),
            Contender::new("ci-core, collected", || {
                timed(said, || coverage::collected(&bytes[..]))
            }),
            Contender::new("lcov, records", || {
                timed(said, || coverage::lcov_records(bytes))
            }),
        ];
        let title = format!(
            "LCOV, {} lines, {} branches, {} functions",
            said.lines, said.branches, said.functions
        );
        race(&title, bytes.len(), contenders)?;
        note("grcov and `collected` build a model of all files; the others forget each record");
        Ok(())
    }
}

/// The time that `read` took, which must have seen what the file says.
fn timed<T>(said: &T, read: impl FnOnce() -> Result<T, Error>) -> Result<Duration, Error>
where
    T: PartialEq + std::fmt::Debug,
{
    let begun = Instant::now();
    let seen = read()?;
    let taken = begun.elapsed();
    if seen == *said {
        Ok(taken)
    } else {
        Err(format!("it saw {seen:?} where there is {said:?}").into())
    }
}

/// Lets all read, and prints their times beside that of the first.
fn race(title: &str, bytes: usize, contenders: Vec<Contender<'_>>) -> Result<(), Error> {
    let rounds = if for_real() { ROUNDS } else { 1 };
    let times = interleaved(contenders, rounds, PATIENCE)?;
    let first = times.first().map(|(_, time)| *time).unwrap_or_default();
    let bytes = f64::from(u32::try_from(bytes)?);
    let title = format!("{title}, {:.0} MB: the least of some runs", bytes / 1e6);
    let (name, _) = times.first().copied().unwrap_or_default();
    let mut table = Table::new(title, &["", "ms", "MB/s", &format!("/ {name}")]);
    for (name, time) in times {
        let seconds = time.as_secs_f64();
        table.row([
            name.to_owned(),
            format!("{:.1}", seconds * 1e3),
            format!("{:.0}", bytes / seconds / 1e6),
            format!("{:.2}", seconds / first.as_secs_f64()),
        ]);
    }
    table.print();
    Ok(())
}

/// A part that is measured in a process of its own.
struct Part {
    name: &'static str,
    read: fn(&Path) -> Result<(), Error>,
}

/// What hostile reports have of their kind: bytes, suites, attributes.
fn hostile_size(full: u64) -> u64 {
    if for_real() { full } else { full / 200 }
}

fn whole(path: &Path, name: &str) -> Result<Vec<u8>, Error> {
    Ok(std::fs::read(path.join(name))?)
}

fn file(path: &Path, name: &str) -> Result<File, Error> {
    Ok(File::open(path.join(name))?)
}

fn tests_of(reader: impl Read) -> Result<(), Error> {
    junit::streamed(reader).map(drop)
}

const PARTS: [Part; 13] = [
    Part {
        name: "nothing",
        read: |_| Ok(()),
    },
    Part {
        name: "JUnit, ci-core",
        read: |dir| tests_of(file(dir, "junit")?),
    },
    Part {
        name: "JUnit, quick-xml's loop",
        read: |dir| junit::quick_xml_loop(&whole(dir, "junit")?).map(drop),
    },
    Part {
        name: "JUnit, junit-parser",
        read: |dir| junit::junit_parser(&whole(dir, "junit")?).map(drop),
    },
    Part {
        name: "JUnit, quick-junit",
        read: |dir| junit::quick_junit(&whole(dir, "junit")?).map(drop),
    },
    Part {
        name: "Cobertura, ci-core",
        read: |dir| coverage::visited(file(dir, "cobertura")?).map(drop),
    },
    Part {
        name: "Cobertura, ci-core, collected",
        read: |dir| coverage::collected(file(dir, "cobertura")?).map(drop),
    },
    Part {
        name: "LCOV, ci-core",
        read: |dir| coverage::visited(file(dir, "lcov")?).map(drop),
    },
    Part {
        name: "LCOV, ci-core, collected",
        read: |dir| coverage::collected(file(dir, "lcov")?).map(drop),
    },
    Part {
        name: "LCOV, grcov",
        read: |dir| coverage::grcov(whole(dir, "lcov")?).map(drop),
    },
    Part {
        name: "CDATA of 200 MB, ci-core",
        read: |_| tests_of(hostile::cdata(hostile_size(200_000_000))),
    },
    Part {
        name: "300,000 nested suites, ci-core",
        read: |_| tests_of(hostile::nested(hostile_size(300_000))),
    },
    Part {
        name: "80,000 attributes, ci-core",
        read: |_| tests_of(hostile::attributes(hostile_size(80_000))),
    },
];

/// Seconds, and the most bytes this process had.
fn alone(part: &str, files: &Path) -> Result<(f64, u64), Error> {
    let part = PARTS
        .iter()
        .find(|known| known.name == part)
        .ok_or_else(|| format!("there is no part `{part}`"))?;
    let begun = Instant::now();
    (part.read)(files)?;
    Ok((begun.elapsed().as_secs_f64(), peak_memory()?))
}

/// Reads each report in a process of its own.
fn memory(files: &Path) -> Result<(), Error> {
    let headings = ["", "ms", "peak memory above nothing, MiB"];
    let mut table = Table::new("Memory: one process each, from the file", &headings);
    let mut nothing = None;
    for part in &PARTS {
        let files = [(FILES, PathBuf::from(files))];
        let [seconds, peak]: [f64; 2] = child::run_with(part.name, &files)?
            .try_into()
            .map_err(|_| format!("the part `{}` did not give two numbers", part.name))?;
        let above = peak - *nothing.get_or_insert(peak);
        table.row([
            part.name.to_owned(),
            format!("{:.0}", seconds * 1e3),
            format!("{:.1}", above / (1024.0 * 1024.0)),
        ]);
    }
    table.print();
    Ok(())
}
