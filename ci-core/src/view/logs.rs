//! The logs of a run, cut to a size: those of what failed come first.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;

use super::excerpt::cut;
use super::journal::JobView;
use crate::event::Sanitizer;
use crate::id::RunId;
use crate::store::{LogKey, LogLine, LogQuery, LogReader, RunStore, StoreError};

/// The most that a step is given, in bytes.
const MOST_OF_A_STEP: usize = 48 * 1024;
/// Steps of jobs that went well get no less, in bytes, as long as there is room at all.
const LEAST_OF_A_STEP: usize = 240;
/// What a line costs beside its letters.
const LINE: usize = 1;

/// The end of the log of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StepLog {
    /// The job.
    pub job: Arc<str>,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The step's place in the job, from 0.
    pub step: u32,
    /// Its last lines, without colours and other control sequences.
    pub lines: Vec<String>,
    /// How many lines were left out before them.
    pub left_out: u64,
}

/// The last attempt's logs of all jobs, `most` bytes at most: steps that failed get as much as there
/// is, the others share what is left.
pub(super) async fn logs(
    store: &dyn RunStore,
    run: RunId,
    jobs: &[JobView],
    most: usize,
) -> Result<Vec<StepLog>, StoreError> {
    let everything = LogQuery {
        run,
        job: None,
        attempt: None,
        step: None,
    };
    let keys = store.logged_steps(&everything).await?;
    let is_bad = |key: &LogKey| {
        let job = jobs.iter().find(|job| job.name == key.job);
        let attempt = job.and_then(JobView::last_attempt);
        let step = attempt.and_then(|attempt| attempt.culprit());
        step.is_some_and(|step| step.index == key.step)
    };
    let (bad, good): (Vec<_>, Vec<_>) = keys.into_iter().enumerate().partition(|it| is_bad(&it.1));
    let mut left = most;
    let mut found = Vec::new();
    for (group, least) in [(bad, 0), (good, LEAST_OF_A_STEP)] {
        let mut rest = group.len();
        for (place, key) in group {
            // What earlier steps did not use is there for later ones.
            let share = (left / rest.max(1)).clamp(least, MOST_OF_A_STEP).min(left);
            rest -= 1;
            let (log, used) = read(store, key, share).await?;
            left -= used.min(left);
            if !log.lines.is_empty() || log.left_out > 0 {
                found.push((place, log));
            }
        }
    }
    found.sort_by_key(|(place, _)| *place);
    Ok(found.into_iter().map(|(_, log)| log).collect())
}

/// The last lines of a step in `most` bytes, and how many bytes they take.
async fn read(
    store: &dyn RunStore,
    key: LogKey,
    most: usize,
) -> Result<(StepLog, usize), StoreError> {
    let mut tail = Tail::new(most);
    let mut reader = LogReader::new(LogQuery {
        run: key.run,
        job: Some(key.job.to_string()),
        attempt: Some(key.attempt),
        step: Some(key.step),
    });
    loop {
        let lines = reader.read(store).await?;
        if lines.is_empty() {
            break;
        }
        for line in &lines {
            tail.add(line);
        }
    }
    reader.finish().iter().for_each(|line| tail.add(line));
    let log = StepLog {
        job: key.job,
        attempt: key.attempt,
        step: key.step,
        lines: tail.lines.into(),
        left_out: tail.left_out,
    };
    Ok((log, tail.bytes))
}

/// The last lines of what is added.
#[derive(Debug)]
struct Tail {
    most: usize,
    bytes: usize,
    lines: VecDeque<String>,
    left_out: u64,
    sanitizer: Sanitizer,
}

impl Tail {
    fn new(most: usize) -> Self {
        Self {
            most,
            bytes: 0,
            lines: VecDeque::new(),
            left_out: 0,
            sanitizer: Sanitizer::new(false),
        }
    }

    fn add(&mut self, line: &LogLine) {
        let text = cut(self.sanitizer.line(&String::from_utf8_lossy(&line.bytes)));
        self.bytes += text.len() + LINE;
        self.lines.push_back(text);
        while self.bytes > self.most {
            let Some(first) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= first.len() + LINE;
            self.left_out += 1;
        }
    }
}
