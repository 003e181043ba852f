//! Actions that are widely used, as steps.

use super::super::pipeline::{Action, Job, Pipeline, Run, Step};
use super::super::text::{Piece, Text};
use super::inputs::Inputs;
use super::steps::Later;
use super::workflow::texts;
use crate::shell::quote;
use crate::yaml::{Mark, Node};

/// Converts a step that uses an action. `false` if the action is not known.
pub(super) fn convert(
    job: &mut Job,
    node: &Node,
    (uses, name): (&str, &str),
    later: &mut Later,
    pipeline: &mut Pipeline,
) -> bool {
    let (action, version) = uses.split_once('@').unwrap_or((uses, ""));
    let mut step = Using {
        job,
        inputs: Inputs::of(node),
        mark: &node.mark,
        name,
        later,
        pipeline,
    };
    match action {
        "actions/checkout" | "briansmith/actions-checkout" => step.checkout(),
        "actions/cache" | "briansmith/actions-cache" => step.cache(true, true),
        "actions/cache/restore" => step.cache(true, false),
        "actions/cache/save" => step.cache(false, true),
        "actions/upload-artifact" => step.upload(),
        "actions/download-artifact" => step.download(),
        "actions/setup-node" => step.language(
            "node",
            "node-version",
            &[
                "cache",
                "cache-dependency-path",
                "registry-url",
                "always-auth",
                "scope",
                "check-latest",
            ],
        ),
        "actions/setup-python" => step.language(
            "python",
            "python-version",
            &[
                "cache",
                "cache-dependency-path",
                "architecture",
                "check-latest",
                "allow-prereleases",
            ],
        ),
        "actions/setup-go" => step.language(
            "golang",
            "go-version",
            &["cache", "cache-dependency-path", "check-latest"],
        ),
        "ruby/setup-ruby" => step.language("ruby", "ruby-version", &["bundler-cache", "bundler"]),
        "actions/setup-java" => step.language(
            "eclipse-temurin",
            "java-version",
            &[
                "distribution",
                "cache",
                "cache-dependency-path",
                "check-latest",
            ],
        ),
        "shivammathur/setup-php" => step.language("php", "php-version", &["coverage", "tools"]),
        "dtolnay/rust-toolchain" => step.rust(Some(version)),
        "actions-rs/toolchain"
        | "actions-rust-lang/setup-rust-toolchain"
        | "moonrepo/setup-rust"
        | "hecrj/setup-rust-action"
        | "briansmith/actions-rs-toolchain"
        | "ATiltedTree/setup-rust" => step.rust(None),
        "actions-rs/cargo" => step.cargo(),
        "Swatinem/rust-cache" | "swatinem/rust-cache" => step.rust_cache(),
        "taiki-e/install-action" | "dtolnay/install" => step.install(action, version),
        _ => return false,
    }
    let names: Vec<(String, Mark)> = step
        .inputs
        .rest()
        .map(|(name, mark)| (name.to_owned(), mark.clone()))
        .collect();
    for (name, mark) in names {
        let hint = "do in a `run` step what it stands for, if it is needed";
        pipeline.note(&mark, format!("the input `{name}` of `{action}`"), hint);
    }
    true
}

/// What to do about an action that is not known.
pub(super) fn suggestion(uses: &str) -> &'static str {
    let action = uses.split('@').next().unwrap_or(uses);
    match action {
        "codecov/codecov-action" | "coverallsapp/github-action" => {
            "install the uploader in a `run` step; `ci report coverage` reads the reports here"
        }
        "docker/login-action" => {
            "`docker login` in a `run` step, with the password on standard input"
        }
        "docker/build-push-action" | "docker/bake-action" => {
            "`docker buildx build` in a `run` step, or `ci bake` here"
        }
        "docker/setup-buildx-action" | "docker/setup-qemu-action" => {
            "part of the machine that has Docker; `docker run --privileged tonistiigi/binfmt` installs emulators"
        }
        "actions/github-script" => "call the API of the forge with `curl` in a `run` step",
        "softprops/action-gh-release" | "actions/create-release" => {
            "`gh release create` in a `run` step, with a token"
        }
        "peaceiris/actions-gh-pages"
        | "actions/deploy-pages"
        | "actions/configure-pages"
        | "actions/upload-pages-artifact" => {
            "push the pages in a `run` step; GitLab has a job `pages`"
        }
        _ if action.starts_with("github/codeql-action") => {
            "CodeQL is a service of GitHub: another scanner in a `run` step writes SARIF"
        }
        _ if action.starts_with("./") || action.starts_with("docker://") => {
            "write what the action does as `run` steps"
        }
        _ => {
            "do in a `run` step what the action does: its command line tool, if it has one, or a script"
        }
    }
}

/// A step that uses an action, while it is converted.
struct Using<'a> {
    job: &'a mut Job,
    inputs: Inputs<'a>,
    mark: &'a Mark,
    name: &'a str,
    later: &'a mut Later,
    pipeline: &'a mut Pipeline,
}

impl Using<'_> {
    fn push(&mut self, action: Action) {
        self.job.steps.push(Step::new(self.name, self.mark, action));
    }

    fn run(&mut self, script: impl Into<String>) {
        let script = texts(&script.into(), self.mark, self.pipeline);
        self.push(Action::Run(Run {
            script,
            ..Run::default()
        }));
    }

    fn checkout(&mut self) {
        self.inputs.pass_over(&[
            "fetch-depth",
            "fetch-tags",
            "persist-credentials",
            "token",
            "show-progress",
            "clean",
        ]);
        self.push(Action::Checkout);
        let depth = match self.inputs.get("submodules").as_deref() {
            Some("true") => "",
            Some("recursive") => " --recursive",
            _ => return,
        };
        let script = Text::plain(format!("git submodule update --init{depth}"));
        let step = Step::new(
            "Submodules",
            self.mark,
            Action::Run(Run {
                script,
                ..Run::default()
            }),
        );
        self.job.steps.push(step.added());
    }

    fn text(&mut self, name: &'static str) -> Option<Text> {
        let source = self.inputs.get(name)?;
        Some(texts(&source, self.mark, self.pipeline))
    }

    fn cache(&mut self, restore: bool, save: bool) {
        self.inputs
            .pass_over(&["save-always", "enableCrossOsArchive"]);
        let key = self.text("key").unwrap_or_else(|| Text::plain("default"));
        let key = self.cache_key(key);
        let paths = self.inputs.lines("path");
        let mut keys = vec![key.clone()];
        for prefix in self.inputs.lines("restore-keys") {
            let prefix = texts(&prefix, self.mark, self.pipeline);
            keys.push(self.cache_key(prefix));
        }
        self.cached(restore.then_some(keys), save.then_some((key, paths)));
    }

    fn cached(&mut self, restore: Option<Vec<Text>>, save: Option<(Text, Vec<String>)>) {
        let restores = restore.is_some();
        if let Some(keys) = restore {
            self.push(Action::RestoreCache { keys });
        }
        if let Some((key, paths)) = save {
            let step = Step::new(self.name, self.mark, Action::SaveCache { key, paths });
            if restores {
                self.later.steps.push(step.added());
            } else {
                self.job.steps.push(step);
            }
        }
    }

    /// Keys are no shell: only the matrix and files mean something in them.
    fn cache_key(&mut self, key: Text) -> Text {
        let mut fitting = Text::default();
        for piece in key.0 {
            match piece {
                Piece::Hash(files) => {
                    let files = files.iter().map(|file| self.one_file(file)).collect();
                    fitting.0.push(Piece::Hash(files));
                }
                Piece::Plain(text) => fitting.push(&text),
                Piece::Matrix(name) => fitting.0.push(Piece::Matrix(name)),
                Piece::Env(_) | Piece::Known(_) => {
                    let hint =
                        "a key of a cache has no variables of the shell: it is left out of the key";
                    self.pipeline
                        .note(self.mark, "a variable in the key of a cache", hint);
                }
            }
        }
        fitting
    }

    /// A checksum is that of one file.
    fn one_file(&mut self, glob: &str) -> String {
        let file = glob.rsplit("**/").next().unwrap_or(glob);
        if file != glob || file.contains('*') {
            let hint = format!("only the content of `{file}` counts");
            self.pipeline
                .note(self.mark, format!("`hashFiles('{glob}')`"), hint);
        }
        file.to_owned()
    }

    fn upload(&mut self) {
        self.inputs.pass_over(&[
            "name",
            "if-no-files-found",
            "retention-days",
            "compression-level",
            "overwrite",
            "include-hidden-files",
        ]);
        let paths = self.inputs.lines("path");
        let mut kept = Vec::new();
        for path in paths {
            match (path.strip_prefix('!'), path.contains("${{")) {
                (None, false) => kept.push(path),
                _ => self.pipeline.note(
                    self.mark,
                    format!("the path `{path}` of an artifact"),
                    "name a directory and put there what is to be kept",
                ),
            }
        }
        for (index, path) in kept.iter().enumerate() {
            // Globs mean nothing to CircleCI: the directory above them does.
            let plain = path.split('*').next().unwrap_or(path);
            let plain = if plain.len() < path.len() {
                let above = plain
                    .rsplit_once('/')
                    .map_or(".", |(above, _)| above)
                    .to_owned();
                self.pipeline.note(
                    self.mark,
                    format!("the pattern `{path}` of an artifact"),
                    format!("all of `{above}` is kept"),
                );
                above
            } else {
                path.clone()
            };
            let action = Action::Artifacts {
                paths: vec![plain],
                for_jobs: false,
            };
            let step = Step::new(self.name, self.mark, action);
            self.job
                .steps
                .push(if index == 0 { step } else { step.added() });
        }
        if kept.is_empty() {
            self.run("true");
        }
        let kept: Vec<String> = kept
            .into_iter()
            .filter(|path| !path.starts_with(['/', '~']))
            .collect();
        if !kept.is_empty() {
            let action = Action::Artifacts {
                paths: kept,
                for_jobs: true,
            };
            self.job
                .steps
                .push(Step::new(self.name, self.mark, action).added());
        }
    }

    fn download(&mut self) {
        self.inputs
            .pass_over(&["name", "pattern", "merge-multiple"]);
        if let Some(path) = self.inputs.get("path") {
            let hint = "files come back where they were, below the directory of the project";
            self.pipeline.note(
                self.mark,
                format!("the directory `{path}` of artifacts"),
                hint,
            );
        }
        self.push(Action::Attach);
    }

    /// Languages are images.
    fn language(&mut self, image: &str, version: &'static str, ignored: &[&'static str]) {
        self.inputs.pass_over(ignored);
        let text = self.text(version).unwrap_or_else(|| Text::plain("latest"));
        if let Some(file) = self.inputs.get(match version {
            "node-version" => "node-version-file",
            "python-version" => "python-version-file",
            "go-version" => "go-version-file",
            "java-version" => "java-version-file",
            _ => "version-file",
        }) {
            let hint = "write the version into the image";
            self.pipeline
                .note(self.mark, format!("the version in `{file}`"), hint);
        }
        let mut tag = Text::plain(format!("{image}:"));
        for piece in text.0 {
            match piece {
                Piece::Plain(text) => tag.push(&version_tag(&text)),
                other => tag.0.push(other),
            }
        }
        if !tag.is_fixed() {
            self.pipeline.note(
                self.mark,
                "a version that is computed",
                "write the version into the image",
            );
            tag = Text::plain(format!("{image}:latest"));
        }
        self.image(tag);
        self.run(format!(
            "echo {}",
            quote(&format!("{image} is in the image"))
        ));
    }

    fn image(&mut self, image: Text) {
        let taken = self.job.image != Text::plain("buildpack-deps:noble");
        if taken && self.job.image != image {
            let hint = "a job has one image: make one that has both, or install the second in a `run` step";
            let shown = image.render(super::super::Target::GitLab);
            self.pipeline.note(
                self.mark,
                format!("the second language of a job, `{shown}`"),
                hint,
            );
        } else {
            self.job.image = image;
        }
    }

    fn rust(&mut self, version: Option<&str>) {
        self.inputs
            .pass_over(&["profile", "override", "default", "cache", "rustflags"]);
        let named = version
            .filter(|it| !matches!(*it, "" | "master" | "v1"))
            .map(str::to_owned);
        let toolchain = self
            .inputs
            .get("toolchain")
            .or_else(|| self.inputs.get("rust-version"))
            .or(named);
        let toolchain = toolchain.unwrap_or_else(|| "stable".into());
        let mut script = format!("rustup toolchain install {toolchain} --profile minimal");
        for (input, other, option) in [
            ("components", "component", "component"),
            ("targets", "target", "target"),
        ] {
            let both = [self.inputs.get(input), self.inputs.get(other)];
            for all in both.into_iter().flatten() {
                for one in all.split([',', ' ', '\n']).filter(|it| !it.is_empty()) {
                    script.push_str(&format_option(option, one));
                }
            }
        }
        script.push_str(" --no-self-update\nrustup default ");
        script.push_str(&toolchain);
        self.image(Text::plain("rust:latest"));
        self.run(script);
    }

    fn cargo(&mut self) {
        self.inputs.pass_over(&["use-cross"]);
        let command = self.inputs.get("command").unwrap_or_default();
        let toolchain = self
            .inputs
            .get("toolchain")
            .map(|it| format!("+{it} "))
            .unwrap_or_default();
        let arguments = self.inputs.get("args").unwrap_or_default();
        self.run(format!("cargo {toolchain}{command} {arguments}").trim_end());
    }

    fn rust_cache(&mut self) {
        self.inputs.pass_over(&[
            "shared-key",
            "key",
            "prefix-key",
            "workspaces",
            "save-if",
            "cache-on-failure",
            "env-vars",
            "cache-all-crates",
            "cache-targets",
            "cache-directories",
        ]);
        let mut key = Text::plain("rust-");
        key.0.push(Piece::Hash(vec!["Cargo.lock".into()]));
        let keys = vec![key.clone(), Text::plain("rust-")];
        let hint = "the key is the checksum of `Cargo.lock`, which has to be in the repository";
        self.pipeline
            .note(self.mark, "the key that `Swatinem/rust-cache` makes", hint);
        let paths = vec![
            "~/.cargo/registry".to_owned(),
            "~/.cargo/git".to_owned(),
            "target".to_owned(),
        ];
        self.cached(Some(keys), Some((key, paths)));
    }

    /// The program is named by an input or by the version of the action.
    fn install(&mut self, action: &str, version: &str) {
        let tools = self
            .inputs
            .get("tool")
            .unwrap_or_else(|| version.to_owned());
        let tools = tools.split(',').map(str::trim).filter(|it| !it.is_empty());
        let lines: Vec<String> = tools
            .map(|tool| match tool.strip_prefix("nextest") {
                Some(rest) => format!("cargo install --locked cargo-nextest{rest}"),
                None => format!("cargo install --locked {tool}"),
            })
            .collect();
        let hint = "it builds the tool: a binary from its releases is faster";
        self.pipeline
            .note(self.mark, format!("the action `{action}`"), hint);
        self.run(lines.join("\n"));
    }
}

fn format_option(option: &str, value: &str) -> String {
    format!(" --{option} {value}")
}

/// `3.x` and `lts/*` as tags of images.
fn version_tag(version: &str) -> String {
    let version = version
        .trim()
        .trim_start_matches(['^', '~', '>', '=', 'v'])
        .trim();
    let version = version.split_whitespace().next().unwrap_or("latest");
    match version {
        "lts/*" | "lts/-1" => "lts".into(),
        "*" | "x" | "node" | "latest" | "current" | "stable" | "oldstable" => "latest".into(),
        other => other
            .trim_end_matches(".x")
            .trim_end_matches(".*")
            .to_owned(),
    }
}
