//! Configurations of real projects compile, except for includes that are not on the machine.
#![cfg(feature = "gitlab")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test says what it found"
)]

use std::path::{Path, PathBuf};

use ci_core::config::gitlab::{Directory, Facts, Files, MemoryFiles, Options, Project};

/// The share of configurations that has to compile, in percent.
const WANTED: usize = 95;

/// The corpus beside the project, or further out.
fn corpus() -> Option<PathBuf> {
    let outer = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    outer
        .map(|dir| dir.join("shared/corpus/configs"))
        .find(|dir| dir.is_dir())
}

/// A project's files: its configuration, and the directory of its local includes.
fn project(path: &Path) -> MemoryFiles {
    let text = std::fs::read_to_string(path).unwrap();
    let includes = Directory::new(path.with_extension("d"));
    let others = includes
        .paths()
        .iter()
        .map(|path| (path.clone(), includes.read(path).unwrap()));
    let mut files: Vec<(String, String)> = others.collect();
    files.push((".gitlab-ci.yml".to_owned(), text));
    files.into_iter().collect()
}

fn facts() -> [(&'static str, Facts); 4] {
    [
        ("push to main", Facts::branch("main")),
        ("tag", Facts::tag("v1.2.3")),
        ("merge request", Facts::merge_request("topic", "main")),
        ("schedule", Facts::branch("main").source("schedule")),
    ]
}

#[test]
fn real_configurations_compile() {
    let Some(entries) = corpus().and_then(|dir| std::fs::read_dir(dir.join("gitlab")).ok()) else {
        eprintln!("the configurations are not on this machine: nothing to compile");
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yml"));
    paths.sort();
    let (mut good, mut failures) = (0, Vec::new());
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let files = project(path);
        let mut problems = Vec::new();
        for (what, facts) in facts() {
            match Project::load(&files, &Options::new().facts(facts).stub_missing()) {
                Ok(compiled) => {
                    let count = compiled.jobs().len();
                    match compiled.workflow() {
                        Ok(_) => println!("{name}: {what}: {count} jobs {:?}", compiled.why()),
                        // The vendor refuses these too: it depends on the pipeline.
                        Err(error) => println!("{name}: {what}: no pipeline: {error}"),
                    }
                }
                Err(error) => problems.push(format!("{name}: {what}: {error}")),
            }
        }
        if problems.is_empty() {
            good += 1;
        } else {
            failures.extend(problems);
        }
    }
    println!("{good} of {} configurations compile", paths.len());
    println!("{}", failures.join("\n"));
    assert!(
        good * 100 >= paths.len() * WANTED,
        "{}",
        failures.join("\n")
    );
}
