//! What a durable job costs: the journal alone, one after the other and together, and under a run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_benches::graph::chain;
use ci_benches::measure::{criterion, for_real, samples};
use ci_benches::table::{Table, micros_each, note, ratio};
use ci_benches::{Error, engine};
use ci_core::clock::Clock;
use ci_core::event::{EventRecord, RunEvent};
use ci_core::id::RunId;
use ci_core::outcome::Outcome;
use ci_core::store::{Durability, NewRun, OwnerId, RunStore, SqliteStore};
use ci_core::workflow::{RunFacts, WorkflowSpec};
use criterion::Criterion;
use tokio::runtime::Runtime;

/// How many jobs finish together.
const TOGETHER: usize = 8;
/// How long to wait for other processes at the store: there are none.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Error> {
    let (runtime, mut criterion) = (engine::runtime()?, criterion());
    // On the disk of the build, not in a temporary directory that may be memory.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let durabilities = [
        ("process", Durability::Process),
        ("power", Durability::Power),
    ];
    let floor = disk_floor(&mut criterion, dir.path())?;
    let title =
        format!("Journal: microseconds per job that is made durable, median ({TOGETHER} together)");
    let headings = [
        "survives the end of",
        "alone",
        "together",
        "alone / write + fdatasync",
    ];
    let mut alone = Table::new(title, &headings);
    let jobs = if for_real() { 200 } else { 5 };
    let workflow = Arc::new(engine::workflow(&chain(jobs))?);
    let title = format!(
        "A chain of {jobs} jobs of one step that does nothing: microseconds per job, median"
    );
    let mut runs = Table::new(title, &["store", "µs/job", "more than without"]);
    let mut group = criterion.benchmark_group("run");
    let without = samples(&mut group, "no store", || {
        let run = engine::timed_run(Arc::clone(&workflow), engine::options());
        engine::on_worker(&runtime, run)
    })?;
    group.finish();
    runs.row([
        "none".to_owned(),
        micros_each(without, jobs),
        "0.0".to_owned(),
    ]);
    for (name, durability) in durabilities {
        let path = dir.path().join(name).join("runs.db");
        let store: Arc<dyn RunStore> =
            Arc::new(SqliteStore::open_with(path, durability, PATIENCE)?);
        let journal = Journal::new(&runtime, Arc::clone(&store))?;
        let mut group = criterion.benchmark_group(format!("journal/{name}"));
        let one = samples(&mut group, "alone", || journal.finish(&runtime, 1))?;
        let many = samples(&mut group, "together", || {
            journal.finish(&runtime, TOGETHER)
        })?;
        let stored = samples(&mut group, "run", || {
            let options = engine::options().store(Arc::clone(&store));
            engine::on_worker(&runtime, engine::timed_run(Arc::clone(&workflow), options))
        })?;
        group.finish();
        let more = stored
            .zip(without)
            .map(|(with, without)| with.saturating_sub(without));
        alone.row([
            name.to_owned(),
            micros_each(one, 1),
            micros_each(many, TOGETHER),
            ratio(one, floor),
        ]);
        runs.row([
            name.to_owned(),
            micros_each(stored, jobs),
            micros_each(more, jobs),
        ]);
    }
    alone.print();
    note(&format!(
        "write + fdatasync of 512 bytes takes {} µs on this disk",
        micros_each(floor, 1)
    ));
    runs.print();
    criterion.final_summary();
    Ok(())
}

/// What the disk itself takes for a small durable write.
fn disk_floor(criterion: &mut Criterion, dir: &Path) -> Result<Option<Duration>, Error> {
    use std::io::Write;

    let mut file = tempfile::tempfile_in(dir)?;
    let mut group = criterion.benchmark_group("disk");
    let time = samples(&mut group, "write + fdatasync", || {
        let begun = Instant::now();
        file.write_all(&[b'x'; 512])?;
        file.sync_data()?;
        Ok(begun.elapsed())
    });
    group.finish();
    time
}

/// A run in a store, to whose journal jobs are added.
struct Journal {
    run: RunId,
    store: Arc<dyn RunStore>,
    seq: std::cell::Cell<u64>,
}

impl Journal {
    fn new(runtime: &Runtime, store: Arc<dyn RunStore>) -> Result<Self, Error> {
        let run = RunId::new();
        let spec = Arc::new(WorkflowSpec::default());
        let new = NewRun::new(run, spec, RunFacts::default(), Clock::system().wall());
        runtime.block_on(store.create(new, &OwnerId::for_this_process()))?;
        Ok(Self {
            run,
            store,
            seq: std::cell::Cell::new(0),
        })
    }

    /// Ends so many jobs at once, and waits until all are durable.
    fn finish(&self, runtime: &Runtime, jobs: usize) -> Result<Duration, Error> {
        let records: Vec<_> = (0..jobs).map(|_| self.job()).collect();
        runtime.block_on(async {
            let begun = Instant::now();
            let append = |records| self.store.append(self.run, records);
            let commits: Vec<_> = records.into_iter().map(append).collect();
            for commit in commits {
                commit.await?;
            }
            Ok(begun.elapsed())
        })
    }

    /// What the journal gets when a job ends.
    fn job(&self) -> Vec<EventRecord> {
        let job: Arc<str> = format!("job-{}", self.seq.get()).into();
        let step = RunEvent::StepFinished {
            job: Arc::clone(&job),
            attempt: 1,
            step: 0,
            result: Outcome::Success,
            duration: Duration::from_millis(1),
        };
        let end = RunEvent::JobFinished {
            job,
            result: Outcome::Success,
            attempts: 1,
            duration: Duration::from_millis(1),
            allowed: false,
            reused: false,
            reports: None,
        };
        let record = |event| {
            self.seq.set(self.seq.get() + 1);
            EventRecord {
                run: self.run,
                seq: self.seq.get(),
                time: Clock::system().wall(),
                event,
            }
        };
        [step, end].map(record).into()
    }
}
