//! Which file is meant, and whose language it is in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ci_core::config::circleci::{CompileOptions, Compiled, OrbDirectory, compile};
use ci_core::config::fidelity::Fidelity;
use ci_core::config::gitlab;
use ci_core::config::yaml::Mark;
use ci_core::settings::Chosen;
use ci_core::workflow::RunFacts;

use crate::args::{EventChoice, WorkflowArgs};
use crate::failure::Failure;

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
    let absolute = |path: &Path| {
        std::fs::canonicalize(path)
            .map_err(|error| Failure::input(format!("`{}`: {error}", path.display())))
    };
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

/// Whose language a file is in, by its name or what it says: CircleCI's begin with a version of 2.
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
    Ok(version
        .filter(|version| version.starts_with('2'))
        .map(|_| Vendor::CircleCi))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::input(format!("`{}`: {error}", file.display())))
}

/// How a CircleCI file is compiled.
pub(crate) fn circleci_options(
    args: &WorkflowArgs,
    facts: &RunFacts,
    dir: &Path,
) -> CompileOptions {
    let mut options = CompileOptions::default();
    let own = std::iter::once(dir.join(".circleci/orbs"));
    options.orbs = Arc::new(OrbDirectory::new(args.orbs.iter().cloned().chain(own)));
    let pipeline = &mut options.pipeline;
    pipeline.facts = facts.clone();
    pipeline.parameters = args.parameters.iter().cloned().collect();
    pipeline.number = 1;
    pipeline.id = ci_core::id::RunId::new().to_string();
    pipeline.schedule = (args.event == EventChoice::Schedule).then(|| "local".to_owned());
    options
}

/// Compiles a GitLab CI file of the project in `dir`.
pub(crate) fn gitlab(
    args: &WorkflowArgs,
    file: &Path,
    facts: &RunFacts,
    dir: &Path,
) -> Result<gitlab::Compiled, Failure> {
    let source = match args.event {
        EventChoice::Push => "push",
        EventChoice::Schedule => "schedule",
        EventChoice::Api => "api",
    };
    let name = file.strip_prefix(dir).unwrap_or(file).display().to_string();
    let mut options = gitlab::Options::new()
        .facts(gitlab::Facts::of(facts.clone()).source(source))
        .file(name);
    for (name, value) in &args.parameters {
        options = options.input(name, value);
    }
    if args.stub_missing {
        options = options.stub_missing();
    }
    gitlab::Project::load(&gitlab::Directory::new(dir), &options)
        .map_err(|error| Failure::input(error.to_string()))
}

/// The rows of a GitLab file in the form that all vendors share.
pub(crate) fn fidelity_of(compiled: &gitlab::Compiled) -> Fidelity {
    let mut fidelity = Fidelity::default();
    for row in compiled.fidelity() {
        match row.fidelity {
            gitlab::Fidelity::Approximated => fidelity.approximated(&row.mark, &row.key, &row.why),
            _ => fidelity.ignored(&row.mark, &row.key, &row.why),
        }
    }
    fidelity
}

/// Tells what of a job's place is not the same as at the vendor's. `in_shell` has the rows of jobs that
/// run in the shell of this machine, where their places in the file are known.
pub(crate) fn compare_places(
    chosen: &[Chosen],
    in_shell: &BTreeMap<Arc<str>, Fidelity>,
    file: &Path,
    fidelity: &mut Fidelity,
) {
    let mark = Mark::new(shown(file), 1, 1);
    for it in chosen {
        let is_shell = it.dropped_image.is_some() || !it.dropped_labels.is_empty();
        if let Some(rows) = in_shell.get(&it.job).filter(|_| is_shell) {
            fidelity.extend(rows);
            continue;
        }
        if let Some(image) = &it.dropped_image {
            let key = format!("image: {image}");
            fidelity.approximated(&mark, &key, "jobs run in the shell of this machine");
        }
        for service in &it.dropped_services {
            let why = "services are not started: have one that answers";
            fidelity.ignored(&mark, &format!("services: {service}"), why);
        }
        for tag in &it.dropped_labels {
            let why = "runners of the vendor are not here, and the settings say nothing of the tag";
            fidelity.ignored(&mark, &format!("tags: {tag}"), why);
        }
    }
}

/// Compiles a CircleCI file.
pub(crate) fn circleci(file: &Path, options: &CompileOptions) -> Result<Compiled, Failure> {
    let name = shown(file);
    compile(&read(file)?, &name, options).map_err(|error| Failure::input(error.to_string()))
}

/// A file as people typed it: relative to where they are.
fn shown(file: &Path) -> String {
    let here = std::env::current_dir().and_then(std::fs::canonicalize);
    let relative = here.ok().and_then(|here| file.strip_prefix(here).ok());
    relative.unwrap_or(file).display().to_string()
}
