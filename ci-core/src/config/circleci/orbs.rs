//! Orbs: inline ones, and published ones from a directory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::namespace::Namespace;
use crate::yaml::problem::{Problem, Problems};
use crate::yaml::{Map, Node, load};

/// How deep orbs may use orbs.
const DEPTH: usize = 16;

/// Where published orbs come from.
pub trait OrbSource: Send + Sync {
    /// The text of an orb, and how its file is called. `version` is as it is written: `5`, `5.2`,
    /// `5.2.0`, `volatile`. `None` if there is no such orb.
    fn find(&self, name: &str, version: &str) -> Option<(String, String)>;
}

/// Orbs in a directory: `NAMESPACE/NAME/VERSION/orb.yml`.
#[derive(Debug, Clone)]
pub struct OrbDirectory {
    roots: Vec<PathBuf>,
}

impl OrbDirectory {
    /// The orbs below these directories, the first that has one counts.
    #[must_use]
    pub fn new(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            roots: roots.into_iter().collect(),
        }
    }
}

impl OrbSource for OrbDirectory {
    fn find(&self, name: &str, version: &str) -> Option<(String, String)> {
        if !name.split('/').all(is_plain) || !is_plain(version) {
            return None;
        }
        self.roots.iter().find_map(|root| {
            let dir = root.join(name);
            let newest = newest(&dir, version)?;
            let file = dir.join(newest).join("orb.yml");
            let text = std::fs::read_to_string(&file).ok()?;
            Some((text, file.display().to_string()))
        })
    }
}

/// Whether a part of a name cannot lead out of its directory.
fn is_plain(part: &str) -> bool {
    !part.is_empty() && !part.starts_with('.') && !part.contains(['/', '\\', ':'])
}

/// The newest version in `dir` that `wanted` allows.
fn newest(dir: &Path, wanted: &str) -> Option<String> {
    let versions = std::fs::read_dir(dir).ok()?;
    let names = versions.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let parse = |name: &str| -> Option<[u64; 3]> {
        let mut parts = name.split('.').map(|part| part.parse().ok());
        Some([parts.next()??, parts.next()??, parts.next()??])
    };
    let allowed = |name: &String| {
        name == wanted || wanted == "volatile" || name.starts_with(&format!("{wanted}."))
    };
    names.filter(allowed).max_by_key(|name| parse(name))
}

/// No published orbs at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoOrbs;

impl OrbSource for NoOrbs {
    fn find(&self, _name: &str, _version: &str) -> Option<(String, String)> {
        None
    }
}

/// Reads the orbs that files use.
pub(super) struct OrbLoader<'a> {
    source: &'a dyn OrbSource,
    /// Orbs that were read, by reference.
    known: HashMap<String, Arc<Namespace>>,
    /// Orbs that are not at hand, by the name they have in the file.
    pub(super) missing: Vec<Arc<str>>,
}

impl<'a> OrbLoader<'a> {
    pub(super) fn new(source: &'a dyn OrbSource) -> Self {
        Self {
            source,
            known: HashMap::new(),
            missing: Vec::new(),
        }
    }

    /// The names that a file or an inline orb defines.
    pub(super) fn namespace(
        &mut self,
        file: &Node,
        depth: usize,
        problems: &mut Problems,
    ) -> Arc<Namespace> {
        let part = |key: &str, problems: &mut Problems| match file.get(key) {
            None => Map::new(),
            Some(node) => {
                if node.as_map().is_none() && !node.is_null() {
                    let message = format!("`{key}` takes a map, not {}", node.kind());
                    problems.push(Problem::error(&node.mark, message));
                }
                node.as_map().cloned().unwrap_or_default()
            }
        };
        let mut namespace = Namespace {
            commands: part("commands", problems),
            executors: part("executors", problems),
            jobs: part("jobs", problems),
            groups: part("job-groups", problems),
            orbs: HashMap::new(),
        };
        for (name, node) in part("orbs", problems).iter() {
            if depth >= DEPTH {
                let message = format!("orbs use orbs deeper than {DEPTH}");
                problems.push(Problem::error(&node.mark, message));
                break;
            }
            if let Some(orb) = self.orb(name, node, depth + 1, problems) {
                namespace.orbs.insert(Arc::clone(name), orb);
            }
        }
        Arc::new(namespace)
    }

    fn orb(
        &mut self,
        name: &Arc<str>,
        node: &Node,
        depth: usize,
        problems: &mut Problems,
    ) -> Option<Arc<Namespace>> {
        if node.as_map().is_some() {
            return Some(self.namespace(node, depth, problems));
        }
        let Some(reference) = node.as_str() else {
            let message = format!("the orb `{name}` is {}, not a name or a map", node.kind());
            problems.push(Problem::error(&node.mark, message));
            return None;
        };
        if let Some(known) = self.known.get(reference) {
            return Some(Arc::clone(known));
        }
        let found = reference
            .split_once('@')
            .and_then(|(orb, version)| self.source.find(orb, version));
        let Some((text, file)) = found else {
            self.missing.push(Arc::clone(name));
            let at = reference.replace('@', "/");
            let message = format!("the orb `{reference}` is not on this machine");
            problems.push(Problem::error(&node.mark, message).hint(format!(
                "put its source at `.circleci/orbs/{at}/orb.yml` or below a directory given with \
                 `--orbs`; `circleci orb source {reference}` prints it"
            )));
            return None;
        };
        match load(&text, &file, problems) {
            Ok(documents) => {
                let source = documents.into_iter().next()?;
                let orb = self.namespace(&source, depth, problems);
                self.known.insert(reference.to_owned(), Arc::clone(&orb));
                Some(orb)
            }
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }
}
