//! Variables: which value wins, and how `$x`, `${x}` and `%x%` become values.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The most text that all variables of a job may grow to.
const LARGEST: usize = 1 << 20;

/// A variable's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) value: String,
    /// Whether other variables in the value are replaced.
    pub(super) expand: bool,
}

impl Variable {
    pub(super) fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            expand: true,
        }
    }
}

/// Variables of one level or of several, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Variables {
    all: BTreeMap<String, Variable>,
    /// Weaker variables that many share. They are taken as they are written.
    below: Option<Arc<BTreeMap<String, String>>>,
}

/// The values of a job's variables, all filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct Env {
    /// Those of the job, or of one of its levels.
    pub(super) own: BTreeMap<String, String>,
    pub(super) below: Arc<BTreeMap<String, String>>,
}

impl Env {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.own
            .get(name)
            .or_else(|| self.below.get(name))
            .map(String::as_str)
    }
}

impl Variables {
    /// None yet, above shared ones.
    pub(super) fn above(below: &Arc<BTreeMap<String, String>>) -> Self {
        Self {
            all: BTreeMap::new(),
            below: Some(Arc::clone(below)),
        }
    }

    pub(super) fn set(&mut self, name: impl Into<String>, variable: Variable) {
        self.all.insert(name.into(), variable);
    }

    /// Sets those of `other`, which win.
    pub(super) fn extend(&mut self, other: &Self) {
        for (name, variable) in &other.all {
            self.all.insert(name.clone(), variable.clone());
        }
    }

    pub(super) fn extend_texts(&mut self, texts: &BTreeMap<String, String>) {
        for (name, value) in texts {
            self.all.insert(name.clone(), Variable::new(value));
        }
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.all.retain(|name, _| keep(name));
    }

    /// The value as it is written.
    pub(super) fn raw(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// The value as it is written.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.all.get(name) {
            Some(variable) => Some(&variable.value),
            None => self.below.as_ref()?.get(name).map(String::as_str),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// Every value with the variables in it replaced, recursively. Unknown ones stay as they are
    /// written, and so do those that lead back to themselves.
    pub(super) fn expanded(&self) -> Env {
        let below = self.below.clone().unwrap_or_default();
        let mut expansion = Expansion {
            done: Env {
                own: BTreeMap::new(),
                below,
            },
            left: LARGEST,
        };
        expansion.fill(self);
        expansion.done
    }

    /// `text` with the variables in it replaced, recursively; see [`expanded`](Self::expanded).
    pub(super) fn expand(&self, text: &str) -> String {
        if !has_reference(text) {
            return text.to_owned();
        }
        let values = self.expanded();
        replace(text, |name| values.get(name)).replace("$$", "$")
    }
}

/// The values that are done, and the way to those that are not.
struct Expansion {
    done: Env,
    left: usize,
}

impl Expansion {
    fn fill(&mut self, variables: &Variables) {
        let mut order: HashMap<&str, Vec<&str>> = HashMap::new();
        for (name, variable) in &variables.all {
            let inner = if variable.expand {
                names(&variable.value)
            } else {
                Vec::new()
            };
            let known = inner
                .into_iter()
                .filter(|name| variables.all.contains_key(*name));
            order.insert(name, known.collect());
        }
        let loops = loops(&order);
        for name in in_order(&order, &loops) {
            let Some(variable) = variables.all.get(name) else {
                continue;
            };
            let value = if variable.expand && !loops.contains(name) {
                self.value(&variable.value)
            } else {
                variable.value.clone()
            };
            self.done.own.insert(name.to_owned(), value);
        }
    }

    /// A value whose own variables are all done.
    fn value(&mut self, text: &str) -> String {
        let grows: usize = names(text)
            .into_iter()
            .filter_map(|name| self.done.get(name))
            .map(str::len)
            .sum();
        if grows > self.left {
            return text.to_owned();
        }
        self.left -= grows;
        replace(text, |name| self.done.get(name))
    }
}

/// The names that lead back to themselves.
fn loops<'a>(order: &HashMap<&'a str, Vec<&'a str>>) -> HashSet<&'a str> {
    // Whatever is left after names with nothing open were taken away again and again stands in a
    // loop or leads to one; of those, the same from the other side leads away from one.
    let forward = leftovers(order);
    let mut backward: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, inner) in order {
        if forward.contains(name) {
            backward.entry(name).or_default();
            for other in inner.iter().filter(|other| forward.contains(*other)) {
                backward.entry(other).or_default().push(name);
            }
        }
    }
    leftovers(&backward)
}

fn leftovers<'a>(order: &HashMap<&'a str, Vec<&'a str>>) -> HashSet<&'a str> {
    let mut open: HashMap<&str, usize> = HashMap::new();
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, inner) in order {
        open.insert(name, inner.len());
        for other in inner {
            users.entry(other).or_default().push(name);
        }
    }
    let mut free: Vec<&str> = Vec::new();
    free.extend(
        open.iter()
            .filter(|(_, count)| **count == 0)
            .map(|(name, _)| *name),
    );
    while let Some(name) = free.pop() {
        open.remove(name);
        for user in users.remove(name).unwrap_or_default() {
            if let Some(count) = open.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    free.push(user);
                }
            }
        }
    }
    open.into_keys().collect()
}

/// The names so that each comes after those it is made of; loops come first.
fn in_order<'a>(order: &HashMap<&'a str, Vec<&'a str>>, loops: &HashSet<&'a str>) -> Vec<&'a str> {
    let mut sorted: Vec<&str> = loops.iter().copied().collect();
    let mut seen: HashSet<&str> = loops.clone();
    let mut names: Vec<&str> = order.keys().copied().collect();
    names.sort_unstable();
    for start in names {
        let mut stack = vec![(start, 0)];
        if !seen.insert(start) {
            continue;
        }
        while let Some((name, next)) = stack.pop() {
            let inner = order.get(name).and_then(|inner| inner.get(next)).copied();
            match inner {
                Some(inner) => {
                    stack.push((name, next + 1));
                    if seen.insert(inner) {
                        stack.push((inner, 0));
                    }
                }
                None => sorted.push(name),
            }
        }
    }
    sorted
}

fn has_reference(text: &str) -> bool {
    text.contains(['$', '%'])
}

/// The names of the variables in a text.
pub(super) fn names(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for piece in pieces(text) {
        if let Piece::Variable { name, .. } = piece {
            found.push(name);
        }
    }
    found
}

/// `text` with its variables replaced, once; unknown ones stay as they are written.
pub(super) fn replace<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Variable { name, written } => out.push_str(value(name).unwrap_or(written)),
        }
    }
    out
}

/// A part of a text.
pub(super) enum Piece<'a> {
    Text(&'a str),
    Variable { name: &'a str, written: &'a str },
}

/// Cuts a text at `$name`, `${name}` and `%name%`; `$$` and `%%` are text.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut plain) = (text, 0);
    while let Some(at) = rest.get(plain..).and_then(|rest| rest.find(['$', '%'])) {
        let at = plain + at;
        let (before, from) = rest.split_at(at);
        if from.starts_with("$$") || from.starts_with("%%") {
            plain = at + 2;
        } else if let Some((name, length)) = reference(from) {
            let (written, after) = from.split_at(length);
            found.push(Piece::Text(before));
            found.push(Piece::Variable { name, written });
            (rest, plain) = (after, 0);
        } else {
            plain = at + 1;
        }
    }
    found.push(Piece::Text(rest));
    found
}

/// The variable that `text` begins with, and how long it is written.
fn reference(text: &str) -> Option<(&str, usize)> {
    if let Some(inner) = text.strip_prefix("${") {
        let name = word(inner)?;
        return inner
            .get(name.len()..)?
            .starts_with('}')
            .then_some((name, name.len() + 3));
    }
    if let Some(inner) = text.strip_prefix('$') {
        let name = word(inner)?;
        return Some((name, name.len() + 1));
    }
    let inner = text.strip_prefix('%')?;
    let name = word(inner)?;
    inner
        .get(name.len()..)?
        .starts_with('%')
        .then_some((name, name.len() + 2))
}

/// The name that `text` begins with.
fn word(text: &str) -> Option<&str> {
    let is_word = |letter: char| letter == '_' || letter.is_ascii_alphanumeric();
    let end = text.find(|letter| !is_word(letter)).unwrap_or(text.len());
    let name = text.get(..end)?;
    let first = name.chars().next()?;
    (!first.is_ascii_digit()).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let mut all = Variables::default();
        for (name, value) in pairs {
            all.set(*name, Variable::new(*value));
        }
        all
    }

    #[track_caller]
    fn check(pairs: &[(&str, &str)], text: &str, expected: &str) {
        assert_eq!(variables(pairs).expand(text), expected);
    }

    #[test]
    fn variables_are_replaced_in_three_notations_and_recursively() {
        let pairs = [("A", "1"), ("B", "${A}2"), ("C", "$B%A%")];
        check(&pairs, "$C-${B}-%A%", "121-12-1");
        check(&pairs, "$D ${D} %D% 5% $ ${", "$D ${D} %D% 5% $ ${");
        check(&pairs, "$$A", "$A");
        check(&pairs, "$Ab", "$Ab");
    }

    #[test]
    fn loops_stay_as_they_are_written_and_others_go_on() {
        let pairs = [
            ("A", "$B"),
            ("B", "$A"),
            ("C", "c$A"),
            ("D", "$E"),
            ("E", "e"),
        ];
        let values = variables(&pairs).expanded().own;
        assert_eq!(values["A"], "$B");
        assert_eq!(values["C"], "c$B");
        assert_eq!(values["D"], "e");
    }

    #[test]
    fn a_value_that_is_not_expanded_is_taken_as_it_is() {
        let mut all = variables(&[("A", "1"), ("C", "<$B>")]);
        let expand = false;
        all.set(
            "B",
            Variable {
                value: "$A".to_owned(),
                expand,
            },
        );
        assert_eq!(all.expanded().own["B"], "$A");
        assert_eq!(all.expanded().own["C"], "<$A>");
    }

    #[test]
    fn values_cannot_grow_without_end() {
        let names: Vec<String> = (0..40).map(|number| format!("V{number}")).collect();
        let mut all = variables(&[("V0", "0123456789")]);
        for pair in names.windows(2) {
            all.set(&pair[1], Variable::new(format!("${0}${0}", pair[0])));
        }
        let total: usize = all.expanded().own.values().map(String::len).sum();
        assert!(total < 3 * LARGEST);
    }

    proptest! {
        #[test]
        fn any_text_is_expanded(texts in proptest::collection::vec("[$%{}ABé]{0,12}", 2)) {
            let all = variables(&[("A", &texts[0]), ("B", &texts[1])]);
            let values = all.expanded().own;
            prop_assert_eq!(values.len(), 2);
            // Cutting a text loses nothing.
            let whole = replace(&texts[0], |_| None);
            prop_assert_eq!(&whole, &texts[0]);
        }
    }
}
