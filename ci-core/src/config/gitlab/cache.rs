//! Expressions, patterns and globs that were made ready before: the jobs of a file share them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::Regex;

use super::globs::Glob;
use super::rules_if::{Expression, ExpressionError, compile_pattern};

/// A pattern that was made ready: nothing for text that is none, an error for one that is no good.
type Pattern = Rc<Option<Result<Regex, String>>>;

/// What was made ready before, and what it came to where nothing changes that.
#[derive(Debug, Default)]
pub(super) struct Cache {
    expressions: RefCell<HashMap<String, Rc<Result<Expression, ExpressionError>>>>,
    patterns: RefCell<HashMap<String, Pattern>>,
    changed: RefCell<HashMap<String, bool>>,
    found: RefCell<HashMap<String, bool>>,
}

impl Cache {
    /// The expression of a text.
    pub(super) fn expression(&self, text: &str) -> Rc<Result<Expression, ExpressionError>> {
        ready(&self.expressions, text, || Rc::new(Expression::parse(text)))
    }

    /// The pattern `/…/` of a text, if it is one.
    pub(super) fn pattern(&self, text: &str) -> Pattern {
        ready(&self.patterns, text, || Rc::new(compile_pattern(text)))
    }

    /// Whether a glob matches one of the changed paths, which are the same at each call.
    pub(super) fn changed(&self, glob: &str, paths: &[String]) -> bool {
        let matches = || {
            let glob = Glob::new(glob);
            paths.iter().any(|path| glob.matches(path))
        };
        ready(&self.changed, glob, matches)
    }

    /// Whether a glob finds a file among those of the project, which are the same at each call.
    pub(super) fn found(&self, glob: &str, paths: &[String]) -> bool {
        ready(&self.found, glob, || Glob::new(glob).finds(paths))
    }
}

fn ready<T: Clone>(cache: &RefCell<HashMap<String, T>>, text: &str, make: impl FnOnce() -> T) -> T {
    if let Some(made) = cache.borrow().get(text) {
        return made.clone();
    }
    let fresh = make();
    cache.borrow_mut().insert(text.to_owned(), fresh.clone());
    fresh
}
