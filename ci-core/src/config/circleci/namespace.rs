//! The names that are known in a file or an orb: its commands, executors, jobs, and the orbs it uses.

use std::collections::HashMap;
use std::sync::Arc;

use crate::similar::closest;
use crate::yaml::{Map, Node};

/// The names that are known in a file or an orb.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    pub(super) commands: Map,
    pub(super) executors: Map,
    pub(super) jobs: Map,
    /// Groups of jobs, which workflows run as if they were one.
    pub(super) groups: Map,
    pub(super) orbs: HashMap<Arc<str>, Arc<Namespace>>,
}

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Command,
    Executor,
    Job,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Executor => "executor",
            Self::Job => "job",
        }
    }
}

/// A definition and the names that are known in it.
pub(super) struct Found<'a> {
    pub(super) node: &'a Node,
    pub(super) inside: &'a Arc<Namespace>,
}

impl Namespace {
    fn of(&self, kind: Kind) -> &Map {
        match kind {
            Kind::Command => &self.commands,
            Kind::Executor => &self.executors,
            Kind::Job => &self.jobs,
        }
    }

    /// The definition of `name`, which may be `orb/name`.
    pub(super) fn find<'a>(self: &'a Arc<Self>, kind: Kind, name: &str) -> Option<Found<'a>> {
        if let Some(node) = self.of(kind).get(name) {
            return Some(Found { node, inside: self });
        }
        let (orb, name) = name.split_once('/')?;
        let inside = self.orbs.get(orb)?;
        let node = inside.of(kind).get(name)?;
        Some(Found { node, inside })
    }

    /// The name that somebody may have meant.
    pub(super) fn meant(&self, kind: Kind, name: &str) -> Option<String> {
        let in_orbs = self.orbs.iter().flat_map(|(orb, inside)| {
            let names = inside.of(kind).keys();
            names.map(move |name| format!("{orb}/{name}"))
        });
        let own = self.of(kind).keys().map(str::to_owned);
        let all: Vec<String> = own.chain(in_orbs).collect();
        closest(name, all.iter().map(String::as_str)).map(str::to_owned)
    }
}

/// Whether `name` is one of an orb that is not at hand: then the problem has been told already.
pub(super) fn lacks_orb_of(name: &str, missing: &[Arc<str>]) -> bool {
    name.split_once('/')
        .is_some_and(|(orb, _)| missing.iter().any(|it| **it == *orb))
}
