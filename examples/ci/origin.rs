//! Which file is meant, and whose language it is in.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ci_core::config::circleci::{CompileOptions, Compiled, compile};
use ci_core::config::gitlab::{self, Sources};
use ci_core::settings::Settings;
use ci_core::vcs::{commit_info, remote_info};
use ci_core::workflow::RunFacts;

use crate::args::{EventChoice, WorkflowArgs};
use crate::executors::Wanted;
use crate::failure::Failure;
use crate::setup::{self, Setup};

/// The names under which a directory's workflow is looked for, the first that is there counts.
const FILES: [(&str, Option<Vendor>); 6] = [
    (".ci/workflow.yml", None),
    (".ci/workflow.yaml", None),
    (".ci/workflow.json", None),
    (".circleci/config.yml", Some(Vendor::CircleCi)),
    (".circleci/config.yaml", Some(Vendor::CircleCi)),
    (".gitlab-ci.yml", Some(Vendor::GitLab)),
];

/// The directories in which such files lie, below the project's own.
const FOLDERS: [&str; 2] = [".ci", ".circleci"];

/// Whose language a file is in, if not the engine's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    CircleCi,
    GitLab,
}

/// A file and the project that it belongs to.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) file: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) vendor: Option<Vendor>,
}

/// The file and the project's directory behind what was typed.
pub(crate) fn locate(args: &WorkflowArgs) -> Result<Located, Failure> {
    let absolute =
        |path: &Path| std::fs::canonicalize(path).map_err(|error| unreadable(path, &error));
    let path = absolute(&args.path)?;
    let file = match &args.config {
        Some(file) => Some(absolute(file)?),
        None if path.is_dir() => None,
        None => Some(path.clone()),
    };
    if let Some(file) = file {
        let dir = if path.is_dir() {
            path
        } else {
            project_of(&file).to_path_buf()
        };
        let vendor = vendor_of(&file)?;
        return Ok(Located { file, dir, vendor });
    }
    let found = FILES
        .iter()
        .map(|(name, vendor)| (path.join(name), *vendor))
        .find(|(file, _)| file.is_file());
    let (file, vendor) = found.ok_or_else(|| {
        Failure::input(format!("`{}` has no workflow", path.display())).hint(format!(
            "write one to `{}`; `ci schema workflow` describes it",
            FILES[0].0
        ))
    })?;
    Ok(Located {
        file,
        dir: path,
        vendor,
    })
}

/// The directory of the project that a file belongs to.
fn project_of(file: &Path) -> &Path {
    let dir = file.parent().unwrap_or(Path::new("/"));
    let is_folder = |name: &std::ffi::OsStr| FOLDERS.iter().any(|folder| *folder == name);
    if dir.file_name().is_some_and(is_folder) {
        dir.parent().unwrap_or(dir)
    } else {
        dir
    }
}

/// Whose language a file is in, by its name or what it says: CircleCI's have a version of 2, and
/// GitLab's none. The engine's own form has a name, also in a version that is not known yet.
fn vendor_of(file: &Path) -> Result<Option<Vendor>, Failure> {
    let name = file.file_name().and_then(|name| name.to_str());
    if name.is_some_and(|name| name.contains("gitlab-ci")) {
        return Ok(Some(Vendor::GitLab));
    }
    let text = read(file)?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("version:"))
        .map(|version| version.trim().trim_matches(['"', '\'']));
    let has = |key: &str| text.lines().any(|line| line.starts_with(key));
    let is_own = |line: &str| {
        ["jobs:", "name:", "{"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    Ok(match version {
        Some("2") if has("name:") && has("jobs:") && !has("workflows:") => None,
        Some(version) if version.starts_with('2') => Some(Vendor::CircleCi),
        // The engine's own form names its version and has the key `jobs`.
        None if !text.lines().any(is_own) => Some(Vendor::GitLab),
        _ => None,
    })
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))
}

/// Why a file that was named cannot be used.
fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::input(format!("`{}`: {error}", file.display()));
    match error.kind() {
        ErrorKind::NotFound => failure.hint(format!(
            "name a workflow's file, or a directory with one, such as `{}`; `ci --help` shows how",
            FILES[0].0
        )),
        ErrorKind::InvalidData => {
            failure.hint("it has to be text: save it as UTF-8, or name another file")
        }
        ErrorKind::PermissionDenied => failure.hint("let the user who runs `ci` read it"),
        _ => failure,
    }
}

/// What the compilation of a CircleCI file depends on.
pub(crate) fn setup(args: &WorkflowArgs, file: &Path, dir: &Path) -> Setup {
    Setup {
        file: shown(file).display().to_string(),
        pipeline: ci_core::id::RunId::new().to_string(),
        orbs: setup::orb_directories(&args.orbs, dir),
        parameters: args.parameters.iter().cloned().collect(),
        schedule: (args.event == EventChoice::Schedule).then(|| "local".to_owned()),
        wanted: Wanted::of(args),
        ..Setup::default()
    }
}

/// Compiles a GitLab CI file of the project in `dir`.
pub(crate) fn gitlab(
    args: &WorkflowArgs,
    file: &Path,
    facts: &RunFacts,
    (dir, settings): (&Path, &Settings),
) -> Result<gitlab::Compiled, Failure> {
    let source = match args.event {
        EventChoice::Push => "push",
        EventChoice::Schedule => "schedule",
        EventChoice::Api => "api",
        EventChoice::Mr => "merge_request_event",
    };
    let name = file.strip_prefix(dir).unwrap_or(file).display().to_string();
    let mut facts = gitlab::Facts::of(of_push(args, facts)).source(source);
    let remote = remote_info(dir).unwrap_or_default();
    if let Some(project) = remote.project() {
        facts.project = project;
    }
    if let Some(branch) = remote.default_branch {
        facts.default_branch = branch;
    }
    if let Some(revision) = &facts.run.revision
        && let Ok(commit) = commit_info(dir, revision)
    {
        facts.message = Some(commit.message);
        facts.author = Some(commit.author);
        facts.timestamp = Some(commit.written);
    }
    if args.event == EventChoice::Mr {
        let target = args.target.clone();
        facts.target_branch = Some(target.unwrap_or_else(|| facts.default_branch.clone()));
    }
    for (name, file) in &args.variable_files {
        facts = facts.file(name, read(Path::new(file))?);
    }
    let mut options = gitlab::Options::new().facts(facts).file(name);
    for (name, value) in &args.parameters {
        options = options.input(name, value);
    }
    if args.stub_missing {
        options = options.stub_missing();
    }
    options = options.sources(includes(args, dir, settings)?);
    gitlab::Project::load(&gitlab::Directory::new(dir), &options)
        .map_err(|error| Failure::config(&error))
}

/// The facts of a push: of the branch that is checked out, even if a tag stands at the same commit.
pub(crate) fn of_push(args: &WorkflowArgs, facts: &RunFacts) -> RunFacts {
    let mut facts = facts.clone();
    if args.tag.is_none() && facts.branch.is_some() {
        facts.tag = None;
    }
    facts
}

/// What stands for files that are included from elsewhere: those of the settings, then those typed.
fn includes(args: &WorkflowArgs, dir: &Path, settings: &Settings) -> Result<Sources, Failure> {
    let of_settings = settings.includes.iter();
    let of_settings = of_settings.map(|(from, path)| (from, dir.join(path)));
    let typed = args.include_map.iter();
    let typed = typed.map(|(from, path)| (from, PathBuf::from(path)));
    let mut sources = Sources::new();
    for (from, path) in of_settings.chain(typed) {
        sources = sources.map(from, &path).map_err(|error| {
            Failure::input(format!(
                "the include `{from}` at `{}`: {error}",
                path.display()
            ))
        })?;
    }
    Ok(sources)
}

/// Compiles a CircleCI file.
pub(crate) fn circleci(file: &Path, options: &CompileOptions) -> Result<Compiled, Failure> {
    let name = shown(file).display().to_string();
    compile(&read(file)?, &name, options).map_err(|error| Failure::config(&error))
}

/// A file as people typed it: relative to where they are.
pub(crate) fn shown(file: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(std::fs::canonicalize);
    let relative = here.ok().and_then(|here| file.strip_prefix(here).ok());
    relative.unwrap_or(file).to_path_buf()
}
