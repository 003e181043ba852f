//! The threads that the engine runs on, and the only way to wait for them.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Runtime};

use crate::error::{fork_error, internal};

/// How often waiting looks for signals that came for Python: short enough for Ctrl-C to feel at once.
const SIGNALS: Duration = Duration::from_millis(50);

/// The runtime of this process, made when it is first needed: a program that only imports the module
/// may fork as it likes.
pub(crate) fn runtime() -> PyResult<&'static Runtime> {
    static RUNTIME: OnceLock<(u32, Runtime)> = OnceLock::new();
    let here = std::process::id();
    if let Some((owner, runtime)) = RUNTIME.get() {
        if *owner == here {
            return Ok(runtime);
        }
        // The threads stayed in the parent: whatever is given to them is never done.
        return Err(fork_error(*owner, here));
    }
    let made = Builder::new_multi_thread()
        .thread_name("ci-core")
        .enable_all()
        .build()
        .map_err(|error| internal(format!("no threads to be had: {error}")))?;
    Ok(&RUNTIME.get_or_init(|| (here, made)).1)
}

/// Waits for `future` with the interpreter free for others.
///
/// Everything that blocks goes through here: waiting while attached would keep the steps that are
/// Python from ever running. Python's signal handlers run meanwhile, if this is the main thread;
/// `interrupted` is called when one raises. The first exception is raised when the future is done; the
/// third is raised at once, and the future dropped.
pub(crate) fn wait<F, T>(
    py: Python<'_>,
    future: F,
    mut interrupted: impl FnMut() + Send,
) -> PyResult<T>
where
    F: Future<Output = T> + Send,
    T: Send,
{
    let runtime = runtime()?;
    py.detach(|| {
        runtime.block_on(async {
            tokio::pin!(future);
            let (mut signal, mut raised) = (None, 0);
            loop {
                tokio::select! {
                    biased;
                    done = &mut future => return signal.map_or(Ok(done), Err),
                    () = tokio::time::sleep(SIGNALS) => {
                        let Some(Err(error)) = signals() else { continue };
                        raised += 1;
                        if raised == 3 {
                            return Err(error);
                        }
                        interrupted();
                        signal.get_or_insert(error);
                    }
                }
            }
        })
    })
}

/// Lets Python's signal handlers run; they may raise.
fn signals() -> Option<PyResult<()>> {
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is not general enough over the lifetime"
    )]
    Python::try_attach(|py| py.check_signals())
}
