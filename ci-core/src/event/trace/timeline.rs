//! Folds events into the bars and instants of a timeline.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::event::{EventRecord, RunEvent};
use crate::outcome::Outcome;

/// The process of the run's slots.
const RUN: u32 = 1;
/// The process of the jobs that wait.
const WAITING: u32 = 2;
/// The track of the run as a whole.
const WHOLE: u32 = 0;

/// One event of the Trace Event Format. Times are in microseconds since the run began.
#[derive(Debug, Serialize)]
pub(super) struct Mark {
    name: Arc<str>,
    cat: &'static str,
    ph: &'static str,
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<u64>,
    pid: u32,
    tid: u32,
    /// The scope of an instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    args: Map<String, Value>,
}

/// Tracks of one process: a bar takes the lowest that is free.
#[derive(Debug, Default)]
struct Lanes {
    free: BTreeSet<u32>,
    used: u32,
    named: BTreeSet<u32>,
}

impl Lanes {
    fn take(&mut self) -> u32 {
        self.free.pop_first().unwrap_or_else(|| {
            self.used += 1;
            self.used
        })
    }

    fn give_back(&mut self, lane: u32) {
        self.free.insert(lane);
    }
}

/// A job that waits for a slot.
#[derive(Debug)]
struct Wait {
    lane: u32,
    since: u64,
    for_what: Value,
}

/// An attempt of a job that runs.
#[derive(Debug)]
struct Attempt {
    lane: u32,
    since: u64,
    number: u32,
    executor: Arc<str>,
    /// Steps that have not ended: place, name, beginning.
    steps: Vec<(u32, Arc<str>, u64)>,
    /// Where the last bar in it ended: the next begins no earlier.
    edge: u64,
}

/// Everything that is open in the timeline. Memory is bounded by the jobs that wait or run.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    origin: Option<Timestamp>,
    now: u64,
    whole: Option<Arc<str>>,
    slots: Lanes,
    queue: Lanes,
    waiting: HashMap<Arc<str>, Wait>,
    running: HashMap<Arc<str>, Attempt>,
    marks: Vec<Mark>,
}

impl Timeline {
    /// Takes an event and gives the marks it completes.
    pub(super) fn apply(&mut self, record: &EventRecord) -> Vec<Mark> {
        let origin = *self.origin.get_or_insert(record.time);
        // The wall clock may be set back; a timeline that does would not nest.
        self.now = self.now.max(micros(record.time, origin));
        match &record.event {
            RunEvent::RunStarted { workflow, jobs, .. } => {
                self.run_started(record, workflow, jobs.len());
            }
            RunEvent::RunFinished { outcome, jobs, .. } => {
                let args = json!({"outcome": outcome, "jobs": jobs.len()});
                self.run_finished(args);
            }
            RunEvent::RunCanceling { reason } => {
                self.instant(
                    None,
                    "canceling",
                    "p",
                    json!({"reason": reason.to_string()}),
                );
            }
            RunEvent::BudgetExceeded { stage, limit } => {
                let args = json!({"stage": stage, "limit": limit.as_secs_f64()});
                self.instant(None, "budget exceeded", "p", args);
            }
            RunEvent::Warning { job, message } => {
                let args = json!({"job": job, "message": message});
                self.instant(job.as_ref(), "warning", "t", args);
            }
            event => self.job_event(event),
        }
        std::mem::take(&mut self.marks)
    }

    /// Closes what is open, where the run did not end by itself.
    pub(super) fn finish(&mut self) -> Vec<Mark> {
        self.run_finished(json!({}));
        std::mem::take(&mut self.marks)
    }

    fn job_event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::JobReady { job } => self.wait(job, Value::Null),
            RunEvent::JobWaiting { job, reason } => self.wait(job, json!(reason)),
            RunEvent::JobDelayed { job, until } => {
                self.instant(
                    Some(job),
                    "delayed",
                    "t",
                    json!({"job": job, "until": until}),
                );
            }
            RunEvent::JobHeld { job, prompt } => {
                self.instant(
                    Some(job),
                    "held",
                    "t",
                    json!({"job": job, "prompt": prompt}),
                );
            }
            RunEvent::JobApproved { job, approved, by } => {
                let name = if *approved { "approved" } else { "refused" };
                self.instant(Some(job), name, "t", json!({"job": job, "by": by}));
            }
            RunEvent::JobStarted {
                job,
                attempt,
                executor,
            } => self.job_started(job, *attempt, executor),
            RunEvent::JobPrepared { job, duration } => {
                let took = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
                self.prepared(job, took);
            }
            RunEvent::StepStarted {
                job, step, name, ..
            } => {
                if let Some(attempt) = self.running.get_mut(job) {
                    attempt.steps.push((*step, Arc::clone(name), self.now));
                }
            }
            RunEvent::StepFinished {
                job, step, result, ..
            } => self.step_finished(job, *step, result),
            RunEvent::JobRetrying {
                job, result, delay, ..
            } => {
                let args = json!({"job": job, "delay": delay.as_secs_f64()});
                self.instant(Some(job), "retry", "t", args);
                self.close(job, Some(result));
            }
            RunEvent::JobFinished { job, result, .. } => self.job_finished(job, result),
            // What steps put away and write is no part of a timeline; the rest is about the run.
            _ => {}
        }
    }

    fn run_started(&mut self, record: &EventRecord, workflow: &Arc<str>, jobs: usize) {
        self.whole = Some(Arc::clone(workflow));
        let run = format!("{workflow} (run {})", record.run);
        self.meta(
            "process_name",
            RUN,
            WHOLE,
            json!({"name": run, "jobs": jobs}),
        );
        self.meta(
            "process_name",
            WAITING,
            WHOLE,
            json!({"name": "waiting for a slot"}),
        );
        self.meta("thread_name", RUN, WHOLE, json!({"name": "run"}));
    }

    fn run_finished(&mut self, args: Value) {
        for job in sorted(&self.running) {
            self.close(&job, None);
        }
        for job in sorted(&self.waiting) {
            self.stop_waiting(&job);
        }
        if let Some(workflow) = self.whole.take() {
            self.bar(workflow, "run", (RUN, WHOLE), 0, self.now, args);
        }
    }

    fn wait(&mut self, job: &Arc<str>, for_what: Value) {
        if self.running.contains_key(job) {
            return;
        }
        if let Some(wait) = self.waiting.get_mut(job) {
            wait.for_what = for_what;
            return;
        }
        let lane = self.queue.take();
        let wait = Wait {
            lane,
            since: self.now,
            for_what,
        };
        self.waiting.insert(Arc::clone(job), wait);
    }

    fn stop_waiting(&mut self, job: &Arc<str>) {
        let Some(wait) = self.waiting.remove(job) else {
            return;
        };
        self.queue.give_back(wait.lane);
        // Most jobs start in the millisecond in which they could.
        if wait.since < self.now {
            self.name_lane(WAITING, wait.lane);
            let args = json!({"for": wait.for_what});
            let at = (WAITING, wait.lane);
            self.bar(Arc::clone(job), "wait", at, wait.since, self.now, args);
        }
    }

    fn job_started(&mut self, job: &Arc<str>, number: u32, executor: &Arc<str>) {
        self.stop_waiting(job);
        self.close(job, None);
        let lane = self.slots.take();
        self.name_lane(RUN, lane);
        let attempt = Attempt {
            lane,
            since: self.now,
            number,
            executor: Arc::clone(executor),
            steps: Vec::new(),
            edge: self.now,
        };
        self.running.insert(Arc::clone(job), attempt);
    }

    fn prepared(&mut self, job: &Arc<str>, took: u64) {
        let Some(attempt) = self.running.get_mut(job) else {
            return;
        };
        let at = (RUN, attempt.lane);
        // A session that a step asks for is prepared inside the step.
        let outer = attempt.steps.last().map_or(attempt.since, |step| step.2);
        let since = self.now.saturating_sub(took).max(outer).max(attempt.edge);
        attempt.edge = self.now;
        self.bar("prepare".into(), "prepare", at, since, self.now, json!({}));
    }

    fn step_finished(&mut self, job: &Arc<str>, step: u32, result: &Outcome) {
        let Some(attempt) = self.running.get_mut(job) else {
            return;
        };
        let at = (RUN, attempt.lane);
        let Some(index) = attempt.steps.iter().position(|open| open.0 == step) else {
            return;
        };
        attempt.edge = self.now;
        // Bars must nest, so a step takes with it what began after it.
        for (place, name, since) in attempt.steps.split_off(index).into_iter().rev() {
            let result = (place == step).then_some(result);
            self.bar(name, "step", at, since, self.now, ending(result, place));
        }
    }

    fn job_finished(&mut self, job: &Arc<str>, result: &Outcome) {
        self.stop_waiting(job);
        if !self.running.contains_key(job) && !result.is_success() {
            let args = json!({"job": job, "reason": result.reason()});
            self.instant(None, result.kind().as_str(), "t", args);
        }
        self.close(job, Some(result));
    }

    /// Ends the attempt of a job that runs, and what is still open in it.
    fn close(&mut self, job: &Arc<str>, result: Option<&Outcome>) {
        let Some(attempt) = self.running.remove(job) else {
            return;
        };
        let at = (RUN, attempt.lane);
        for (step, name, since) in attempt.steps.into_iter().rev() {
            self.bar(name, "step", at, since, self.now, ending(None, step));
        }
        let mut args = json!({"attempt": attempt.number, "executor": attempt.executor});
        if let Some(result) = result {
            args["outcome"] = json!(result.kind());
            args["reason"] = json!(result.reason());
        }
        self.bar(Arc::clone(job), "job", at, attempt.since, self.now, args);
        self.slots.give_back(attempt.lane);
    }

    fn name_lane(&mut self, process: u32, lane: u32) {
        let (lanes, what) = match process {
            RUN => (&mut self.slots, "slot"),
            _ => (&mut self.queue, "place"),
        };
        if lanes.named.insert(lane) {
            let args = json!({"name": format!("{what} {lane}")});
            self.meta("thread_name", process, lane, args);
            self.meta(
                "thread_sort_index",
                process,
                lane,
                json!({"sort_index": lane}),
            );
        }
    }

    fn bar(
        &mut self,
        name: Arc<str>,
        cat: &'static str,
        (pid, tid): (u32, u32),
        since: u64,
        until: u64,
        args: Value,
    ) {
        self.mark(
            name,
            cat,
            "X",
            (since, Some(until - since)),
            (pid, tid),
            args,
        );
    }

    /// An instant on the track of `job` if it runs, else on that of the run.
    fn instant(&mut self, job: Option<&Arc<str>>, name: &str, scope: &'static str, args: Value) {
        let lane = job
            .and_then(|job| self.running.get(job))
            .map_or(WHOLE, |attempt| attempt.lane);
        self.mark(
            name.into(),
            "instant",
            "i",
            (self.now, None),
            (RUN, lane),
            args,
        );
        if let Some(mark) = self.marks.last_mut() {
            mark.s = Some(scope);
        }
    }

    fn meta(&mut self, name: &str, pid: u32, tid: u32, args: Value) {
        self.mark(name.into(), "__metadata", "M", (0, None), (pid, tid), args);
    }

    fn mark(
        &mut self,
        name: Arc<str>,
        cat: &'static str,
        ph: &'static str,
        (ts, dur): (u64, Option<u64>),
        (pid, tid): (u32, u32),
        args: Value,
    ) {
        let args = match args {
            Value::Object(args) => args,
            _ => Map::new(),
        };
        self.marks.push(Mark {
            name,
            cat,
            ph,
            ts,
            dur,
            pid,
            tid,
            s: None,
            args,
        });
    }
}

fn ending(result: Option<&Outcome>, step: u32) -> Value {
    match result {
        Some(result) => json!({
            "step": step,
            "outcome": result.kind(),
            "exit_code": result.exit_code(),
            "reason": result.reason(),
        }),
        None => json!({"step": step}),
    }
}

fn micros(time: Timestamp, origin: Timestamp) -> u64 {
    time.as_millis()
        .saturating_sub(origin.as_millis())
        .saturating_mul(1000)
}

fn sorted<T>(map: &HashMap<Arc<str>, T>) -> Vec<Arc<str>> {
    let mut names: Vec<_> = map.keys().cloned().collect();
    names.sort_unstable();
    names
}
