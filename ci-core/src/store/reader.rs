//! Reads logs piece by piece, also while they grow.

use super::lines::LineCutter;
use super::store::PART;
use super::{LogKey, LogLine, LogQuery, RunStore, StoreError, StoreErrorKind};

/// Reads the logs that a query asks for, piece by piece: in little memory, and on from where it was
/// when there is more.
///
/// ```
/// # use ci_core::store::{LogQuery, LogReader, RunStore, StoreError};
/// async fn print(store: &dyn RunStore, query: LogQuery) -> Result<(), StoreError> {
///     let mut reader = LogReader::new(query);
///     loop {
///         let lines = reader.read(store).await?;
///         if lines.is_empty() {
///             break;
///         }
///         for line in lines {
///             println!("{}", String::from_utf8_lossy(&line.bytes));
///         }
///     }
///     for line in reader.finish() {
///         println!("{}", String::from_utf8_lossy(&line.bytes));
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct LogReader {
    query: LogQuery,
    steps: Vec<Reading>,
}

/// How far a step has been read.
#[derive(Debug)]
struct Reading {
    key: LogKey,
    position: u64,
    /// Whether what comes next cannot be read.
    is_broken: bool,
    cutter: LineCutter,
}

impl LogReader {
    /// Reads from the beginning.
    #[must_use]
    pub fn new(query: LogQuery) -> Self {
        let steps = Vec::new();
        Self { query, steps }
    }

    /// The next lines that have ended, about a mebibyte of them; empty when there are none for now.
    /// The lines of a step come as they end, those of different steps beside each other when both
    /// grow.
    ///
    /// # Errors
    /// When the store cannot read. A log that is damaged is said once; who reads on gets the others.
    pub async fn read(&mut self, store: &dyn RunStore) -> Result<Vec<LogLine>, StoreError> {
        for key in store.logged_steps(&self.query).await? {
            if !self.steps.iter().any(|step| step.key == key) {
                self.steps.push(Reading {
                    cutter: LineCutter::new(key.clone()),
                    key,
                    position: 0,
                    is_broken: false,
                });
            }
        }
        let mut ended = Vec::new();
        for step in &mut self.steps {
            // A part may hold nothing but the middle of a long line.
            while ended.is_empty() && !step.is_broken {
                let read = store.read_part(&step.key, step.position, PART).await;
                let is_damage = |error: &StoreError| error.kind() == StoreErrorKind::Damaged;
                step.is_broken = read.as_ref().is_err_and(is_damage);
                let part = read?;
                if part.chunks.is_empty() {
                    break;
                }
                step.position = part.end;
                step.cutter.add_all(&part.chunks, &mut ended);
            }
            if !ended.is_empty() {
                break;
            }
        }
        Ok(ended.into_iter().map(|(_, line)| line).collect())
    }

    /// The lines that have begun and not ended: the rest, when nothing more will be written.
    pub fn finish(&mut self) -> Vec<LogLine> {
        let mut ended = Vec::new();
        for step in &mut self.steps {
            step.cutter.finish(&mut ended);
        }
        ended.into_iter().map(|(_, line)| line).collect()
    }
}
