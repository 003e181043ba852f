//! Approvers written in Python.

use async_trait::async_trait;
use ci_core::run::{ApprovalRequest, Approver};
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio_util::sync::CancellationToken;

use crate::call::{Called, Function};
use crate::threads::in_python;

/// An approver that is a function of Python: it says yes, no, or with `None` that others decide.
pub(crate) struct PyApprover(pub(crate) Function);

#[async_trait]
impl Approver for PyApprover {
    async fn decide(&self, request: &ApprovalRequest) -> Option<bool> {
        let (run, job, prompt) = (
            request.run.to_string(),
            request.job.to_string(),
            request.prompt.clone(),
        );
        let arguments = move |py: Python<'_>| -> PyResult<Py<PyTuple>> {
            Ok((run, job, prompt).into_pyobject(py)?.unbind())
        };
        let never = CancellationToken::new();
        let read = |decision: &Bound<'_, PyAny>| decision.extract::<Option<bool>>();
        match self.0.call(arguments, read, &never, None).await {
            Called::Done(Ok(decision)) => decision,
            Called::Done(Err(error)) => {
                // Nobody waits for the exception, and a decision it is not.
                in_python(move |py| error.write_unraisable(py, None)).await;
                None
            }
            _ => None,
        }
    }
}
