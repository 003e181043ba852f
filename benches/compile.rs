//! What vendors' files cost: compiling a matrix of 10,000 jobs and every file of the corpus, and small
//! GitLab pipelines from the command line beside the bare commands and gitlab-ci-local.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_benches::Error;
use ci_benches::measure::{for_real, median};
use ci_benches::table::{Table, note, ratio};
use ci_core::config::circleci::{CompileOptions, OrbDirectory, compile};
use ci_core::config::gitlab::{Directory, Options, Project};

/// The jobs of the matrix, and how long compiling and lowering them may take.
const MATRIX: usize = 10_000;
const MATRIX_LIMIT: Duration = Duration::from_millis(300);

/// How long a file of the corpus may take.
const FILE_LIMIT: Duration = Duration::from_millis(20);

fn main() -> Result<(), Error> {
    let rounds = if for_real() { 5 } else { 1 };
    matrix(rounds)?;
    corpus(rounds);
    command_line(rounds)
}

fn millis(time: Option<Duration>) -> String {
    time.map_or_else(
        || "-".to_owned(),
        |time| format!("{:.1}", time.as_secs_f64() * 1e3),
    )
}

fn timed(rounds: usize, mut work: impl FnMut() -> Result<(), Error>) -> Result<Duration, Error> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        work()?;
        times.push(begun.elapsed());
    }
    median(times).ok_or_else(|| "nothing was measured".into())
}

/// A CircleCI matrix of 10,000 jobs: to the vendor's compiled form, and to a workflow.
fn matrix(rounds: usize) -> Result<(), Error> {
    let list = |count: usize| {
        let values: Vec<String> = (0..count).map(|value| value.to_string()).collect();
        values.join(", ")
    };
    let side = 100;
    let text = format!(
        "version: 2.1\njobs:\n  test:\n    parameters: {{a: {{type: integer}}, b: {{type: integer}}}}\n    \
         docker: [{{image: \"cimg/base:current\"}}]\n    steps:\n      - checkout\n      \
         - run: make test A=<< parameters.a >> B=<< parameters.b >>\nworkflows:\n  main:\n    jobs:\n      \
         - test: {{matrix: {{parameters: {{a: [{}], b: [{}]}}}}}}\n",
        list(side),
        list(MATRIX / side),
    );
    let options = CompileOptions::default();
    let compiling = timed(rounds, || {
        compile(&text, "config.yml", &options)?;
        Ok(())
    })?;
    let whole = timed(rounds, || {
        let lowered = compile(&text, "config.yml", &options)?.lower(None, &options)?;
        match lowered.workflow.jobs.len() {
            MATRIX => Ok(()),
            other => Err(format!("{other} jobs came out of {MATRIX}").into()),
        }
    })?;
    let mut table = Table::new(
        format!("Compiling a matrix of {MATRIX} jobs, median of {rounds}"),
        &["", "ms", "limit"],
    );
    for (what, time) in [("compile", compiling), ("compile and lower", whole)] {
        let limit = millis(Some(MATRIX_LIMIT));
        table.row([what.to_owned(), millis(Some(time)), limit]);
    }
    table.print();
    Ok(())
}

/// Every configuration of the corpus, each by itself.
fn corpus(rounds: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/configs");
    if !root.is_dir() {
        note("the corpus of configurations is not beside the project: its files are not measured");
        return;
    }
    let mut options = CompileOptions::default();
    options.orbs = Arc::new(OrbDirectory::new([root.join("orb-registry")]));
    options.pipeline.facts.branch = Some("main".to_owned());
    let mut times: Vec<(Duration, PathBuf)> = Vec::new();
    for dir in ["circleci", "circleci-process-pairs", "gitlab"] {
        for file in files(&root.join(dir)) {
            let Ok(text) = std::fs::read_to_string(&file) else {
                continue;
            };
            let name = file.display().to_string();
            let time = timed(rounds, || {
                // That an orb or an include is not at hand takes its time too.
                if dir == "gitlab" {
                    let files = Directory::new(file.parent().unwrap_or(&file));
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    let options = Options::new().file(name).stub_missing();
                    let _ = Project::load(&files, &options);
                } else if let Ok(compiled) = compile(&text, &name, &options) {
                    let _ = compiled.lower(None, &options);
                }
                Ok(())
            });
            times.extend(time.map(|time| (time, file)));
        }
    }
    times.sort();
    let over = times.iter().filter(|(time, _)| *time > FILE_LIMIT).count();
    let middle = times.get(times.len() / 2).map(|(time, _)| *time);
    let title = format!("Compiling the {} files of the corpus", times.len());
    let mut table = Table::new(title, &["", "ms"]);
    table.row(["median".to_owned(), millis(middle)]);
    for (time, file) in times.iter().rev().take(3) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        table.row([name.into_owned(), millis(Some(*time))]);
    }
    table.print();
    let limit = millis(Some(FILE_LIMIT));
    note(&format!("{over} files take more than {limit} ms"));
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "yml"))
        .collect();
    files.sort();
    files
}

/// Small pipelines from the command line: the whole of `ci run`, less the bare commands, beside the
/// whole of the peer, less the same.
fn command_line(rounds: usize) -> Result<(), Error> {
    let chain = (0..50).fold(String::new(), |mut text, job| {
        let needs = match job {
            0 => "[]".to_owned(),
            job => format!("[j{}]", job - 1),
        };
        let _ = writeln!(text, "j{job}: {{script: ['true'], needs: {needs}}}");
        text
    });
    let three = "stages: [build, test, deploy]\nbuild: {stage: build, script: [echo build]}\n\
                 test: {stage: test, script: [echo test]}\ndeploy: {stage: deploy, script: [echo deploy]}\n";
    let pipelines = [
        ("three jobs", three.to_owned(), 3),
        ("a chain of 50", chain, 50),
        (
            "`parallel: 200`",
            "t: {parallel: 200, script: ['true']}\n".to_owned(),
            200,
        ),
    ];
    let ci = program("CI_BENCH_CI", sibling("ci"));
    let peer = program("CI_BENCH_PEER", PathBuf::from("gitlab-ci-local"));
    if ci.is_none() {
        note(
            "there is no `ci` beside this benchmark: cargo build --profile bench -p ci-examples --bin ci",
        );
    }
    if peer.is_none() {
        note(
            "gitlab-ci-local does not start: npm i gitlab-ci-local (4.61.0 for Node 20), and name it in \
             CI_BENCH_PEER",
        );
    }
    let title =
        format!("GitLab pipelines in the shell, overhead over the commands, median of {rounds}");
    let headings = ["", "commands ms", "ci run ms", "peer ms", "ours / peer's"];
    let mut table = Table::new(title, &headings);
    // All of ours come first: where a file system passes over what was deleted in the last minute (ext4
    // does), what the peer leaves behind would be measured too.
    let mut measured = Vec::new();
    for (name, text, jobs) in pipelines {
        let dir = tempfile::tempdir()?;
        std::fs::write(dir.path().join(".gitlab-ci.yml"), text)?;
        let git = "git init -q && git add . && git -c user.name=a -c user.email=a@b commit -qm x";
        run(Path::new("sh"), &["-c", git], dir.path())?;
        let bare = timed(rounds, || {
            (0..jobs).try_for_each(|_| run(Path::new("bash"), &["-c", "true"], dir.path()))
        })?;
        let ours = whole(ci.as_deref(), &["run", "-q"], dir.path(), bare, rounds)?;
        measured.push((name, dir, bare, ours));
    }
    for (name, dir, bare, ours) in measured {
        let theirs = whole(peer.as_deref(), &["--no-color"], dir.path(), bare, rounds)?;
        table.row([
            name.to_owned(),
            millis(Some(bare)),
            millis(ours),
            millis(theirs),
            ratio(ours, theirs),
        ]);
    }
    table.print();
    Ok(())
}

/// How long a program takes for a pipeline, less the commands in it; `None` without the program.
fn whole(
    program: Option<&Path>,
    words: &[&str],
    dir: &Path,
    bare: Duration,
    rounds: usize,
) -> Result<Option<Duration>, Error> {
    let Some(program) = program else {
        return Ok(None);
    };
    let time = timed(rounds, || run(program, words, dir))?;
    Ok(Some(time.saturating_sub(bare)))
}

/// The program that a variable names, or the usual one; `None` if it does not start.
fn program(variable: &str, usual: PathBuf) -> Option<PathBuf> {
    let program = std::env::var_os(variable).map_or(usual, PathBuf::from);
    let mut started = Command::new(&program);
    let started = started.arg("--version").stdin(Stdio::null()).output();
    let works = started.is_ok_and(|output| output.status.success());
    works.then_some(program)
}

/// The program of this name in the directory of this build.
fn sibling(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    let dir = here.parent().and_then(Path::parent);
    dir.map_or_else(|| name.into(), |dir| dir.join(name))
}

fn run(program: &Path, words: &[&str], dir: &Path) -> Result<(), Error> {
    let mut command = Command::new(program);
    let command = command.args(words).current_dir(dir);
    let output = command
        .env("CI_STORE", dir.join(".state/runs.db"))
        .env("CI_STORAGE", dir.join(".state/storage"))
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "`{}` ended with {}: {told}",
        program.display(),
        output.status
    )
    .into())
}
