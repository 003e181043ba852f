//! What a process costs: 2,000 times `true`, beside ninja and make with the same commands.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_benches::measure::{for_real, median};
use ci_benches::table::{Table, micros_each, note, ratio};
use ci_benches::{Error, engine};
use ci_core::executor::LocalExecutor;
use ci_core::job::JobSpec;
use ci_core::step::StepSpec;
use ci_core::workflow::WorkflowSpec;

fn main() -> Result<(), Error> {
    let (commands, rounds) = if for_real() { (2_000, 5) } else { (20, 1) };
    let dir = tempfile::tempdir()?;
    write_build_files(dir.path(), commands)?;
    let steps: Arc<[StepSpec]> = Arc::from([StepSpec::run("true")]);
    let jobs = (0..commands).map(|job| JobSpec::new(format!("j{job}")).steps(Arc::clone(&steps)));
    let workflow = Arc::new(WorkflowSpec::builder("measured").jobs(jobs).build()?);
    let runtime = engine::runtime()?;
    let (mut ours, mut ninja, mut make) = (Vec::new(), Vec::new(), Vec::new());
    // Alternating, so that a busy moment of the machine hits all of them.
    for _ in 0..rounds {
        let options = engine::options()
            .project_dir(dir.path())
            .executor(LocalExecutor::new());
        let run = engine::timed_run(Arc::clone(&workflow), options);
        ours.push(engine::on_worker(&runtime, run)?);
        ninja.push(build("ninja", "ninja-build", dir.path())?);
        make.push(build("make", "make", dir.path())?);
    }
    let (ours, ninja, make) = (median(ours), median(ninja), median(make));
    let title = format!("Spawning: {commands} times `true`, 2 at once, median of {rounds}");
    let mut table = Table::new(title, &["", "µs/command", "ci-core / it"]);
    for (name, time) in [("ci-core", ours), ("ninja -j2", ninja), ("make -j2", make)] {
        table.row([
            name.to_owned(),
            micros_each(time, commands),
            ratio(ours, time),
        ]);
    }
    table.print();
    note("ci-core and ninja give the command to a shell; make starts so simple a command itself");
    Ok(())
}

/// Build files whose targets are never made, so that every build runs every command.
fn write_build_files(dir: &Path, commands: usize) -> Result<(), Error> {
    let mut ninja = String::from("rule command\n  command = true\n");
    let mut make = String::from("all:");
    for command in 0..commands {
        writeln!(ninja, "build t{command}: command")?;
        write!(make, " t{command}")?;
    }
    make.push('\n');
    for command in 0..commands {
        writeln!(make, "t{command}:\n\t@true")?;
    }
    std::fs::write(dir.join("build.ninja"), ninja)?;
    std::fs::write(dir.join("Makefile"), make)?;
    Ok(())
}

/// How long a build tool takes in `dir`.
fn build(program: &str, package: &str, dir: &Path) -> Result<Duration, Error> {
    let begun = Instant::now();
    let status = Command::new(program)
        .arg("-j2")
        .current_dir(dir)
        .stdout(Stdio::null())
        .status()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                format!("`{program}` is not installed: it is in the package `{package}`").into()
            }
            _ => Error::from(error),
        })?;
    let taken = begun.elapsed();
    if status.success() {
        Ok(taken)
    } else {
        Err(format!("`{program}` ended with {status}").into())
    }
}
