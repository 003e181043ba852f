//! Finds the files that an include means.

use std::sync::Arc;

use super::super::files::Files;
use super::super::globs::wildcard;
use super::read::{File, Origin, Reader};
use crate::config::problem::Problem;
use crate::config::yaml::{Map, Mark};

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
                let (name, text) = (name.to_owned(), text.to_owned());
                vec![File {
                    name,
                    text,
                    origin: Origin::Nowhere,
                }]
            }
            "template" => {
                let files = self.options.sources.of_templates();
                let text = files.as_ref().and_then(|files| files.read(name).ok());
                let (Some(files), Some(text)) = (files, text) else {
                    return self.absent(at, &format!("the template `{name}` is not at hand"));
                };
                let origin = Origin::Of(files, "templates".to_owned());
                vec![File {
                    name: name.to_owned(),
                    text,
                    origin,
                }]
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
        let file = |path: &str, text| File {
            name: format!("{prefix}{path}"),
            text,
            origin: origin.clone(),
        };
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
                    return self.absent(at, &message);
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
            match files
                .as_ref()
                .and_then(|files| Some((files, files.read(path).ok()?)))
            {
                Some((files, text)) => found.push(File {
                    name: format!("{project}:{path}"),
                    text,
                    origin: Origin::Of(Arc::clone(files), project.to_owned()),
                }),
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
        let Some((path, _version)) = address.rsplit_once('@') else {
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
            let (name, origin) = (address.to_owned(), Origin::Own);
            return vec![File { name, text, origin }];
        }
        let found = self.options.sources.of_component(path);
        let found = found.and_then(|(files, name)| Some((read(&*files, name)?, files)));
        match found {
            Some((text, files)) => vec![File {
                name: address.to_owned(),
                text,
                origin: Origin::Of(files, path.to_owned()),
            }],
            None => self.absent(at, &format!("the component `{address}` is not at hand")),
        }
    }

    /// What is not at hand: a problem, or a row if the caller wants to go on.
    fn absent(&mut self, at: &Mark, what: &str) -> Vec<File> {
        if self.options.stub_missing {
            self.notes.stubbed = true;
            self.notes
                .missing(at, "include", format!("{what}: it was left out"));
        } else {
            let problem = Problem::error(at, what).at("include");
            let hint = "say where it is with `--include-map FROM=PATH` or `includes` in \
                        `.ci/settings.yml`, or go on without it with `--stub-missing`";
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
