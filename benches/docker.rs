//! Jobs in containers beside the docker client: a step, a job, twenty steps, files, and much output.
//!
//! It wants a Docker Engine (`CI_CORE_DOCKER_HOST`, else `DOCKER_HOST`, else the usual socket) with an
//! image that has busybox (`CI_CORE_DOCKER_IMAGE`, else `ci-core-base`, which the tests of ci-docker make).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ci_benches::measure::{Contender, asked_for, for_real, interleaved};
use ci_benches::table::{Table, note, ratio};
use ci_benches::{Error, engine};
use ci_core::archive::{PackRoot, pack_stream};
use ci_core::clock::Clock;
use ci_core::executor::{Executor, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{
    Command, CopyRoot, ExecIo, ExitStatus, LogSink, Output, OutputChunk, OutputOptions, Session,
    TreeSelection,
};
use ci_docker::{DockerExecutor, PullPolicy};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// After how much of its time a contender stands out.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is measured and how large it is.
struct Sizes {
    rounds: usize,
    steps: usize,
    files: usize,
    output: u64,
}

/// The engine and what runs on it.
struct Place {
    host: String,
    image: String,
    executor: DockerExecutor,
    runtime: Runtime,
}

/// Counts what is written.
#[derive(Debug, Clone, Default)]
struct Count(Arc<AtomicU64>);

impl LogSink for Count {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        let length = chunk.bytes.len() as u64;
        self.0.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let sizes = if for_real() {
        Sizes {
            rounds: 10,
            steps: 20,
            files: 10_000,
            output: 1 << 30,
        }
    } else {
        Sizes {
            rounds: 1,
            steps: 2,
            files: 10,
            output: 1 << 20,
        }
    };
    let place = Place::new()?;
    if let Err(error) = place.runtime.block_on(place.executor.engine_version()) {
        if for_real() {
            return Err(error.into());
        }
        note(&format!("NOT MEASURED: {error}"));
        return Ok(());
    }
    let title = "Jobs in containers beside the docker client, least of all rounds";
    let headings = ["", "ci-docker", "docker", "ci-docker / docker", "at most"];
    let mut table = Table::new(title, &headings);
    let session = place.session(RunId::new())?;
    let measured = measured(&place, &*session, &sizes);
    place.runtime.block_on(session.teardown())?;
    for (name, most, measured) in measured? {
        let [(_, ours), (_, theirs)] = measured.as_slice() else {
            continue;
        };
        table.row([
            name,
            format!("{ours:.1?}"),
            format!("{theirs:.1?}"),
            ratio(Some(*ours), Some(*theirs)),
            most.to_owned(),
        ]);
    }
    table.print();
    note("docker: exec, run --rm, one run --rm a step, cp, and exec again for the output");
    Ok(())
}

type Measured<'a> = (String, &'static str, Vec<(&'a str, Duration)>);

/// All that the command line asks for, each in turn with the docker client.
#[expect(clippy::too_many_lines, reason = "a list of what is measured")]
fn measured<'a>(
    place: &'a Place,
    session: &'a dyn Session,
    sizes: &Sizes,
) -> Result<Vec<Measured<'a>>, Error> {
    let dir = tempfile::tempdir()?;
    let name = place.container()?;
    let mut all = Vec::new();
    let mut take = |name: String, most, rounds, pair: [Contender<'a>; 2]| -> Result<(), Error> {
        if asked_for(&name) {
            all.push((name, most, interleaved(pair.into(), rounds, PATIENCE)?));
        }
        Ok(())
    };
    let image = place.image.as_str();
    let pair = |ours: Box<dyn FnMut() -> Result<(), Error> + 'a>,
                theirs: Box<dyn FnMut() -> Result<(), Error> + 'a>| {
        let timed = |mut once: Box<dyn FnMut() -> Result<(), Error> + 'a>| {
            move || {
                let begun = Instant::now();
                once()?;
                Ok(begun.elapsed())
            }
        };
        [
            Contender::new("ci-docker", timed(ours)),
            Contender::new("docker", timed(theirs)),
        ]
    };
    let own = name.clone();
    take(
        "a step".to_owned(),
        "1.0",
        sizes.rounds * 4,
        pair(
            Box::new(|| place.exec(session, "true").map(drop)),
            Box::new(move || place.docker(&["exec", &own, "true"])),
        ),
    )?;
    take(
        "a job of one step".to_owned(),
        "0.9",
        sizes.rounds,
        pair(
            Box::new(|| place.job(1).map(drop)),
            Box::new(move || place.docker(&["run", "--rm", image, "true"])),
        ),
    )?;
    take(
        "the same until it is removed".to_owned(),
        "",
        sizes.rounds,
        pair(
            Box::new(|| place.settle(place.job(1)?)),
            Box::new(move || place.docker(&["run", "--rm", image, "true"])),
        ),
    )?;
    let steps = sizes.steps;
    take(
        format!("a job of {steps} steps"),
        "0.25",
        sizes.rounds.min(3),
        pair(
            Box::new(move || place.settle(place.job(steps)?)),
            Box::new(move || {
                (0..steps).try_for_each(|_| place.docker(&["run", "--rm", image, "true"]))
            }),
        ),
    )?;
    let (from, back) = (dir.path().join("in"), dir.path().join("out"));
    write_files(&from, sizes.files)?;
    let (ours, theirs) = (from.clone(), from.display().to_string());
    let there = format!("{name}:/theirs");
    let source = there.clone();
    take(
        format!("{} files in", sizes.files),
        "",
        sizes.rounds.min(3),
        pair(
            Box::new(move || place.copy_in(session, &ours)),
            Box::new(move || place.docker(&["cp", &theirs, &there])),
        ),
    )?;
    take(
        format!("{} files out", sizes.files),
        "",
        sizes.rounds.min(3),
        pair(
            Box::new(|| place.copy_out(session)),
            Box::new(move || {
                place.docker(&["cp", &source, &back.display().to_string()])?;
                Ok(std::fs::remove_dir_all(&back)?)
            }),
        ),
    )?;
    let output = sizes.output;
    let line = "a line of sixty-four bytes as programs write them, more or less";
    let script = format!("yes '{line}' | head -c {output}");
    let again = script.clone();
    take(
        format!("{} MiB of output", output >> 20),
        "2.0",
        sizes.rounds.min(3),
        pair(
            Box::new(move || {
                let came = place.exec(session, &script)?;
                if came == output {
                    return Ok(());
                }
                Err(format!("{came} of {output} bytes came").into())
            }),
            Box::new(move || place.docker(&["exec", &name, "sh", "-c", &again])),
        ),
    )?;
    Ok(all)
}

impl Place {
    fn new() -> Result<Self, Error> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let host = variable("CI_CORE_DOCKER_HOST").or_else(|| variable("DOCKER_HOST"));
        let host = host.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
        let image = variable("CI_CORE_DOCKER_IMAGE").unwrap_or_else(|| "ci-core-base".to_owned());
        let executor = DockerExecutor::new().host(&host).image(&image);
        Ok(Self {
            host,
            image,
            executor: executor.pull(PullPolicy::Never),
            runtime: engine::runtime()?,
        })
    }

    fn session(&self, run: RunId) -> Result<Box<dyn Session>, Error> {
        let (job, env) = (JobSpec::new("measured"), BTreeMap::new());
        let request = PrepareRequest::new(run, &job, &env);
        Ok(self.runtime.block_on(self.executor.prepare(request))?)
    }

    /// The name of the only container that is measured.
    fn container(&self) -> Result<String, Error> {
        let done = Process::new("docker")
            .args(["--host", &self.host, "ps", "--format", "{{.Names}}"])
            .args(["--filter", "label=ci-core.job=measured"])
            .output()?;
        let names = String::from_utf8(done.stdout)?;
        let name = names.lines().next().ok_or("the container is not there")?;
        Ok(name.to_owned())
    }

    /// Runs a script, and gives how much it wrote.
    fn exec(&self, session: &dyn Session, script: &str) -> Result<u64, Error> {
        self.runtime.block_on(async {
            let count = Count::default();
            let options = OutputOptions::new(Arc::default(), Clock::system());
            let output = Output::new(&options, Box::new(count.clone()));
            let io = ExecIo::new(output.clone(), CancellationToken::new());
            let ended = session.exec(&Command::sh(script), io).await?;
            output.finish().await?;
            if ended != ExitStatus::Code(0) {
                return Err(format!("`{script}` ended with {ended:?}").into());
            }
            Ok(count.0.load(Ordering::Relaxed))
        })
    }

    /// A whole job of so many steps, and its run.
    fn job(&self, steps: usize) -> Result<RunId, Error> {
        let run = RunId::new();
        let session = self.session(run)?;
        for _ in 0..steps {
            self.exec(&*session, "true")?;
        }
        self.runtime.block_on(session.teardown())?;
        Ok(run)
    }

    /// Waits until nothing is left of a run, as a run does at its end.
    fn settle(&self, run: RunId) -> Result<(), Error> {
        let report = self.runtime.block_on(self.executor.settle(run))?;
        if report.left.is_empty() {
            return Ok(());
        }
        Err(format!("left: {}", report.left.join(", ")).into())
    }

    fn copy_in(&self, session: &dyn Session, from: &Path) -> Result<(), Error> {
        let tree = pack_stream(vec![PackRoot::new("", from.to_owned())])?;
        Ok(self.runtime.block_on(session.copy_in(tree, "ours"))?)
    }

    fn copy_out(&self, session: &dyn Session) -> Result<(), Error> {
        let selection = TreeSelection::default().root(CopyRoot::new("", "ours"));
        let mut tree = self.runtime.block_on(session.copy_out(&selection))?;
        std::io::copy(&mut tree, &mut std::io::sink())?;
        Ok(())
    }

    fn docker(&self, words: &[&str]) -> Result<(), Error> {
        let mut docker = Process::new("docker");
        docker.args(["--host", &self.host]).args(words);
        let done = docker.stdout(Stdio::null()).status()?;
        if done.success() {
            return Ok(());
        }
        Err(format!("docker {words:?} failed").into())
    }
}

fn write_files(dir: &Path, count: usize) -> Result<(), Error> {
    for number in 0..count {
        let folder = dir.join(format!("d{}", number % 100));
        std::fs::create_dir_all(&folder)?;
        let name = format!("f{number}");
        std::fs::write(folder.join(&name), format!("file {number}\n"))?;
    }
    Ok(())
}
