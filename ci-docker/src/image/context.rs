//! The files of a build, as a tar stream without what `.dockerignore` names.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ci_core::held::is_held;
use globset::{GlobBuilder, GlobMatcher};

use super::{BuildSpec, ImageError, ImageErrorKind};

/// The name in the stream of a Dockerfile that does not stand in the context.
const FOREIGN: &str = ".ci-docker.Dockerfile";

/// The files of a build.
#[derive(Debug)]
pub(super) struct Context {
    root: PathBuf,
    rules: Vec<Rule>,
    /// The name of the Dockerfile in the stream.
    pub(super) dockerfile: String,
    /// A Dockerfile that does not stand in the context.
    foreign: Option<String>,
    /// What the Dockerfile says.
    pub(super) text: String,
}

/// A line of `.dockerignore`.
#[derive(Debug)]
struct Rule {
    pattern: GlobMatcher,
    /// Lines that begin with `!` bring back what earlier ones left out.
    brings_back: bool,
}

impl Context {
    pub(super) fn open(spec: &BuildSpec) -> Result<Self, ImageError> {
        let root = std::fs::canonicalize(&spec.context).map_err(|error| {
            trouble(format!("there is no context `{}`", spec.context.display())).with_source(error)
        })?;
        if !root.is_dir() {
            let message = format!("the context `{}` is no directory", spec.context.display());
            return Err(trouble(message));
        }
        let (dockerfile, foreign, text) = if let Some(text) = &spec.dockerfile_inline {
            (FOREIGN.to_owned(), Some(text.clone()), text.clone())
        } else {
            dockerfile(&root, spec)?
        };
        let rules = rules(&root, &dockerfile)?;
        Ok(Self {
            root,
            rules,
            dockerfile,
            foreign,
            text,
        })
    }

    /// Writes the files, in a stable order, without those that this process [holds](ci_core::held).
    pub(super) fn write(&self, out: impl Write) -> io::Result<()> {
        let mut tar = tar::Builder::new(out);
        tar.follow_symlinks(false);
        let mut dirs = vec![PathBuf::new()];
        while let Some(dir) = dirs.pop() {
            let mut names: Vec<PathBuf> = std::fs::read_dir(self.root.join(&dir))?
                .map(|entry| entry.map(|entry| dir.join(entry.file_name())))
                .collect::<io::Result<_>>()?;
            names.sort();
            for name in names {
                let path = self.root.join(&name);
                let about = std::fs::symlink_metadata(&path)?;
                let kind = about.file_type();
                let is_out = self.is_out(&name);
                if kind.is_dir() {
                    if !is_out || self.rules.iter().any(|rule| rule.brings_back) {
                        dirs.push(name.clone());
                    }
                    if !is_out {
                        tar.append_dir(&name, &path)?;
                    }
                } else if !is_out
                    && (kind.is_file() || kind.is_symlink())
                    && !is_held(&path, &about)
                {
                    tar.append_path_with_name(&path, &name)?;
                }
            }
        }
        if let Some(text) = &self.foreign {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, FOREIGN, text.as_bytes())?;
        }
        tar.into_inner()?.flush()
    }

    fn is_out(&self, name: &Path) -> bool {
        // The engine needs it, whatever the rules say.
        if name == Path::new(&self.dockerfile) {
            return false;
        }
        let mut is_out = false;
        for rule in &self.rules {
            let mut parents = name.ancestors().filter(|path| !path.as_os_str().is_empty());
            if parents.any(|path| rule.pattern.is_match(path)) {
                is_out = !rule.brings_back;
            }
        }
        is_out
    }
}

/// The name of the Dockerfile in the stream, what it says if it is not part of the context, and what it
/// says.
fn dockerfile(
    root: &Path,
    spec: &BuildSpec,
) -> Result<(String, Option<String>, String), ImageError> {
    let given = spec.dockerfile.clone();
    let path = given.unwrap_or_else(|| root.join("Dockerfile"));
    let path = std::fs::canonicalize(&path).map_err(|error| {
        trouble(format!("there is no Dockerfile `{}`", path.display())).with_source(error)
    })?;
    let text = std::fs::read_to_string(&path).map_err(|error| {
        trouble(format!("`{}` cannot be read", path.display())).with_source(error)
    })?;
    let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
    Ok(match inside {
        Some(name) => (name.to_owned(), None, text),
        None => (FOREIGN.to_owned(), Some(text.clone()), text),
    })
}

/// The rules of `DOCKERFILE.dockerignore`, else of `.dockerignore`.
fn rules(root: &Path, dockerfile: &str) -> Result<Vec<Rule>, ImageError> {
    for name in [
        format!("{dockerfile}.dockerignore"),
        ".dockerignore".to_owned(),
    ] {
        match std::fs::read_to_string(root.join(&name)) {
            Ok(text) => {
                return text
                    .lines()
                    .filter_map(|line| rule(line).transpose())
                    .collect();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(trouble(format!("`{name}` cannot be read")).with_source(error));
            }
        }
    }
    Ok(Vec::new())
}

fn rule(line: &str) -> Result<Option<Rule>, ImageError> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (pattern, brings_back) = match line.strip_prefix('!') {
        Some(pattern) => (pattern.trim(), true),
        None => (line, false),
    };
    let pattern = pattern.trim_start_matches("./").trim_matches('/');
    let pattern = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| trouble(format!("the line `{line}` of .dockerignore: {error}")))?
        .compile_matcher();
    Ok(Some(Rule {
        pattern,
        brings_back,
    }))
}

fn trouble(message: impl Into<String>) -> ImageError {
    ImageError::new(ImageErrorKind::Context, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path, change: impl FnOnce(&mut BuildSpec)) -> Vec<String> {
        let mut spec = BuildSpec::new(dir);
        change(&mut spec);
        let mut bytes = Vec::new();
        Context::open(&spec).unwrap().write(&mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names = archive.entries().unwrap();
        let names = names.map(|entry| entry.unwrap().path().unwrap().display().to_string());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn what_dockerignore_names_is_left_out_and_brought_back() {
        let dir = tree(&[
            ("Dockerfile", "FROM scratch"),
            (
                ".dockerignore",
                "# a comment\n*.log\n/build/\n!build/keep\n**/cache\n\nDockerfile\n",
            ),
            ("a.log", ""),
            ("deep/b.log", ""),
            ("build/drop", ""),
            ("build/keep", ""),
            ("deep/cache/x", ""),
            ("src/main", ""),
        ]);
        let names = names(dir.path(), |_| {});
        assert_eq!(
            names,
            [
                ".dockerignore",
                "Dockerfile",
                "build/keep",
                "deep",
                "deep/b.log",
                "src",
                "src/main"
            ]
        );
    }

    #[test]
    fn a_dockerfile_may_stand_elsewhere() {
        let dir = tree(&[("Dockerfile", "FROM scratch"), ("a", "")]);
        let other = tree(&[("Other", "FROM scratch")]);
        let outside = names(dir.path(), |spec| {
            spec.dockerfile = Some(other.path().join("Other"));
        });
        assert_eq!(outside, [FOREIGN, "Dockerfile", "a"]);
        let inline = names(dir.path(), |spec| {
            spec.dockerfile_inline = Some("FROM x".into());
        });
        assert_eq!(inline, [FOREIGN, "Dockerfile", "a"]);
        for missing in [BuildSpec::new("/nonexistent"), BuildSpec::new(other.path())] {
            let error = Context::open(&missing).unwrap_err();
            assert_eq!(error.kind(), ImageErrorKind::Context);
        }
    }

    #[test]
    fn what_this_process_holds_is_left_out() {
        let dir = tree(&[("Dockerfile", "FROM scratch"), (".ci/runs.db", "locked")]);
        let hold = ci_core::held::Hold::new(dir.path().join(".ci/runs.db"), ["-wal"]);
        assert_eq!(names(dir.path(), |_| {}), [".ci", "Dockerfile"]);
        drop(hold);
        let all = [".ci", ".ci/runs.db", "Dockerfile"];
        assert_eq!(names(dir.path(), |_| {}), all);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links() {
        let dir = tree(&[("Dockerfile", "FROM scratch")]);
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
        let mut bytes = Vec::new();
        Context::open(&BuildSpec::new(dir.path()))
            .unwrap()
            .write(&mut bytes)
            .unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let links = archive.entries().unwrap().map(Result::unwrap);
        let links: Vec<_> = links
            .filter(|entry| entry.header().entry_type().is_symlink())
            .collect();
        assert_eq!(links.len(), 1);
    }
}
