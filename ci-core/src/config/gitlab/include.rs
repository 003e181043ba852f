//! Reads a file and everything that it includes (<https://docs.gitlab.com/ci/yaml/includes/>).

use std::sync::Arc;

use super::files::Files;
use super::globs::wildcard;
use super::inputs::{Interpolation, bind};
use super::merge::merge;
use super::notes::Notes;
use super::options::Options;
use super::variables::Variables;
use crate::config::problem::Problem;
use crate::config::yaml::{Loader, Map, Mark, Node, Schema, Value};
use crate::similar::closest;

/// The most files that a configuration may include, one in another counted too.
const MOST: usize = 150;

const KINDS: [&str; 6] = [
    "local",
    "project",
    "remote",
    "template",
    "component",
    "artifact",
];

const KEYS: [&str; 12] = [
    "local",
    "project",
    "remote",
    "template",
    "component",
    "artifact",
    "file",
    "ref",
    "inputs",
    "rules",
    "integrity",
    "job",
];

/// The file of the project with what it includes merged below it; `None` after a problem.
pub(super) fn load(
    files: &dyn Files,
    options: &Options,
    variables: &Variables,
    notes: &mut Notes,
) -> Option<Map> {
    let top = Mark::new(&*options.file, 1, 1);
    let text = match files.read(&options.file) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", options.file);
            notes.problems.push(Problem::error(&top, message));
            return None;
        }
    };
    let inputs = options
        .inputs
        .iter()
        .map(|(name, value)| (Arc::from(name.as_str()), Node::text(value.as_str(), &top)));
    let mut reader = Reader {
        own: files,
        options,
        variables,
        notes,
        count: 0,
        open: Vec::new(),
    };
    let file = File {
        name: options.file.clone(),
        text,
        origin: Origin::Own,
    };
    reader.file(&file, &inputs.collect(), &top)
}

/// Whose files `include:local` means in a file.
#[derive(Clone)]
enum Origin {
    Own,
    Of(Arc<dyn Files>, String),
    /// A file that stands alone.
    Nowhere,
}

struct File {
    /// Its name for people.
    name: String,
    text: String,
    origin: Origin,
}

struct Reader<'a> {
    own: &'a dyn Files,
    options: &'a Options,
    variables: &'a Variables,
    notes: &'a mut Notes,
    count: usize,
    /// The files that are being read, each included by the one before it.
    open: Vec<String>,
}

impl Reader<'_> {
    /// What a file comes to. The recursion ends with the number of files that may be included.
    fn file(&mut self, file: &File, given: &Map, at: &Mark) -> Option<Map> {
        let loader = Loader::default().schema(Schema::Psych);
        let documents = match loader.load(&file.text, &file.name, &mut self.notes.problems) {
            Ok(documents) => documents,
            Err(problem) => {
                self.notes.problems.push(problem);
                return None;
            }
        };
        let (header, content) = split(documents);
        let Some(content) = content else {
            return Some(Map::new());
        };
        let content = self.interpolated(header.as_ref(), &content, given, at);
        let Some(own) = content.as_map() else {
            let message = format!("a configuration has to be a map, not {}", content.kind());
            self.notes
                .problems
                .push(Problem::error(&content.mark, message));
            return None;
        };
        let mut own = own.clone();
        let included = own.remove("include");
        let mut out = Map::new();
        if let Some(included) = included {
            self.open.push(file.name.clone());
            self.includes(&included, &file.origin, &mut out);
            self.open.pop();
        }
        merge(&mut out, &own);
        Some(out)
    }

    fn interpolated(
        &mut self,
        header: Option<&Node>,
        content: &Node,
        given: &Map,
        at: &Mark,
    ) -> Node {
        let declared = header
            .and_then(|header| header.get("spec"))
            .and_then(|spec| spec.get("inputs"));
        if declared.is_none() && given.is_empty() {
            return content.clone();
        }
        let inputs = bind(declared, given, at, &mut self.notes.problems);
        let mut interpolation = Interpolation {
            inputs: &inputs,
            variables: self.variables,
            problems: &mut self.notes.problems,
            added: 0,
        };
        if interpolation.problems.has_errors() {
            return content.clone();
        }
        interpolation.node(content)
    }

    fn includes(&mut self, included: &Node, origin: &Origin, out: &mut Map) {
        let entries = match &included.value {
            Value::Seq(nodes) => nodes.to_vec(),
            Value::Null => Vec::new(),
            _ => vec![included.clone()],
        };
        for entry in &entries {
            self.entry(entry, origin, out);
        }
    }

    fn entry(&mut self, entry: &Node, origin: &Origin, out: &mut Map) {
        let empty = Map::new();
        let (kind, what, map) = match &entry.value {
            Value::Str(text) if text.starts_with("http://") || text.starts_with("https://") => {
                ("remote", entry.clone(), &empty)
            }
            Value::Str(_) => ("local", entry.clone(), &empty),
            Value::Map(map) => {
                self.check_keys(map);
                let Some(kind) = KINDS.into_iter().find(|kind| map.contains(kind)) else {
                    let message = "an include has none of its keys";
                    let hint = format!("valid subkeys are: `{}`", KINDS.join("`, `"));
                    self.notes
                        .problems
                        .push(Problem::error(&entry.mark, message).hint(hint));
                    return;
                };
                (
                    kind,
                    map.get(kind).cloned().unwrap_or_else(|| entry.clone()),
                    &**map,
                )
            }
            _ => {
                let message = format!("an include is a string or a map, not {}", entry.kind());
                self.notes
                    .problems
                    .push(Problem::error(&entry.mark, message));
                return;
            }
        };
        if !self.applies(map) {
            return;
        }
        let Some(name) = what.as_str() else {
            let message = format!("`{kind}` takes a string, not {}", what.kind());
            self.notes
                .problems
                .push(Problem::error(&what.mark, message));
            return;
        };
        let name = self.variables.expand(name);
        let inputs = map
            .get("inputs")
            .and_then(Node::as_map)
            .unwrap_or(&empty)
            .clone();
        for found in self.find(kind, &name, map, &what.mark, origin) {
            if let Some(content) = self.read(&found, &inputs, &what.mark) {
                merge(out, &content);
            }
        }
    }

    fn check_keys(&mut self, map: &Map) {
        for (key, entry) in map.entries() {
            if !KEYS.contains(&&**key) {
                let problem =
                    Problem::error(&entry.key, format!("unknown key `{key}` of an include"));
                self.notes
                    .problems
                    .push(problem.did_you_mean(closest(key, KEYS)));
            }
        }
    }

    fn read(&mut self, file: &File, inputs: &Map, at: &Mark) -> Option<Map> {
        self.count += 1;
        if self.count > MOST {
            let message = format!("maximum of {MOST} nested includes are allowed");
            self.notes.problems.push(Problem::error(at, message));
            return None;
        }
        if self.open.contains(&file.name) {
            let path = format!("{} -> {}", self.open.join(" -> "), file.name);
            self.notes.problems.push(Problem::error(
                at,
                format!("the files include each other: {path}"),
            ));
            return None;
        }
        self.file(file, inputs, at)
    }

    /// The files that an include means.
    fn find(&mut self, kind: &str, name: &str, map: &Map, at: &Mark, origin: &Origin) -> Vec<File> {
        match kind {
            "local" => self.local(name, at, origin),
            "project" => self.of_project(name, map, at),
            "remote" => {
                let Some(text) = self.options.sources.of_remote(name) else {
                    return self.absent(at, &format!("the file at `{name}`"));
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
                    return self.absent(at, &format!("the template `{name}`"));
                };
                let origin = Origin::Of(files, "templates".to_owned());
                vec![File {
                    name: name.to_owned(),
                    text,
                    origin,
                }]
            }
            "component" => self.component(name, at),
            _ => self.absent(at, &format!("the artifact `{name}` of another job")),
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
                    return self.absent(at, &format!("the local file `{name}`"));
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
                    &format!("the file `{path}` of project `{project}`"),
                )),
            }
        }
        found
    }

    fn component(&mut self, address: &str, at: &Mark) -> Vec<File> {
        let Some((path, _version)) = address.rsplit_once('@') else {
            let message = format!("component `{address}` names no version");
            let problem = Problem::error(at, message).hint("write `HOST/PROJECT/NAME@VERSION`");
            self.notes.problems.push(problem);
            return Vec::new();
        };
        let found = self
            .options
            .sources
            .of_component(path)
            .and_then(|(files, name)| {
                let paths = [
                    format!("templates/{name}.yml"),
                    format!("templates/{name}/template.yml"),
                ];
                let text = paths.iter().find_map(|path| files.read(path).ok())?;
                Some((files, text))
            });
        match found {
            Some((files, text)) => vec![File {
                name: address.to_owned(),
                text,
                origin: Origin::Of(files, path.to_owned()),
            }],
            None => self.absent(at, &format!("the component `{address}`")),
        }
    }

    /// What is not at hand: a problem, or a row if the caller wants to go on.
    fn absent(&mut self, at: &Mark, what: &str) -> Vec<File> {
        if self.options.stub_missing {
            self.notes.stubbed = true;
            self.notes.missing(
                at,
                "include",
                format!("{what} is not at hand and was left out"),
            );
        } else {
            let problem = Problem::error(at, format!("{what} is not at hand")).at("include");
            let hint = "give it to the compiler, or go on without it with `--stub-missing`";
            self.notes.problems.push(problem.hint(hint));
        }
        Vec::new()
    }

    /// Whether the rules of an include let it be.
    fn applies(&mut self, map: &Map) -> bool {
        let Some(rules) = map.get("rules").and_then(Node::as_seq) else {
            return true;
        };
        for rule in rules {
            if self.rule_holds(rule) {
                return rule.get("when").and_then(Node::as_str) != Some("never");
            }
        }
        false
    }

    fn rule_holds(&mut self, rule: &Node) -> bool {
        if let Some(text) = rule.get("if") {
            match &*self
                .notes
                .cache
                .expression(&text.scalar().unwrap_or_default())
            {
                Ok(expression) => {
                    if !expression.holds(|name| self.variables.raw(name)) {
                        return false;
                    }
                }
                Err(error) => {
                    self.notes
                        .problems
                        .push(Problem::error(&text.mark, error.to_string()).at("include"));
                    return false;
                }
            }
        }
        if let Some(node) = rule.get("exists")
            && !globs(node, self.variables)
                .iter()
                .any(|glob| self.notes.cache.found(glob, self.own.paths()))
        {
            return false;
        }
        match (rule.get("changes"), &self.options.facts.run.changed_paths) {
            (Some(node), Some(changed)) => {
                let globs = globs(node, self.variables);
                globs
                    .iter()
                    .any(|glob| self.notes.cache.changed(glob, changed))
            }
            _ => true,
        }
    }
}

/// The patterns of `changes` or `exists`, as a list or under `paths`.
pub(super) fn globs(node: &Node, variables: &Variables) -> Vec<String> {
    let list = node.get("paths").unwrap_or(node);
    let one = std::slice::from_ref(list);
    let nodes = list.as_seq().unwrap_or(one);
    let texts = nodes.iter().filter_map(Node::as_str);
    texts
        .take(super::globs::MOST)
        .map(|text| variables.expand(text))
        .collect()
}

/// The header of a file, if it has one, and its content.
fn split(documents: Vec<Node>) -> (Option<Node>, Option<Node>) {
    let mut documents = documents.into_iter();
    let first = documents.next();
    if first
        .as_ref()
        .is_some_and(|node| node.get("spec").is_some())
    {
        let content = documents.next();
        return (first, content.filter(|node| !node.is_null()));
    }
    (None, first.filter(|node| !node.is_null()))
}

fn is_yaml(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    [".yml", ".yaml"]
        .iter()
        .any(|ending| path.ends_with(ending))
}
