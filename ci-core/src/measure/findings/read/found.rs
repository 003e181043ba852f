//! What a reader has found so far, bounded.

use serde_json::Value;

use crate::measure::findings::Finding;

/// The most findings of a report that are kept.
const MOST: usize = 100_000;
/// Longer words are cut, in characters.
const LONGEST: usize = 2000;
/// How many warnings are kept.
const MOST_WARNINGS: usize = 20;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    pub(super) warnings: Vec<String>,
}

impl Found {
    pub(super) fn add(&mut self, mut finding: Finding) {
        if self.findings.len() >= MOST {
            self.warn("there are more than 100000 findings; the rest is left out".to_owned());
            return;
        }
        let texts = [&mut finding.rule, &mut finding.message];
        let optional = [&mut finding.path, &mut finding.package];
        let lists = [&mut finding.aliases, &mut finding.tools];
        texts
            .into_iter()
            .chain(optional.into_iter().flatten())
            .chain(lists.into_iter().flatten())
            .for_each(cut);
        self.findings.push(finding);
    }

    pub(super) fn warn(&mut self, words: String) {
        if self.warnings.len() < MOST_WARNINGS && !self.warnings.contains(&words) {
            self.warnings.push(words);
        }
    }

    /// The entries of a list, each with its place; a warning where there is no list.
    pub(super) fn entries<'a>(&mut self, document: &'a Value, key: &str) -> &'a [Value] {
        match document.get(key) {
            Some(Value::Array(entries)) => entries,
            None | Some(Value::Null) => &[],
            Some(_) => {
                self.warn(format!("`{key}` is no list"));
                &[]
            }
        }
    }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
}
