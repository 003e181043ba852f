//! An archive that is packed while it is read.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::pack::{check, write};
use super::{ArchiveError, PackRoot};
use crate::session::TreeReader;

const CHUNK: usize = 64 * 1024;

/// Packs `roots` in a thread of its own and gives the archive to read: never more than 256 KiB of it
/// are in memory, and a reader that is dropped ends the thread. Missing roots and bad globs are
/// reported at once, everything else as an error of the reader.
pub fn pack_stream(roots: Vec<PackRoot>) -> Result<TreeReader, ArchiveError> {
    let selectors = check(&roots)?;
    // Bounded, so that packing waits for whoever reads.
    let (sender, receiver) = sync_channel(4);
    let work = move || {
        let pipe = io::BufWriter::with_capacity(CHUNK, PipeWriter(sender.clone()));
        if let Err(error) = write(&roots, &selectors, pipe) {
            let _ = sender.send(Err(error.into()));
        }
    };
    std::thread::Builder::new()
        .name("pack".to_owned())
        .spawn(work)
        .map_err(|error| ArchiveError::io("start packing", "thread", error))?;
    Ok(Box::new(PipeReader {
        receiver,
        chunk: Vec::new(),
        at: 0,
    }))
}

type Chunk = io::Result<Vec<u8>>;

struct PipeWriter(SyncSender<Chunk>);

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .send(Ok(bytes.to_vec()))
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct PipeReader {
    receiver: Receiver<Chunk>,
    chunk: Vec<u8>,
    at: usize,
}

impl Read for PipeReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            match self.receiver.recv() {
                Ok(chunk) => self.chunk = chunk?,
                // The packer is done, or died: without the end mark nobody takes the archive for
                // whole.
                Err(_) => return Ok(0),
            }
            self.at = 0;
        }
        let read = (&self.chunk[self.at..]).read(into)?;
        self.at += read;
        Ok(read)
    }
}
