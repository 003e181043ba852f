//! What commands write, kept for the checks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::session::{LogSink, Output, OutputChunk, OutputOptions, Stream};

/// What one command wrote, by stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    bytes: Mutex<[Vec<u8>; 3]>,
    written: Notify,
}

impl Log {
    /// Output that ends here.
    pub(super) fn output(&self) -> Output {
        output(self.clone())
    }

    pub(super) fn bytes(&self, stream: Stream) -> Vec<u8> {
        self.lock()[stream as usize].clone()
    }

    pub(super) fn text(&self, stream: Stream) -> String {
        String::from_utf8_lossy(&self.lock()[stream as usize]).into_owned()
    }

    /// Waits for the first `count` whole lines of the standard output.
    pub(super) async fn lines(&self, count: usize) -> Vec<String> {
        loop {
            let text = self.text(Stream::Stdout);
            let whole = text
                .split_inclusive('\n')
                .filter_map(|line| line.strip_suffix('\n'));
            let lines: Vec<String> = whole.take(count).map(ToOwned::to_owned).collect();
            if lines.len() == count {
                return lines;
            }
            // A permit is kept if something was written since the look above.
            self.0.written.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, [Vec<u8>; 3]> {
        self.0.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogSink for Log {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        self.lock()[chunk.stream as usize].extend_from_slice(&chunk.bytes);
        self.0.written.notify_one();
        Ok(())
    }
}

/// Output without secrets that ends in `sink`.
pub(super) fn output(sink: impl LogSink + 'static) -> Output {
    let options = OutputOptions::new(Arc::default(), Clock::system());
    Output::new(&options, Box::new(sink))
}
