//! Finds the files that an include means.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::super::files::Files;
use super::super::globs::wildcard;
use super::read::{File, Origin, Reader};
use crate::yaml::problem::Problem;
use crate::yaml::{Map, Mark};

impl Reader<'_> {
    /// The files that an include means.
    pub(super) fn find(
        &mut self,
        kind: &str,
        name: &str,
        map: &Map,
        at: &Mark,
        origin: &Origin,
    ) -> Vec<File> {
        match kind {
            "local" => self.local(name, at, origin),
            "project" => self.of_project(name, map, at),
            "remote" => {
                let Some(text) = self.options.sources.of_remote(name) else {
                    return self.absent(at, &format!("the file at `{name}` is not at hand"));
                };
                let text = text.to_owned();
                self.check_integrity(&text, map);
                vec![File::new(name, text, Origin::Nowhere)]
            }
            "template" => {
                let files = self.options.sources.of_templates();
                let text = files.as_ref().and_then(|files| files.read(name).ok());
                let (Some(files), Some(text)) = (files, text) else {
                    return self.absent(at, &format!("the template `{name}` is not at hand"));
                };
                let origin = Origin::Of(files, "templates".to_owned());
                vec![File::new(name, text, origin)]
            }
            "component" => self.component(name, at),
            _ => self.absent(
                at,
                &format!("the artifact `{name}` of another job is not at hand"),
            ),
        }
    }

    fn local(&mut self, name: &str, at: &Mark, origin: &Origin) -> Vec<File> {
        let (files, prefix): (&dyn Files, String) = match origin {
            Origin::Own => (self.own, String::new()),
            Origin::Of(files, project) => (&**files, format!("{project}:")),
            Origin::Nowhere => {
                let message = format!("local file `{name}` cannot be included from a remote one");
                self.notes.problems.push(Problem::error(at, message));
                return Vec::new();
            }
        };
        let path = name.trim_start_matches('/').trim_start_matches("./");
        let mut wrong = None;
        let mut found = Vec::new();
        let file = |path: &str, text| File::new(format!("{prefix}{path}"), text, origin.clone());
        if !is_yaml(path) {
            wrong = Some(format!(
                "included file `{name}` does not have YAML extension"
            ));
        } else if path.contains('*') {
            for path in wildcard(path, files.paths()) {
                found.extend(files.read(path).map(|text| file(path, text)));
            }
            if found.is_empty() {
                wrong = Some(format!("local file `{name}` does not exist"));
            }
        } else {
            match files.read(path) {
                Ok(text) => found.push(file(path, text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    let message = format!("local file `{name}` does not exist");
                    let hint = "go on without it with `--stub-missing`";
                    return self.absent_with(at, &message, hint);
                }
                Err(error) => wrong = Some(format!("cannot read `{name}`: {error}")),
            }
        }
        if let Some(message) = wrong {
            self.notes.problems.push(Problem::error(at, message));
        }
        found
    }

    fn of_project(&mut self, project: &str, map: &Map, at: &Mark) -> Vec<File> {
        let Some(names) = map.get("file") else {
            let message = format!("include of project `{project}` needs to specify `file`");
            self.notes.problems.push(Problem::error(at, message));
            return Vec::new();
        };
        let names = names.as_seq().unwrap_or(std::slice::from_ref(names));
        let files = self.options.sources.of_project(project);
        let mut found = Vec::new();
        for node in names {
            let path = self.variables.expand(&node.scalar().unwrap_or_default());
            let path = path.trim_start_matches('/');
            if let (Some(files), true) = (&files, path.contains('*')) {
                let matching = wildcard(path, files.paths());
                let origin = Origin::Of(Arc::clone(files), project.to_owned());
                let read = |path: &str| {
                    let text = files.read(path).ok()?;
                    Some(File::new(format!("{project}:{path}"), text, origin.clone()))
                };
                found.extend(matching.into_iter().filter_map(read));
                continue;
            }
            match files
                .as_ref()
                .and_then(|files| Some((files, files.read(path).ok()?)))
            {
                Some((files, text)) => {
                    let origin = Origin::Of(Arc::clone(files), project.to_owned());
                    found.push(File::new(format!("{project}:{path}"), text, origin));
                }
                None => found.extend(self.absent(
                    &node.mark,
                    &format!("the file `{path}` of project `{project}` is not at hand"),
                )),
            }
        }
        found
    }

    /// The file of a component; the project's own are at hand.
    fn component(&mut self, address: &str, at: &Mark) -> Vec<File> {
        let Some((path, version)) = address.rsplit_once('@') else {
            let message = format!("component `{address}` names no version");
            let problem = Problem::error(at, message).hint("write `HOST/PROJECT/NAME@VERSION`");
            self.notes.problems.push(problem);
            return Vec::new();
        };
        let paths = |name: &str| {
            [
                format!("templates/{name}.yml"),
                format!("templates/{name}/template.yml"),
            ]
        };
        let read = |files: &dyn Files, name: &str| {
            paths(name).iter().find_map(|path| files.read(path).ok())
        };
        let own = format!("/{}/", self.options.facts.project);
        if let Some((_, name)) = path.split_once(&own)
            && let Some(text) = read(self.own, name)
        {
            let mut file = File::new(address, text, Origin::Own);
            file.component = self.component_of(name, version);
            return vec![file];
        }
        let found = self.options.sources.of_component(path);
        let found = found.and_then(|(files, name)| Some((read(&*files, name)?, files)));
        match found {
            Some((text, files)) => {
                let mut file = File::new(address, text, Origin::Of(files, path.to_owned()));
                let name = path.rsplit('/').next().unwrap_or_default();
                file.component = self.component_of(name, version);
                vec![file]
            }
            None => self.absent(at, &format!("the component `{address}` is not at hand")),
        }
    }

    /// What a component may ask about itself; its commit is only known if the version says it.
    fn component_of(&self, name: &str, version: &str) -> BTreeMap<&'static str, String> {
        let sha = self.options.facts.run.revision.clone();
        let fields = [
            ("name", name.to_owned()),
            ("version", version.to_owned()),
            ("reference", version.to_owned()),
            ("sha", sha.unwrap_or_else(|| version.to_owned())),
        ];
        fields.into_iter().collect()
    }

    /// Compares a remote file with the hash that its include names: `sha256-` and base64.
    fn check_integrity(&mut self, text: &str, map: &Map) {
        let Some(node) = map.get("integrity") else {
            return;
        };
        let written = node.scalar().unwrap_or_default();
        let hash = STANDARD.encode(Sha256::digest(text.as_bytes()));
        let message = match written.strip_prefix("sha256-") {
            None => "`integrity` begins with `sha256-`".to_owned(),
            Some(given) if given == hash => return,
            Some(_) => format!("the file has another hash than `{written}`: `sha256-{hash}`"),
        };
        let problem = Problem::error(&node.mark, message).at("include:integrity");
        self.notes.problems.push(problem);
    }

    /// What is not at hand: a problem, or a row if the caller wants to go on.
    fn absent(&mut self, at: &Mark, what: &str) -> Vec<File> {
        let hint = "say where it is with `--include-map FROM=PATH` or `includes` in \
                    `.ci/settings.yml`, or go on without it with `--stub-missing`";
        self.absent_with(at, what, hint)
    }

    fn absent_with(&mut self, at: &Mark, what: &str, hint: &str) -> Vec<File> {
        if self.options.stub_missing {
            self.notes.stubbed = true;
            self.notes
                .missing(at, "include", format!("{what}: it was left out"));
        } else {
            let problem = Problem::error(at, what).at("include");
            self.notes.problems.push(problem.hint(hint));
        }
        Vec::new()
    }
}

fn is_yaml(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    [".yml", ".yaml"]
        .iter()
        .any(|ending| path.ends_with(ending))
}
