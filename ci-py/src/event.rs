//! Sinks written in Python.

use ci_core::event::{EventRecord, Interest, Sink, SinkError};
use pyo3::prelude::*;

use crate::convert::serialized;

/// A sink that is a function of Python, called with each event as a dictionary, on the sink's thread.
pub(crate) struct PySink {
    name: String,
    function: Py<PyAny>,
    output: bool,
}

impl PySink {
    pub(crate) fn new(name: String, function: Py<PyAny>, output: bool) -> Self {
        Self {
            name,
            function,
            output,
        }
    }
}

impl Sink for PySink {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self) -> Interest {
        if self.output {
            Interest::All
        } else {
            Interest::Lifecycle
        }
    }

    fn event(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        let taken = crate::threads::attached(|py| {
            let event = serialized(py, record)?;
            self.function.call1(py, (event,))?;
            Ok::<_, PyErr>(())
        });
        match taken {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(SinkError(error.to_string())),
            None => Err(SinkError("the interpreter has ended".to_owned())),
        }
    }
}
