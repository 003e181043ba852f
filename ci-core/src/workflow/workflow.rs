//! The trait of everything that can be run.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::{InvalidWorkflow, WorkflowSpec};

/// Something that gives a [`WorkflowSpec`]: a spec itself, a closure, a parsed vendor file.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    note = "build one with `WorkflowSpec::builder`, or wrap a closure with `workflow_fn`"
)]
pub trait Workflow: Send + Sync {
    /// The jobs to run, with every problem at once where there are any.
    fn spec(&self) -> Result<Cow<'_, WorkflowSpec>, InvalidWorkflow>;
}

impl Workflow for WorkflowSpec {
    fn spec(&self) -> Result<Cow<'_, WorkflowSpec>, InvalidWorkflow> {
        Ok(Cow::Borrowed(self))
    }
}

impl<W: Workflow + ?Sized> Workflow for Arc<W> {
    fn spec(&self) -> Result<Cow<'_, WorkflowSpec>, InvalidWorkflow> {
        (**self).spec()
    }
}

impl<W: Workflow + ?Sized> Workflow for Box<W> {
    fn spec(&self) -> Result<Cow<'_, WorkflowSpec>, InvalidWorkflow> {
        (**self).spec()
    }
}

impl<W: Workflow + ?Sized> Workflow for &W {
    fn spec(&self) -> Result<Cow<'_, WorkflowSpec>, InvalidWorkflow> {
        (**self).spec()
    }
}

/// Turns a closure that makes a spec into a workflow.
pub fn workflow_fn<F>(make: F) -> WorkflowFn<F>
where
    F: Fn() -> Result<WorkflowSpec, InvalidWorkflow> + Send + Sync,
{
    WorkflowFn(make)
}

/// A closure as a workflow, made by [`workflow_fn`].
#[derive(Clone, Copy)]
pub struct WorkflowFn<F>(F);

impl<F> fmt::Debug for WorkflowFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkflowFn")
    }
}

impl<F> Workflow for WorkflowFn<F>
where
    F: Fn() -> Result<WorkflowSpec, InvalidWorkflow> + Send + Sync,
{
    fn spec(&self) -> Result<Cow<'_, WorkflowSpec>, InvalidWorkflow> {
        (self.0)().map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflows_are_used_as_objects() {
        fn object_safe(_: Option<Box<dyn Workflow>>, _: Option<Arc<dyn Workflow>>) {}
        object_safe(None, None);
    }
}
