//! Reads a file and everything that it includes (<https://docs.gitlab.com/ci/yaml/includes/>).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::files::Files;
use super::super::inputs::{Given, Interpolation, bind};
use super::super::merge::merge;
use super::super::notes::Notes;
use super::super::options::Options;
use super::super::variables::Variables;
use crate::similar::closest;
use crate::yaml::problem::Problem;
use crate::yaml::{Loader, Map, Mark, Node, Schema, Value};

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

/// What is read first.
pub(in super::super) enum Top<'a> {
    /// The file that the options name.
    File,
    /// What a trigger includes.
    Includes(&'a Node),
}

/// The file of the project with what it includes merged below it; `None` after a problem.
pub(in super::super) fn load(
    files: &dyn Files,
    options: &Options,
    top: &Top<'_>,
    variables: &Variables,
    notes: &mut Notes,
) -> Option<Map> {
    let mut reader = Reader {
        own: files,
        options,
        variables,
        notes,
        count: 0,
        open: Vec::new(),
    };
    match top {
        Top::File => reader.first(),
        Top::Includes(node) => {
            let mut out = Map::new();
            reader.includes(node, &Origin::Own, &mut out);
            Some(out)
        }
    }
}

/// Whose files `include:local` means in a file.
#[derive(Clone)]
pub(super) enum Origin {
    Own,
    Of(Arc<dyn Files>, String),
    /// A file that stands alone.
    Nowhere,
}

pub(super) struct File {
    /// Its name for people.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) origin: Origin,
    /// What is known of the component that it is: `name`, `version`, `reference`, `sha`.
    pub(super) component: BTreeMap<&'static str, String>,
}

impl File {
    /// A file that is no component.
    pub(super) fn new(name: impl Into<String>, text: String, origin: Origin) -> Self {
        Self {
            name: name.into(),
            text,
            origin,
            component: BTreeMap::new(),
        }
    }
}

pub(super) struct Reader<'a> {
    pub(super) own: &'a dyn Files,
    pub(super) options: &'a Options,
    pub(super) variables: &'a Variables,
    pub(super) notes: &'a mut Notes,
    pub(super) count: usize,
    /// The files that are being read, each included by the one before it.
    pub(super) open: Vec<String>,
}

impl Reader<'_> {
    /// The file that the options name.
    fn first(&mut self) -> Option<Map> {
        let name = &self.options.file;
        let top = Mark::new(&**name, 1, 1);
        let text = match self.own.read(name) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("cannot read `{name}`: {error}");
                self.notes.problems.push(Problem::error(&top, message));
                return None;
            }
        };
        let inputs = self
            .options
            .inputs
            .iter()
            .map(|(name, value)| (Arc::from(name.as_str()), Node::text(value.as_str(), &top)));
        let inputs: Map = inputs.collect();
        let file = File::new(name.as_str(), text, Origin::Own);
        self.file(&file, Given::Typed(&inputs), &top)
    }

    /// What a file comes to. The recursion ends with the number of files that may be included.
    fn file(&mut self, file: &File, given: Given<'_>, at: &Mark) -> Option<Map> {
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
        let content = self.interpolated(header.as_ref(), &content, (file, given), at);
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
        (file, given): (&File, Given<'_>),
        at: &Mark,
    ) -> Node {
        let (Given::Values(values) | Given::Typed(values)) = given;
        if header.is_none() && values.is_empty() {
            return content.clone();
        }
        let declared = header
            .and_then(|header| header.get("spec"))
            .and_then(|spec| spec.get("inputs"));
        let inputs = bind(declared, given, at, &mut self.notes.problems);
        let mut interpolation = Interpolation {
            inputs: &inputs,
            component: &file.component,
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
        self.file(file, Given::Values(inputs), at)
    }
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
