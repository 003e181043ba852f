//! How near a run comes to its critical path: staggered chains, each slow at another depth.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ci_benches::measure::{criterion, samples};
use ci_benches::table::{Table, ratio};
use ci_benches::{Error, engine};
use ci_core::event::NullSink;
use ci_core::job::JobSpec;
use ci_core::run::RunOptions;
use ci_core::step::{StepSpec, step_fn};
use ci_core::workflow::WorkflowSpec;

/// How many chains, and how many jobs in each: chain `n` is slow at depth `n`.
const CHAINS: usize = 4;
const SLOW: Duration = Duration::from_millis(200);
const QUICK: Duration = Duration::from_millis(20);
/// Room for every job: nothing but needs holds one back.
const SLOTS: usize = CHAINS * CHAINS;

fn main() -> Result<(), Error> {
    let (runtime, mut criterion) = (engine::runtime()?, criterion());
    let workflow = Arc::new(staggered()?);
    let mut group = criterion.benchmark_group("makespan");
    let measured = samples(&mut group, "staggered chains", || {
        let options = RunOptions::new().slots(SLOTS).sink(NullSink);
        engine::on_worker(&runtime, engine::timed_run(Arc::clone(&workflow), options))
    })?;
    group.finish();
    let path = Some((0..CHAINS).map(|depth| length(0, depth)).sum());
    let slowest = |depth| (0..CHAINS).map(|chain| length(chain, depth)).max();
    let waves = (0..CHAINS).map(slowest).sum();
    let title = "Makespan: 4 chains of 4 jobs, each slow (200 ms, else 20 ms) at another depth";
    let mut table = Table::new(title, &["", "ms", "/ critical path"]);
    for (name, time) in [
        ("critical path", path),
        ("ci-core", measured),
        ("wave by wave", waves),
    ] {
        let millis = time.map_or_else(String::new, |time: Duration| {
            format!("{:.1}", time.as_secs_f64() * 1e3)
        });
        table.row([name.to_owned(), millis, ratio(time, path)]);
    }
    table.print();
    criterion.final_summary();
    Ok(())
}

fn length(chain: usize, depth: usize) -> Duration {
    if chain == depth { SLOW } else { QUICK }
}

fn staggered() -> Result<WorkflowSpec, Error> {
    let name = |chain, depth| format!("c{chain}-d{depth}");
    let job = |chain: usize, depth: usize| {
        let length = length(chain, depth);
        let sleep = step_fn("sleep", move |_| async move {
            tokio::time::sleep(length).await;
            Ok::<_, Infallible>(())
        });
        let above = depth.checked_sub(1).map(|above| name(chain, above));
        JobSpec::new(name(chain, depth))
            .step(StepSpec::code(sleep))
            .needs_all(above)
    };
    let jobs = (0..CHAINS).flat_map(|chain| (0..CHAINS).map(move |depth| (chain, depth)));
    let jobs = jobs.map(|(chain, depth)| job(chain, depth));
    Ok(WorkflowSpec::builder("staggered").jobs(jobs).build()?)
}
