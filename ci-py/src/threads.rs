//! The threads on which the engine calls Python.
//!
//! To be known to the interpreter costs a thread more than most calls take, and so does to be woken. So
//! one that has called stays known for a moment and takes the next call, and whoever waits for a call
//! looks for its result some times before he sleeps.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::runtime::wait;

/// How long a thread waits for another call before it leaves Python.
const LINGER: Duration = Duration::from_secs(1);
/// How long it, and whoever waits for it, looks again and again before it sleeps: to be woken takes about
/// as long.
const LOOK: Duration = Duration::from_micros(50);

/// How many threads of the engine are known to the interpreter.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// Whether the interpreter is about to end, and nobody may go in any more.
static CLOSING: AtomicBool = AtomicBool::new(false);
/// The threads that wait for a call; the last one has the warmest caches.
static IDLE: Mutex<Vec<Arc<Idle>>> = Mutex::new(Vec::new());

type Call = Box<dyn FnOnce(Python<'_>) + Send>;

/// A thread that is known to the interpreter and waits for a call, with the interpreter free for others.
struct Idle {
    thread: Thread,
    next: Mutex<Option<Call>>,
}

/// Runs `call` in Python on a thread where it may block for as long as it likes. None if the
/// interpreter is about to end, or the call panicked.
pub(crate) async fn in_python<T: Send + 'static>(
    call: impl FnOnce(Python<'_>) -> T + Send + 'static,
) -> Option<T> {
    // On a thread of the runtime, waiting for the interpreter would stall tasks that do not need it.
    let (sender, receiver) = oneshot::channel();
    let call: Call = Box::new(move |py| {
        // Nobody may wait any more; then the result is dropped here, inside of Python.
        let _ = sender.send(call(py));
    });
    if let Some(call) = to_idle(call) {
        tokio::task::spawn_blocking(move || serve(call));
    }
    result(receiver).await
}

/// Gives a call to a thread that waits for one; gives it back if there is none.
fn to_idle(call: Call) -> Option<Call> {
    let mut threads = lock(&IDLE);
    let Some(idle) = threads.pop() else {
        return Some(call);
    };
    *lock(&idle.next) = Some(call);
    drop(threads);
    idle.thread.unpark();
    None
}

/// Calls Python on this thread, and goes on as long as there are calls.
fn serve(first: Call) {
    attached(|py| {
        let idle = Arc::new(Idle {
            thread: std::thread::current(),
            next: Mutex::new(None),
        });
        let mut next = Some(first);
        while let Some(call) = next.take() {
            call(py);
            next = py.detach(|| idle.wait());
        }
    });
}

impl Idle {
    /// The next call; none when none came for a while, or the interpreter is about to end.
    fn wait(self: &Arc<Self>) -> Option<Call> {
        lock(&IDLE).push(Arc::clone(self));
        let begun = Instant::now();
        loop {
            if let Some(call) = lock(&self.next).take() {
                return Some(call);
            }
            let waited = begun.elapsed();
            if waited >= LINGER || CLOSING.load(Ordering::SeqCst) {
                break;
            } else if waited < LOOK {
                std::thread::yield_now();
            } else {
                std::thread::park_timeout(LINGER - waited);
            }
        }
        // From here on nobody gives it a call, but somebody may just have.
        lock(&IDLE).retain(|other| !Arc::ptr_eq(other, self));
        lock(&self.next).take()
    }
}

/// What is sent, mostly within microseconds.
async fn result<T>(mut receiver: oneshot::Receiver<T>) -> Option<T> {
    let begun = Instant::now();
    while begun.elapsed() < LOOK {
        match receiver.try_recv() {
            Ok(result) => return Some(result),
            Err(TryRecvError::Closed) => return None,
            Err(TryRecvError::Empty) => tokio::task::yield_now().await,
        }
    }
    receiver.await.ok()
}

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
    for idle in lock(&IDLE).iter() {
        idle.thread.unpark();
    }
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
