//! Where a step's output goes: its log in the store, and the sinks.

use std::io;
use std::sync::Arc;

use super::recorder::Recorder;
use super::stated::Stated;
use crate::event::RunEvent;
use crate::session::{LogSink, OutputChunk};
use crate::store::{LogKey, LogWriter, RunStore, StoreError};

/// The log of a step in the store, if the run has one, and the sinks that want output.
#[derive(Debug)]
pub(super) struct StepLog {
    writer: Option<Box<dyn LogWriter>>,
    recorder: Arc<Recorder>,
    key: LogKey,
    decoders: [Decoder; 3],
    stated: Option<Arc<Stated>>,
}

impl StepLog {
    pub(super) fn open(
        store: Option<&dyn RunStore>,
        recorder: &Arc<Recorder>,
        key: LogKey,
        stated: Option<Arc<Stated>>,
    ) -> Result<Self, StoreError> {
        let writer = store.map(|store| store.log(&key)).transpose()?;
        Ok(Self {
            writer,
            recorder: Arc::clone(recorder),
            key,
            decoders: Default::default(),
            stated,
        })
    }
}

impl LogSink for StepLog {
    fn write(&mut self, chunk: &OutputChunk) -> io::Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.write(chunk).map_err(io::Error::other)?;
        }
        if let Some(stated) = &self.stated {
            stated.read(self.key.step, chunk);
        }
        if self.recorder.hub().wants_output() {
            let text = self.decoders[chunk.stream as usize].decode(&chunk.bytes);
            if !text.is_empty() {
                self.recorder.show(RunEvent::Output {
                    job: Arc::clone(&self.key.job),
                    step: self.key.step,
                    stream: chunk.stream,
                    text: text.into(),
                });
            }
        }
        Ok(())
    }
}

/// Turns the bytes of a stream into text. A character that is cut by the end of a chunk waits for the
/// next; what is no UTF-8 becomes U+FFFD.
#[derive(Debug, Default)]
struct Decoder {
    cut: Vec<u8>,
}

impl Decoder {
    fn decode(&mut self, bytes: &[u8]) -> String {
        let joined;
        let bytes = if self.cut.is_empty() {
            bytes
        } else {
            self.cut.extend(bytes);
            joined = std::mem::take(&mut self.cut);
            &joined
        };
        // Only the last character can be cut, and it is at most three bytes short of whole.
        let cut = (1..=bytes.len().min(3)).find(|back| {
            let tail = &bytes[bytes.len() - back..];
            std::str::from_utf8(tail)
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        });
        let (whole, cut) = bytes.split_at(bytes.len() - cut.unwrap_or(0));
        self.cut.extend(cut);
        String::from_utf8_lossy(whole).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_is_the_same_however_it_is_cut(text in "\\PC{0,30}", cut in 0usize..120) {
            let bytes = text.as_bytes();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut decoder = Decoder::default();
            let joined = decoder.decode(first) + &decoder.decode(second);
            prop_assert_eq!(joined, text);
        }

        #[test]
        fn any_bytes_become_text(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut decoder = Decoder::default();
            let text = decoder.decode(&bytes);
            prop_assert!(decoder.cut.len() < 4);
            prop_assert!(text.chars().count() <= bytes.len());
        }
    }
}
