//! The steps of a compiled job become steps of the engine.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::continuation::Continuation;
use super::lower_jobs::{texts, unknown, words};
use super::steps::BUILTIN;
use super::value::boolean;
use super::variables::written;
use crate::config::fidelity::Fidelity;
use crate::session::Program;
use crate::similar::closest;
use crate::step::{
    Action, CacheLookup, CheckoutSpec, CommandSpec, PathsSpec, RestoreCacheSpec, SaveCacheSpec,
    StepSpec, StepWhen, WorkspaceSpec,
};
use crate::yaml::problem::{Problem, Problems};
use crate::yaml::{Map, Mark, Node, Value};

/// The file that every bash of a job reads first; bash spells the name out.
pub(super) const BASH_ENV: &str = "$HOME/.circleci/bash_env";

/// Writes that file: it names itself in full, puts the vendor's program on the path, and ends the
/// shells of steps that come after `circleci step halt`.
const PREPARE: &str = concat!(
    include_str!("scripts/prepare.sh"),
    include_str!("scripts/circleci.sh"),
    r#"END
cp "$HOME/.circleci/bin/circleci" "$HOME/.circleci/bin/circleci-agent"
chmod +x "$HOME/.circleci/bin/circleci" "$HOME/.circleci/bin/circleci-agent"
"#,
);

/// Puts a `curl` on the path that takes the request of a setup workflow.
const SETUP: &str = include_str!("scripts/setup.sh");

/// Succeeds after `circleci step halt`; the file of bash does the same for its steps at no cost.
const HALTED: &str = r#"[ -e "$HOME/.circleci/halted" ]"#;

/// Succeeds where the job did not continue its pipeline.
const NOT_CONTINUED: &str = r#"[ ! -e "$HOME/.circleci/continuation.json" ]"#;

/// The longest silence of a step that says nothing of it.
const NO_OUTPUT: Duration = Duration::from_mins(10);

/// What lowering the steps of a job needs.
pub(super) struct Lowering<'a> {
    pub(super) shell: Vec<String>,
    /// Whether the job belongs to a setup workflow.
    pub(super) is_setup: bool,
    pub(super) fidelity: &'a mut Fidelity,
    pub(super) problems: &'a mut Problems,
}

/// The steps of a job.
pub(super) fn steps(definition: &Node, lowering: &mut Lowering<'_>) -> Arc<[StepSpec]> {
    let list = definition
        .get("steps")
        .and_then(Node::as_seq)
        .unwrap_or_default();
    let prepare = if lowering.is_setup {
        format!("{PREPARE}{SETUP}")
    } else {
        PREPARE.to_owned()
    };
    let mut out = vec![StepSpec::run(prepare).name("Prepare the environment")];
    for (index, step) in list.iter().enumerate() {
        let none = Map::new();
        let short;
        let (name, given, mark) = match &step.value {
            Value::Str(name) => (&**name, &none, &step.mark),
            Value::Map(map) => match map.entries().next() {
                // Files of version 2 may still say `run: command`.
                Some((name, entry)) if matches!(&**name, "run" | "deploy") => {
                    short = entry
                        .node
                        .scalar()
                        .filter(|_| !entry.node.is_null())
                        .map(|text| {
                            let command = Node::text(text, &entry.node.mark);
                            Map::from_iter([("command".into(), command)])
                        });
                    let given = short.as_ref().or(entry.node.as_map());
                    (&**name, given.unwrap_or(&none), &entry.key)
                }
                Some((name, entry)) => (&**name, entry.node.as_map().unwrap_or(&none), &entry.key),
                None => continue,
            },
            _ => continue,
        };
        if let Some(mut made) = lowering.step(name, given, mark) {
            made.env.insert("CI_CORE_STEP".into(), index.to_string());
            if !reads_bash_env(&made) {
                made.skip_if = Some(HALTED.to_owned());
            }
            out.push(made);
        }
    }
    if lowering.is_setup {
        let mut spec = PathsSpec::new(["~/.circleci/continuation.json"]);
        spec.destination = Some(Continuation::ARTIFACT.to_owned());
        let keep = StepSpec::new(Action::StoreArtifacts(spec)).name("Keep the continuation");
        out.push(keep.when(StepWhen::Always).skip_if(NOT_CONTINUED));
    }
    out.into()
}

/// Whether a bash runs the step, which reads the file that ends it after `circleci step halt`.
fn reads_bash_env(step: &StepSpec) -> bool {
    let Action::Run(CommandSpec {
        program: Program::Shell { shell, .. },
        ..
    }) = &step.action
    else {
        return false;
    };
    let is_bash = |word: &String| word == "bash" || word.ends_with("/bash");
    shell.first().is_some_and(is_bash)
}

impl Lowering<'_> {
    fn step(&mut self, name: &str, given: &Map, mark: &Mark) -> Option<StepSpec> {
        let mut step = match name {
            "run" | "deploy" => self.run(given, mark)?,
            "checkout" => self.checkout(given),
            "save_cache" => {
                let spec = SaveCacheSpec {
                    key: self.text(given, "key", mark)?,
                    paths: self.paths_of(given, mark),
                };
                let mut step = StepSpec::new(Action::SaveCache(spec)).name("Saving Cache");
                step.when = self.when(given);
                step
            }
            "restore_cache" => {
                let mut keys = texts(given.get("key"));
                keys.extend(texts(given.get("keys")));
                let spec = RestoreCacheSpec {
                    keys,
                    lookup: CacheLookup::NewestByPrefix,
                };
                if spec.keys.is_empty() {
                    self.problems.push(Problem::error(
                        mark,
                        "`restore_cache` needs `key` or `keys`",
                    ));
                }
                StepSpec::new(Action::RestoreCache(spec)).name("Restoring Cache")
            }
            "store_artifacts" => {
                let spec = self.paths(given, mark)?;
                let mut step =
                    StepSpec::new(Action::StoreArtifacts(spec)).name("Uploading artifacts");
                step.when = StepWhen::Always;
                step
            }
            "store_test_results" => {
                let spec = self.paths(given, mark)?;
                let mut step =
                    StepSpec::new(Action::StoreTestResults(spec)).name("Uploading test results");
                step.when = StepWhen::Always;
                step
            }
            "persist_to_workspace" => {
                let spec = WorkspaceSpec {
                    root: self.text(given, "root", mark)?,
                    paths: self.paths_of(given, mark),
                    ..WorkspaceSpec::default()
                };
                StepSpec::new(Action::PersistWorkspace(spec)).name("Persisting to Workspace")
            }
            "attach_workspace" => {
                let spec = WorkspaceSpec {
                    root: self.text(given, "at", mark)?,
                    ..WorkspaceSpec::default()
                };
                StepSpec::new(Action::AttachWorkspace(spec)).name("Attaching Workspace")
            }
            other if !BUILTIN.contains(&other) => {
                let problem = Problem::error(mark, format!("there is no step `{other}`"));
                self.problems
                    .push(problem.did_you_mean(closest(other, BUILTIN)));
                return None;
            }
            other => {
                let why = match other {
                    "setup_remote_docker" => {
                        "commands use the Docker engine that they find; in a container that needs \
                         `docker: filtered` in the executor's options"
                    }
                    "add_ssh_keys" => "keys of the vendor are not here; the user's agent is used",
                    _ => "it needs the vendor's machines",
                };
                self.fidelity.ignored(mark, other, why);
                return None;
            }
        };
        let known = keys(name);
        for (key, entry) in given.entries() {
            if !known.contains(&&**key) {
                let why = unknown(key, known);
                self.fidelity
                    .ignored(&entry.key, &format!("{name}.{key}"), why);
            }
        }
        if let Some(name) = given.get("name").and_then(Node::scalar) {
            step.name = Some(name.as_ref().into());
        }
        Some(step)
    }

    fn run(&mut self, given: &Map, mark: &Mark) -> Option<StepSpec> {
        let script = self.text(given, "command", mark)?;
        let shell = match given.get("shell").and_then(Node::scalar) {
            Some(shell) => words(&shell),
            None => self.shell.clone(),
        };
        let spec = CommandSpec {
            program: Program::Shell {
                shell,
                script: script.clone(),
            },
            dir: given
                .get("working_directory")
                .and_then(Node::scalar)
                .map(Cow::into_owned),
            background: given.get("background").and_then(boolean).unwrap_or(false),
            image: None,
        };
        let background = spec.background;
        let first_line = script.lines().find(|line| !line.trim().is_empty());
        let mut step = StepSpec::new(Action::Run(spec)).name(first_line.unwrap_or("run").trim());
        step.when = self.when(given);
        step.env = written(given.get("environment"));
        if !background {
            step.no_output_timeout = Some(self.no_output(given));
        }
        for key in ["max_auto_reruns", "auto_rerun_delay"] {
            if let Some(entry) = given.entry(key) {
                self.fidelity
                    .ignored(&entry.key, key, "a step that fails is not repeated here");
            }
        }
        Some(step)
    }

    fn checkout(&mut self, given: &Map) -> StepSpec {
        let path = given.get("path").and_then(Node::scalar);
        let spec = CheckoutSpec {
            path: path.map(Cow::into_owned),
            ..CheckoutSpec::default()
        };
        if let Some(entry) = given.entry("method") {
            let why = "the whole history is brought, from the repository on this machine";
            self.fidelity.approximated(&entry.key, "method", why);
        }
        StepSpec::new(Action::Checkout(spec)).name("Checkout code")
    }

    fn paths(&mut self, given: &Map, mark: &Mark) -> Option<PathsSpec> {
        let destination = given.get("destination").and_then(Node::scalar);
        Some(PathsSpec {
            paths: vec![self.text(given, "path", mark)?],
            exclude: Vec::new(),
            destination: destination.map(Cow::into_owned),
        })
    }

    /// The paths that a step cannot do without.
    fn paths_of(&mut self, given: &Map, mark: &Mark) -> Vec<String> {
        let paths = texts(given.get("paths"));
        if paths.is_empty() {
            self.problems
                .push(Problem::error(mark, "the step needs `paths`"));
        }
        paths
    }

    fn text(&mut self, given: &Map, key: &str, mark: &Mark) -> Option<String> {
        let text = given.get(key).and_then(Node::scalar);
        if text.is_none() {
            self.problems
                .push(Problem::error(mark, format!("the step needs `{key}`")));
        }
        text.map(Cow::into_owned)
    }

    fn when(&mut self, given: &Map) -> StepWhen {
        let Some(node) = given.get("when") else {
            return StepWhen::OnSuccess;
        };
        match node.scalar().as_deref() {
            Some("on_success") => StepWhen::OnSuccess,
            Some("on_fail") => StepWhen::OnFail,
            Some("always") => StepWhen::Always,
            other => {
                let other = other.unwrap_or_default();
                let message = format!("`{other}` is none of `on_success`, `on_fail`, `always`");
                self.problems.push(Problem::error(&node.mark, message));
                StepWhen::OnSuccess
            }
        }
    }

    fn no_output(&mut self, given: &Map) -> Duration {
        let Some(node) = given.get("no_output_timeout") else {
            return NO_OUTPUT;
        };
        let text = node.scalar().unwrap_or_default();
        match crate::units::parse_duration(&text) {
            Ok(limit) => limit,
            // A number without a unit counts minutes.
            Err(_) if text.parse::<u64>().is_ok() => {
                Duration::from_secs(text.parse::<u64>().unwrap_or(10).saturating_mul(60))
            }
            Err(error) => {
                self.problems
                    .push(Problem::error(&node.mark, error.to_string()));
                NO_OUTPUT
            }
        }
    }
}

/// The keys that a step knows.
fn keys(step: &str) -> &'static [&'static str] {
    match step {
        "run" | "deploy" => &[
            "command",
            "name",
            "shell",
            "environment",
            "background",
            "working_directory",
            "no_output_timeout",
            "when",
            "max_auto_reruns",
            "auto_rerun_delay",
        ],
        "checkout" => &["path", "method", "depth", "name"],
        "save_cache" => &["paths", "key", "name", "when"],
        "restore_cache" => &["key", "keys", "name"],
        "store_artifacts" => &["path", "destination", "name"],
        "store_test_results" => &["path", "name"],
        "persist_to_workspace" => &["root", "paths", "name"],
        "attach_workspace" => &["at", "name"],
        _ => &["name"],
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::{Command, Stdio};

    /// What the shim prints where the engine's program is not at hand.
    #[expect(
        clippy::unwrap_used,
        reason = "a helper of a test that fails has failed"
    )]
    fn shim(dir: &std::path::Path, words: &[&str], input: &str) -> String {
        std::fs::write(dir.join(".input"), input).unwrap();
        let output = Command::new("sh")
            .args(["-c", "cd \"$0\" && exec sh \"$SHIM\" \"$@\""])
            .arg(dir)
            .args(words)
            .env_remove("CI_CORE_PROGRAM")
            .env(
                "SHIM",
                concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/src/config/circleci/scripts/circleci.sh"
                ),
            )
            .env("WHO", "a $b")
            .stdin(std::fs::File::open(dir.join(".input")).unwrap())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_shim_works_without_the_engines_program() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        std::fs::create_dir_all(dir.join("t/u")).unwrap();
        for (name, size) in [("a.py", 1), ("t/b.py", 9), ("t/u/c.py", 5), ("t/u/c.js", 3)] {
            std::fs::write(dir.join(name), "x".repeat(size)).unwrap();
        }
        for (patterns, found) in [
            (&["**/*.py"][..], "a.py\nt/b.py\nt/u/c.py\n"),
            (&["t/*.py", "a.*"], "a.py\nt/b.py\n"),
            (&["t/**/?.{js,rb}"], "t/u/c.js\n"),
            (&["[!b-z].py"], "a.py\n"),
            (&["t/u/c.p"], ""),
        ] {
            let words = [&["tests", "glob"], patterns].concat();
            assert_eq!(shim(dir, &words, ""), found, "{patterns:?}");
        }
        let names = "c\na\n\nb\n";
        let split = |rest: &[&str], input| shim(dir, &[&["tests", "split"], rest].concat(), input);
        assert_eq!(split(&["--index=0", "--total=2"], names), "a\nc\n");
        assert_eq!(split(&["--index", "1", "--total", "2"], names), "b\n");
        assert_eq!(split(&[], names), "a\nb\nc\n");
        let sized = ["--split-by=filesize", "--total=2", "--index"];
        let files = "a.py\nt/b.py\nt/u/c.py\nt/u/c.js\n";
        assert_eq!(split(&[&sized[..], &["0"]].concat(), files), "t/b.py\n");
        assert_eq!(
            split(&[&sized[..], &["1"]].concat(), files),
            "t/u/c.py\nt/u/c.js\na.py\n"
        );
        let text = "hi $WHO, ${WHO}; 5$ ${ $NOBODY.\n";
        let filled = "hi a $b, a $b; 5$ ${ .\n";
        assert_eq!(shim(dir, &["env", "subst"], text), filled);
        assert_eq!(shim(dir, &["env", "subst", "$WHO"], ""), "a $b\n");
        let run = ["tests", "run", "--command", "cat; echo done"];
        assert_eq!(shim(dir, &run, "x\n"), "x\ndone\n");
    }
}
