//! stub
use crate::{event::*, session::*, store::*};
use std::sync::Arc;
#[derive(Debug)]
pub(super) struct StepLog {
    w: Option<Box<dyn LogWriter>>,
    hub: Arc<EventHub>,
    key: LogKey,
}
impl StepLog {
    pub(super) fn open(
        store: Option<&dyn RunStore>,
        hub: &Arc<EventHub>,
        key: LogKey,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            w: store.map(|s| s.log(&key)).transpose()?,
            hub: Arc::clone(hub),
            key,
        })
    }
}
impl LogSink for StepLog {
    fn write(&mut self, c: &OutputChunk) -> std::io::Result<()> {
        if let Some(w) = &mut self.w {
            let _ = w.write(c);
        }
        self.hub.emit(RunEvent::Output {
            job: Arc::clone(&self.key.job),
            step: self.key.step,
            stream: c.stream,
            text: String::from_utf8_lossy(&c.bytes).into(),
        });
        Ok(())
    }
}
