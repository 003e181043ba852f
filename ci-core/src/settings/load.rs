//! Reads the settings file.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Settings;
use crate::similar::{did_you_mean, meant_in};
use crate::yaml::{self, Limits, Map, Mark, Node, YamlError};

/// A settings file that cannot be used.
#[derive(Debug)]
pub struct SettingsError {
    kind: SettingsErrorKind,
    path: PathBuf,
    place: Option<(u64, u64)>,
    message: String,
    source: Option<std::io::Error>,
}

/// What is wrong with a settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingsErrorKind {
    /// It cannot be read.
    Read,
    /// It is written for another version of the engine.
    Version,
    /// It is not YAML, or says something that no key stands for.
    Invalid,
}

impl SettingsError {
    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> SettingsErrorKind {
        self.kind
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line and the column, both from 1, where the trouble has a place.
    #[must_use]
    pub fn place(&self) -> Option<(u64, u64)> {
        self.place
    }

    fn new(kind: SettingsErrorKind, path: &Path, message: impl Into<String>) -> Self {
        Self {
            kind,
            path: path.to_owned(),
            place: None,
            message: message.into(),
            source: None,
        }
    }

    fn invalid(path: &Path, error: &YamlError) -> Self {
        let meant = did_you_mean(meant_in(error.message()));
        let message = format!("{}{meant}", error.message());
        Self {
            place: Some((error.line(), error.column())),
            ..Self::new(SettingsErrorKind::Invalid, path, message)
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for SettingsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// The part that has to be understood before anything else can be.
#[derive(Deserialize)]
struct Head {
    version: Option<u64>,
}

impl Settings {
    /// Where the file is, relative to the project.
    pub const FILE: &str = ".ci/settings.yml";

    /// Reads the settings of the project in `project_dir`: the file `.ci/settings.yml` there, or the
    /// defaults if there is none.
    pub fn discover(project_dir: &Path) -> Result<Self, SettingsError> {
        let path = project_dir.join(Self::FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let settings = Self::parse(&text, &path)?.in_project(project_dir);
                settings.with_quarantine(project_dir, &path)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(unreadable(&path, error)),
        }
    }

    /// Reads the settings file at `path`, which has to be there. The project is the directory around
    /// the directory `.ci` of the file, or that of the file where it is elsewhere.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
        let dir = path.parent().unwrap_or(Path::new(""));
        let project = match dir.parent() {
            Some(around) if dir.file_name() == Some(".ci".as_ref()) => around,
            _ => dir,
        };
        let settings = Self::parse(&text, path)?.in_project(project);
        settings.with_quarantine(project, path)
    }

    /// With the paths that others read made absolute.
    fn in_project(mut self, project: &Path) -> Self {
        if let Some(file) = &mut self.notify.ca_file {
            *file = project.join(&*file);
        }
        self
    }

    /// Reads the file with the tests in quarantine, if there is to be one.
    fn with_quarantine(mut self, project: &Path, path: &Path) -> Result<Self, SettingsError> {
        let Some(file) = &self.quarantine.file else {
            return Ok(self);
        };
        let file = project.join(file);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            let message = format!("the quarantine file `{}` cannot be read", file.display());
            SettingsError {
                source: Some(error),
                ..SettingsError::new(SettingsErrorKind::Read, path, message)
            }
        })?;
        let tests = text.lines().map(str::trim);
        let tests = tests.filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.quarantine.tests.extend(tests.map(str::to_owned));
        Ok(self)
    }

    /// Reads settings from YAML (or JSON, which is YAML); `path` is only for messages. The file with
    /// the tests in quarantine is not read.
    pub fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let invalid = |error: YamlError| SettingsError::invalid(path, &error);
        let document = yaml::document(text, Limits::default()).map_err(invalid)?;
        let head: Head = yaml::from_node(&document).map_err(invalid)?;
        let message = match head.version {
            Some(version) if version == u64::from(Self::VERSION) => {
                let mut settings: Self = yaml::from_node(&document).map_err(invalid)?;
                settings.note_places(&document, path);
                return Ok(settings);
            }
            Some(version) => format!(
                "the file is of version `{version}`, and this engine reads version `{}`",
                Self::VERSION
            ),
            None => format!("the file has to begin with `version: {}`", Self::VERSION),
        };
        Err(SettingsError::new(
            SettingsErrorKind::Version,
            path,
            message,
        ))
    }

    /// Notes where the options of executors stand: who reads them does not know the file.
    fn note_places(&mut self, document: &Node, path: &Path) {
        let executors = document.get("executors");
        for (name, executor) in &mut self.executors {
            let own = executors.and_then(|executors| executors.get(name));
            let options = own
                .and_then(|own| own.get("options"))
                .and_then(Node::as_map);
            let entries = options.into_iter().flat_map(Map::entries);
            executor.places = entries
                .map(|(option, entry)| {
                    let Mark { line, column, .. } = &entry.key;
                    (
                        option.to_string(),
                        format!("{}:{line}:{column}", path.display()),
                    )
                })
                .collect();
        }
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> SettingsError {
    SettingsError {
        source: Some(error),
        ..SettingsError::new(SettingsErrorKind::Read, path, "the settings cannot be read")
    }
}
