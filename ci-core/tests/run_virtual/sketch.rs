//! Small workflows at random: what the properties run.

use std::sync::Arc;

use ci_core::job::{Backoff, GroupUse, JobSpec, Need, Retry};
use ci_core::run::{RunOptions, approve_fn};
use ci_core::step::{StepSpec, StepWhen};
use ci_core::store::RunStore;
use ci_core::workflow::WorkflowBuilder;
use proptest::prelude::*;

use crate::kit::{Stage, secs, workflow};

/// A job as the property makes it up.
#[derive(Debug, Clone)]
pub(crate) struct Sketch {
    /// Which of the jobs before it needs, as bits.
    needs: u8,
    prepare: u64,
    seconds: u64,
    exit: i32,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Plain,
    Retried,
    Delayed,
    Grouped,
    Held,
    Approved,
    Always,
    Steps,
    Hangs,
}

const KINDS: [Kind; 9] = [
    Kind::Plain,
    Kind::Retried,
    Kind::Delayed,
    Kind::Grouped,
    Kind::Held,
    Kind::Approved,
    Kind::Always,
    Kind::Steps,
    Kind::Hangs,
];

/// Any small job.
pub(crate) fn sketch() -> impl Strategy<Value = Sketch> {
    let times = (0..3_u64, 0..20_u64);
    let exit = prop_oneof![3 => Just(0), 1 => Just(1)];
    let kind = prop::sample::select(KINDS.to_vec());
    (any::<u8>(), times, exit, kind).prop_map(|(needs, (prepare, seconds), exit, kind)| Sketch {
        needs,
        prepare,
        seconds,
        exit,
        kind,
    })
}

pub(crate) fn name(index: usize) -> String {
    format!("job-{index}")
}

fn spec(index: usize, sketch: &Sketch) -> JobSpec {
    let mut job = JobSpec::new(name(index));
    for other in (0..index).filter(|other| sketch.needs & (1 << other) != 0) {
        job = job.needs(match sketch.kind {
            Kind::Grouped => Need::any(name(other)),
            _ => Need::success(name(other)),
        });
    }
    let backoff = Backoff::exponential(secs(5));
    match sketch.kind {
        Kind::Plain => job.run("work"),
        Kind::Retried => job.run("work").retry(Retry::times(2).backoff(backoff)),
        Kind::Delayed => job.run("work").delayed(secs(7)),
        Kind::Grouped => job.run("work").group(GroupUse::mutex("group")),
        Kind::Held => job.run("work").manual("ship?"),
        Kind::Approved => job
            .run("work")
            .step(StepSpec::approval("ship?"))
            .run("more"),
        Kind::Always => job.run("work").always(),
        Kind::Steps => job
            .run("work")
            .step(StepSpec::run("save").when(StepWhen::Always)),
        Kind::Hangs => job.run("work").timeout(secs(40)),
    }
}

/// The workflow of all sketches, and a stage on which its commands take their time.
pub(crate) fn scene(sketches: &[Sketch]) -> (Stage, WorkflowBuilder) {
    let stage = Stage::new();
    play(&stage, sketches);
    let jobs = sketches.iter().enumerate();
    (
        stage,
        workflow(jobs.map(|(index, sketch)| spec(index, sketch))),
    )
}

/// Tells the stage what the commands do.
pub(crate) fn play(stage: &Stage, sketches: &[Sketch]) {
    for (index, sketch) in sketches.iter().enumerate() {
        let job = name(index);
        stage.mock.on(&job).prepare_takes(secs(sketch.prepare));
        if sketch.kind == Kind::Hangs {
            stage.mock.on(&job).hang_until_canceled();
        }
        stage
            .mock
            .on(&job)
            .after(secs(sketch.seconds))
            .exit(sketch.exit);
    }
}

/// Two slots, a store, and somebody who approves everything after a while.
pub(crate) fn with_store(store: Arc<dyn RunStore>) -> impl FnOnce(RunOptions) -> RunOptions {
    let approve = approve_fn(|_| async {
        tokio::time::sleep(secs(3)).await;
        Some(true)
    });
    move |options| options.slots(2).store(store).approver(approve)
}

/// Runs a property on a paused clock.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(test)
}
