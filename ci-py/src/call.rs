//! Functions of Python that the engine calls: plain ones on threads of their own, `async` ones on an
//! event loop.

use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::threads::in_python;

/// Where the functions of a run are called: in the context of whoever began it, and the `async` ones
/// on the event loop of whoever awaits it, else on one of the module's own.
#[derive(Debug)]
pub(crate) struct Place {
    context: Py<PyAny>,
    event_loop: Option<Py<PyAny>>,
}

impl Place {
    /// The context of the caller, with the loop that he awaits on.
    pub(crate) fn here(py: Python<'_>, event_loop: Option<Py<PyAny>>) -> PyResult<Self> {
        let context = py.import("contextvars")?.call_method0("copy_context")?;
        Ok(Self {
            context: context.unbind(),
            event_loop,
        })
    }
}

/// A function with where it is called. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    inner: Arc<Inner>,
    place: Arc<Place>,
}

#[derive(Debug)]
struct Inner {
    function: Py<PyAny>,
    is_async: bool,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) enum Called<T> {
    /// It returned what was read, or raised.
    Done(PyResult<T>),
    /// It was told to stop, and had not returned when that was over.
    Abandoned,
    /// The interpreter is about to end.
    Gone,
}

impl Function {
    /// Wraps a function. Whether it is `async` is known now, so that nothing has to be asked later.
    pub(crate) fn new(function: &Bound<'_, PyAny>, place: &Arc<Place>) -> PyResult<Self> {
        let py = function.py();
        let is_async = py
            .import("ci_core._bridge")?
            .call_method1("is_async", (function,))?
            .extract()?;
        Ok(Self {
            inner: Arc::new(Inner {
                function: function.clone().unbind(),
                is_async,
            }),
            place: Arc::clone(place),
        })
    }

    /// Calls it with what `arguments` makes, and reads what it returns with `read`. When `cancel` is canceled an `async` function is canceled
    /// too, a plain one has to look for itself; both are waited for as long as `patience` says, without
    /// end by default.
    pub(crate) async fn call<A, R, T>(
        &self,
        arguments: A,
        read: R,
        cancel: &CancellationToken,
        patience: Option<Duration>,
    ) -> Called<T>
    where
        A: FnOnce(Python<'_>) -> PyResult<Py<PyTuple>> + Send + 'static,
        R: FnOnce(&Bound<'_, PyAny>) -> PyResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let this = self.clone();
        if !self.inner.is_async {
            let call = in_python(move |py| read(&this.call_now(py, arguments)?));
            let ended = async move { call.await.map_or(Called::Gone, Called::Done) };
            return patiently(ended, cancel, patience, None).await;
        }
        let (sender, receiver) = oneshot::channel();
        let done = Done::new(move |result| {
            let _ = sender.send(result.and_then(|returned| read(&returned)));
        });
        let begun = in_python(move |py| this.submit(py, arguments, done)).await;
        let future = match begun {
            None => return Called::Gone,
            Some(Err(error)) => return Called::Done(Err(error)),
            Some(Ok(future)) => future,
        };
        let ended = async move {
            let lost = || Err(PyRuntimeError::new_err("the event loop was closed"));
            Called::Done(receiver.await.unwrap_or_else(|_| lost()))
        };
        patiently(ended, cancel, patience, Some(future)).await
    }

    fn call_now<'py>(
        &self,
        py: Python<'py>,
        arguments: impl FnOnce(Python<'_>) -> PyResult<Py<PyTuple>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments = arguments(py)?;
        // A copy: one context cannot be entered by two threads.
        let context = (self.place.context.bind(py)).call_method0(intern!(py, "copy"))?;
        let mut words = vec![self.inner.function.bind(py).clone()];
        words.extend(arguments.bind(py).iter());
        context.call_method1(intern!(py, "run"), PyTuple::new(py, words)?)
    }

    fn submit(
        &self,
        py: Python<'_>,
        arguments: impl FnOnce(Python<'_>) -> PyResult<Py<PyTuple>>,
        done: Done,
    ) -> PyResult<Py<PyAny>> {
        let submitted = py.import("ci_core._bridge")?.call_method1(
            "submit",
            (
                self.place.event_loop.as_ref(),
                &self.place.context,
                &self.inner.function,
                arguments(py)?,
                done,
            ),
        )?;
        Ok(submitted.unbind())
    }
}

/// Waits for a call; after `cancel`, cancels the future of Python and waits only for `patience`.
async fn patiently<T>(
    ended: impl Future<Output = Called<T>>,
    cancel: &CancellationToken,
    patience: Option<Duration>,
    future: Option<Py<PyAny>>,
) -> Called<T> {
    tokio::pin!(ended);
    tokio::select! {
        biased;
        called = &mut ended => return called,
        () = cancel.cancelled() => {}
    }
    if let Some(future) = future {
        in_python(move |py| future.call_method0(py, "cancel").is_ok()).await;
    }
    match patience {
        None => ended.await,
        Some(limit) => tokio::time::timeout(limit, ended)
            .await
            .unwrap_or(Called::Abandoned),
    }
}

/// Takes the result of a future of Python.
#[pyclass(frozen, module = "ci_core._native")]
struct Done(Mutex<Option<Take>>);

type Take = Box<dyn FnOnce(PyResult<Bound<'_, PyAny>>) + Send>;

impl Done {
    fn new(take: impl FnOnce(PyResult<Bound<'_, PyAny>>) + Send + 'static) -> Self {
        Self(Mutex::new(Some(Box::new(take))))
    }
}

#[pymethods]
impl Done {
    fn __call__(&self, future: &Bound<'_, PyAny>) {
        let result = future.call_method0("result");
        let take = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(take) = take {
            take(result);
        }
    }
}
