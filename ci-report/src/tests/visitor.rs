//! Who gets what a report says.

use super::{Case, Suite};
use crate::Diagnostic;

/// Gets what a report says, in the order in which it says it.
///
/// Everything is borrowed for the call and reused for the next one.
pub trait Visitor {
    /// A suite begins. What its start says is known, the rest [when it ends](Self::suite_end).
    fn suite_start(&mut self, suite: &Suite) {
        let _ = suite;
    }

    /// A case that is complete.
    fn case(&mut self, case: &Case);

    /// The innermost suite ends.
    fn suite_end(&mut self, suite: &Suite) {
        let _ = suite;
    }

    /// Something is wrong with the report.
    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        let _ = diagnostic;
    }
}

impl<V: Visitor + ?Sized> Visitor for &mut V {
    fn suite_start(&mut self, suite: &Suite) {
        (**self).suite_start(suite);
    }

    fn case(&mut self, case: &Case) {
        (**self).case(case);
    }

    fn suite_end(&mut self, suite: &Suite) {
        (**self).suite_end(suite);
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        (**self).diagnostic(diagnostic);
    }
}
