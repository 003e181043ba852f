//! Python bindings of ci-core: the extension module behind `import ci_core`.
//!
//! Thin: each file maps one module of the engine, and what needs no Rust is Python, in
//! `python/ci_core/`. The rules that keep it from standing still or falling over:
//!
//! - Whatever blocks goes through `runtime::wait`, which lets go of the interpreter.
//! - Python is called on threads that may block (`threads::in_python`), never on the engine's own.
//! - Every class is frozen: nothing can be "already borrowed".

mod approver;
mod call;
mod config;
mod convert;
mod coverage;
mod error;
mod event;
mod executor;
mod flaky;
mod run;
mod runtime;
mod source;
mod split;
mod step;
mod step_runner;
mod storage;
mod store;
mod test_case;
mod test_report;
mod threads;
mod trigger;
mod version;
mod view;
mod watch;
mod workflow;

/// The engine below the package `ci_core`.
#[pyo3::pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::config::{cli, load, set_program};
    #[pymodule_export]
    use crate::coverage::{Coverage, read_coverage};
    #[cfg(feature = "docker")]
    #[pymodule_export]
    use crate::executor::docker_executor;
    #[pymodule_export]
    use crate::executor::{Io, Native, close_executors, executor_of, local_executor};
    #[pymodule_export]
    use crate::flaky::{History, failed_in_store, flaky_in_store, rerun_arguments};
    #[pymodule_export]
    use crate::run::{Run, rerun, resume, start};
    #[pymodule_export]
    #[pymodule_export]
    use crate::source::Tree;
    #[pymodule_export]
    use crate::split::split;
    #[pymodule_export]
    use crate::step::Context;
    #[pymodule_export]
    use crate::step_runner::StepRunner;
    #[pymodule_export]
    use crate::storage::{ArtifactFile, Storage};
    #[pymodule_export]
    use crate::store::{LogReader, Store};
    #[pymodule_export]
    use crate::test_case::{TestCase, one_test};
    #[pymodule_export]
    use crate::test_report::{TestCases, TestReport, iter_tests, read_tests, test_times};
    #[pymodule_export]
    use crate::threads::quiesce;
    #[pymodule_export]
    use crate::trigger::Triggers;
    #[pymodule_export]
    use crate::version::{
        compare_versions, highest_version, is_version, moves_latest, sort_versions,
    };
    #[pymodule_export]
    use crate::view::{page_of, view_of};
    #[pymodule_export]
    use crate::watch::{CommitWatcher, Watch, watch};
    #[pymodule_export]
    use crate::workflow::Spec;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("DEBUG_BUILD", cfg!(debug_assertions))?;
        module.add("AWS", cfg!(feature = "aws"))?;
        module.add("DOCKER", cfg!(feature = "docker"))
    }
}
