//! The threads that the engine runs on, and the only way to wait for them.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

/// Runs `call` in Python on a thread where it may block for as long as it likes. None if the
/// interpreter is about to end, or the call panicked.
pub(crate) async fn in_python<T: Send + 'static>(
    call: impl FnOnce(Python<'_>) -> T + Send + 'static,
) -> Option<T> {
    // On a thread of the runtime, waiting for the interpreter would stall tasks that do not need it.
    tokio::task::spawn_blocking(move || attached(call))
        .await
        .ok()
        .flatten()
}

/// How many calls are in Python on threads of the engine.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// Whether the interpreter is about to end, and nobody may go in any more.
static CLOSING: AtomicBool = AtomicBool::new(false);

/// Runs `call` in Python on this thread. None if the interpreter is about to end.
///
/// `CPython` before 3.14 ends the threads that it finds inside when it finalizes, in the middle of their
/// Rust frames, which aborts the process. So they are counted, and [`quiesce`] waits for them.
pub(crate) fn attached<T>(call: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            INSIDE.fetch_sub(1, Ordering::SeqCst);
        }
    }
    INSIDE.fetch_add(1, Ordering::SeqCst);
    let _leave = Leave;
    if CLOSING.load(Ordering::SeqCst) {
        return None;
    }
    Python::try_attach(call)
}

/// Lets no call of the engine into Python any more, and waits until those inside are out. False if
/// some still are after `limit` seconds.
#[pyfunction]
pub(crate) fn quiesce(py: Python<'_>, limit: f64) -> PyResult<bool> {
    let limit = crate::convert::seconds(limit)?;
    CLOSING.store(true, Ordering::SeqCst);
    if INSIDE.load(Ordering::SeqCst) == 0 {
        return Ok(true);
    }
    let out = async {
        while INSIDE.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let out = async { tokio::time::timeout(limit, out).await.is_ok() };
    wait(py, out, || ())
}
