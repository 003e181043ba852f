//! Real CircleCI files: what the vendor compiles them to, and how many compile at all.
//!
//! The files lie beside the project, in `../shared/corpus`; where they are not there this says so.
#![cfg(feature = "circleci")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it is a test that prints figures"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ci_core::config::circleci::{CompileOptions, OrbDirectory, compile};
use ci_core::config::problem::{Problems, Severity};
use ci_core::config::yaml::{Node, Value, load};

fn corpus() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/configs");
    if dir.is_dir() {
        return Some(dir);
    }
    println!(
        "there is no corpus at {}: nothing is compared",
        dir.display()
    );
    None
}

fn options(corpus: &Path) -> CompileOptions {
    let mut options = CompileOptions::default();
    options.orbs = Arc::new(OrbDirectory::new([corpus.join("orb-registry")]));
    options.pipeline.facts.branch = Some("main".to_owned());
    options
}

fn files(dir: &Path, end: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(end))
        .collect();
    files.sort();
    files
}

/// Where two compiled files differ. A list of variables is as good as a map of them, and line breaks
/// at the end of a text do not count.
fn differences(path: &str, ours: &Node, theirs: &Node, out: &mut Vec<String>) {
    match (&ours.value, &theirs.value) {
        (Value::Map(a), Value::Map(b)) => {
            for (key, node) in a.iter() {
                let path = format!("{path}.{key}");
                match b.get(key) {
                    Some(other) if &**key == "environment" => {
                        let (a, b) = (variables(node), variables(other));
                        if a != b {
                            out.push(format!("{path}: {a:?} / {b:?}"));
                        }
                    }
                    Some(other) => differences(&path, node, other, out),
                    None => out.push(format!("{path}: only ours")),
                }
            }
            let missing = b.keys().filter(|key| !a.contains(key));
            out.extend(missing.map(|key| format!("{path}.{key}: only theirs")));
        }
        (Value::Seq(a), Value::Seq(b)) => {
            if a.len() != b.len() {
                out.push(format!("{path}: {} / {} items", a.len(), b.len()));
            }
            for (index, (a, b)) in a.iter().zip(b.iter()).enumerate() {
                differences(&format!("{path}[{index}]"), a, b, out);
            }
        }
        (Value::Str(a), Value::Str(b)) if a.trim_end() == b.trim_end() => {}
        (a, b) if a == b => {}
        (a, b) => out.push(format!("{path}: {a:?} / {b:?}")),
    }
}

fn variables(node: &Node) -> Vec<(String, String)> {
    let maps: Vec<&Node> = match node.as_seq() {
        Some(maps) => maps.iter().collect(),
        None => vec![node],
    };
    let mut variables = std::collections::BTreeMap::new();
    for map in maps.iter().filter_map(|map| map.as_map()) {
        for (name, value) in map.iter() {
            variables.insert(
                name.to_string(),
                value.scalar().unwrap_or_default().into_owned(),
            );
        }
    }
    variables.into_iter().collect()
}

#[test]
fn compiled_files_are_those_of_the_vendor() {
    let Some(corpus) = corpus() else { return };
    let options = options(&corpus);
    let sources = files(&corpus.join("circleci-process-pairs"), ".src.yml");
    let mut wrong = Vec::new();
    for source in &sources {
        let name = source.file_name().unwrap().to_string_lossy().into_owned();
        let expected = source
            .to_string_lossy()
            .replace(".src.yml", ".processed.yml");
        let expected = fs::read_to_string(expected).unwrap();
        let expected = load(&expected, "processed", &mut Problems::new()).unwrap();
        match compile(&fs::read_to_string(source).unwrap(), &name, &options) {
            Ok(compiled) => {
                let mut differ = Vec::new();
                differences("", &compiled.config, &expected[0], &mut differ);
                if !differ.is_empty() {
                    differ.truncate(5);
                    wrong.push(format!("{name}:\n    {}", differ.join("\n    ")));
                }
            }
            Err(error) => wrong.push(format!("{name}:\n    {error}")),
        }
    }
    let same = sources.len() - wrong.len();
    println!(
        "{same} of {} files compile to what the vendor makes of them",
        sources.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn real_files_compile() {
    let Some(corpus) = corpus() else { return };
    let options = options(&corpus);
    let mut sources = files(&corpus.join("circleci"), ".yml");
    for dir in files(&corpus.join("circleci"), ".d") {
        sources.extend(files(&dir, ".yml"));
    }
    let (mut fine, mut lacking, mut failed) = (0, 0, Vec::new());
    for source in &sources {
        let name = source.strip_prefix(&corpus).unwrap().display().to_string();
        let text = fs::read_to_string(source).unwrap();
        if !text.contains("version:") {
            continue;
        }
        match compile(&text, &name, &options) {
            Ok(_) => fine += 1,
            Err(error) => {
                let others = error.problems().iter().filter(|problem| {
                    problem.severity == Severity::Error
                        && !problem.message.contains("is not on this machine")
                });
                let others: Vec<String> = others.map(ToString::to_string).collect();
                if others.is_empty() {
                    lacking += 1;
                } else {
                    failed.push(others.join("\n  "));
                }
            }
        }
    }
    let all = fine + lacking + failed.len();
    println!(
        "{fine} of {all} files compile, {lacking} lack only an orb, {} fail:",
        failed.len()
    );
    for why in &failed {
        println!("  {why}");
    }
    assert!(failed.len() * 20 <= all, "more than one in twenty fails");
}
