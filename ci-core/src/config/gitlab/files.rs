//! Where files come from: a repository's own, and those of others that the caller has at hand.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The most bytes of a file that are read.
const LARGEST: u64 = 8 << 20;

/// The most files of a directory that patterns look at.
const MOST_FILES: usize = 200_000;

/// The files of a repository.
pub trait Files: Send + Sync {
    /// The text of a file, by its path from the root, with `/` between.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) if there is no such file.
    fn read(&self, path: &str) -> io::Result<String>;

    /// Every file, by its path from the root. Patterns of `include:local` and `rules:exists` look here.
    fn paths(&self) -> &[String];
}

/// The files of a directory.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    paths: OnceLock<Vec<String>>,
}

impl Directory {
    /// The files below `root`, `.git` apart.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            paths: OnceLock::new(),
        }
    }
}

impl Files for Directory {
    fn read(&self, path: &str) -> io::Result<String> {
        let inside = Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            let words = format!("`{path}` is outside the repository");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        let path = self.root.join(path);
        if std::fs::metadata(&path)?.len() > LARGEST {
            let words = "the file is larger than 8 MiB";
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        std::fs::read_to_string(path)
    }

    fn paths(&self) -> &[String] {
        self.paths.get_or_init(|| walk(&self.root))
    }
}

/// The files below `root`; links to directories are not followed.
fn walk(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![(root.to_path_buf(), String::new())];
    while let Some((dir, prefix)) = left.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = format!("{prefix}{name}");
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir && path != ".git" {
                left.push((entry.path(), format!("{path}/")));
            } else if !is_dir {
                found.push(path);
            }
            if found.len() >= MOST_FILES {
                break;
            }
        }
    }
    found.sort_unstable();
    found
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    texts: BTreeMap<String, String>,
    paths: Vec<String>,
}

impl<P: Into<String>, T: Into<String>> FromIterator<(P, T)> for MemoryFiles {
    fn from_iter<I: IntoIterator<Item = (P, T)>>(files: I) -> Self {
        let texts: BTreeMap<String, String> = files
            .into_iter()
            .map(|(path, text)| (path.into(), text.into()))
            .collect();
        let paths = texts.keys().cloned().collect();
        Self { texts, paths }
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> io::Result<String> {
        let text = self.texts.get(path).cloned();
        text.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn paths(&self) -> &[String] {
        &self.paths
    }
}

/// What stands for the files of others: projects, components, templates and addresses. Nothing is
/// fetched.
#[derive(Clone, Default)]
pub struct Sources {
    projects: BTreeMap<String, Arc<dyn Files>>,
    remotes: BTreeMap<String, String>,
    templates: Option<Arc<dyn Files>>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("projects", &self.projects.keys())
            .field("remotes", &self.remotes.keys())
            .field("templates", &self.templates.is_some())
            .finish()
    }
}

impl Sources {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The files of another project, for `include:project` and for the components it has in
    /// `templates/`. A component's project may be given with or without its host.
    #[must_use]
    pub fn project(mut self, path: impl Into<String>, files: impl Files + 'static) -> Self {
        self.projects.insert(path.into(), Arc::new(files));
        self
    }

    /// The text behind an address, for `include:remote`.
    #[must_use]
    pub fn remote(mut self, url: impl Into<String>, text: impl Into<String>) -> Self {
        self.remotes.insert(url.into(), text.into());
        self
    }

    /// The templates of the vendor, for `include:template`.
    #[must_use]
    pub fn templates(mut self, files: impl Files + 'static) -> Self {
        self.templates = Some(Arc::new(files));
        self
    }

    /// Takes what stands at `path` on this machine for what includes call `from`: a URL for one file,
    /// `templates` for a directory of the vendor's templates, else a project for the directory with
    /// its files.
    ///
    /// # Errors
    /// If the file of a URL cannot be read, or a directory is none.
    pub fn map(self, from: &str, path: &Path) -> io::Result<Self> {
        if from.starts_with("http://") || from.starts_with("https://") {
            let text = std::fs::read_to_string(path)?;
            return Ok(self.remote(from, text));
        }
        if !path.is_dir() {
            let words = format!("`{}` is no directory", path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, words));
        }
        let files = Directory::new(path);
        Ok(match from {
            "templates" => self.templates(files),
            project => self.project(project.trim_matches('/'), files),
        })
    }

    pub(super) fn of_project(&self, path: &str) -> Option<Arc<dyn Files>> {
        self.projects.get(path.trim_matches('/')).cloned()
    }

    pub(super) fn of_remote(&self, url: &str) -> Option<&str> {
        self.remotes.get(url).map(String::as_str)
    }

    pub(super) fn of_templates(&self) -> Option<Arc<dyn Files>> {
        self.templates.clone()
    }

    /// The project of a component's address without its version, `[HOST/]PROJECT/NAME`, and the name.
    pub(super) fn of_component<'a>(&self, address: &'a str) -> Option<(Arc<dyn Files>, &'a str)> {
        let (project, name) = address.rsplit_once('/')?;
        let without_host = project.split_once('/').map_or("", |(_, path)| path);
        let files = self
            .of_project(project)
            .or_else(|| self.of_project(without_host))?;
        Some((files, name))
    }
}
