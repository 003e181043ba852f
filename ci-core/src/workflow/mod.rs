//! A workflow: a directed acyclic graph of jobs, as a trait and as data.

mod check;
mod expand;
mod facts;
mod filter;
mod form;
mod good;
mod link;
#[cfg(feature = "yaml")]
mod locate;
mod names;
mod place;
mod plan;
mod problem;
mod read;
mod source;
mod spec;
mod spec_error;
#[expect(
    clippy::module_inception,
    reason = "the trait gives the module its name"
)]
mod workflow;

pub use facts::RunFacts;
pub(crate) use good::GoodSteps;
pub use place::Place;
pub use plan::Plan;
pub use problem::{InvalidWorkflow, Problem};
pub use source::SpecSource;
pub use spec::{Budget, OverBudget, WorkflowBuilder, WorkflowSpec};
pub use spec_error::{SpecError, SpecErrorKind};
pub use workflow::{Workflow, WorkflowFn, workflow_fn};

#[cfg(test)]
mod tests;
