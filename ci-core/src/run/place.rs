//! Which executor runs which job, and what it takes of the machine: decided before the run begins.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::error::{RunError, RunErrorKind};
use super::options::RunOptions;
use crate::id::JobId;
use crate::scheduler::Demand;
use crate::workflow::Plan;

/// Where the jobs of a run go.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// The executor of each job that does not use the first.
    pub(super) executors: HashMap<JobId, usize>,
    /// What each job takes of the machine.
    pub(super) demands: HashMap<JobId, Demand>,
    /// How many jobs run at once.
    pub(super) slots: usize,
    /// What there is of processors and memory.
    pub(super) capacity: Demand,
    /// What people should know.
    pub(super) warnings: Vec<String>,
}

/// Places every job, or says about all that have no place why.
pub(super) fn place(plan: &Plan, options: &mut RunOptions) -> Result<Placed, RunError> {
    #[cfg(feature = "local")]
    if options.executors.is_empty() {
        options
            .executors
            .push(std::sync::Arc::new(crate::executor::LocalExecutor::new()));
    }
    let local = &options.settings.local;
    let machine = Machine::of_this_process();
    let mut placed = Placed {
        slots: options
            .slots
            .or(local.slots.map(|slots| slots.get() as usize))
            .unwrap_or(machine.slots),
        capacity: options.capacity.unwrap_or(Demand {
            cpu_milli: local.cpu_milli.unwrap_or(machine.capacity.cpu_milli),
            memory_mib: local.memory_mib.unwrap_or(machine.capacity.memory_mib),
        }),
        ..Placed::default()
    };
    let mut problems = Vec::new();
    let mut hints = Vec::new();
    for job in plan.dag.jobs() {
        let spec = plan.job(job);
        // Most jobs ask for nothing and go to the first executor.
        if !spec.asks_for_a_place() || plan.skipped.contains_key(&job) {
            continue;
        }
        match options.settings.place(spec) {
            Err(problem) => {
                problems.push(problem.to_string());
                hints.extend_from_slice(problem.hints());
            }
            Ok(placement) => {
                let name = &placement.executor;
                match options
                    .executors
                    .iter()
                    .position(|executor| executor.name() == name)
                {
                    Some(0) => {}
                    Some(index) => {
                        placed.executors.insert(job, index);
                    }
                    // The default means the first one, whatever the embedding program calls it.
                    None if *name == options.settings.default_executor => {}
                    None => problems.push(no_executor(&spec.name, name, options)),
                }
                let demand = Demand {
                    cpu_milli: placement.cpu_milli.unwrap_or(0),
                    memory_mib: placement.memory_mib.unwrap_or(0),
                };
                if demand != Demand::NONE {
                    placed.demands.insert(job, demand);
                    placed.note_excess(&spec.name, demand);
                }
            }
        }
    }
    if problems.is_empty() {
        return Ok(placed);
    }
    let error = RunError::new(RunErrorKind::Invalid, problems.join("\n"));
    Err(hints.into_iter().fold(error, RunError::with_hint))
}

impl Placed {
    fn note_excess(&mut self, job: &str, demand: Demand) {
        let total = self.capacity;
        if demand.cpu_milli > total.cpu_milli || demand.memory_mib > total.memory_mib {
            self.warnings.push(format!(
                "`{job}` reserves {} CPU and {} MiB, more than the {} CPU and {} MiB there are; \
                 it runs beside no other job that reserves any",
                f64::from(demand.cpu_milli) / 1000.0,
                demand.memory_mib,
                f64::from(total.cpu_milli) / 1000.0,
                total.memory_mib
            ));
        }
    }
}

fn no_executor(job: &str, name: &str, options: &RunOptions) -> String {
    let known: Vec<_> = options
        .executors
        .iter()
        .map(|executor| format!("`{}`", executor.name()))
        .collect();
    format!(
        "`{job}` is to run on `{name}`, which this run does not have (it has {})",
        known.join(", ")
    )
}

/// What this machine has.
struct Machine {
    slots: usize,
    capacity: Demand,
}

impl Machine {
    /// Looked up once: finding out reads several files.
    fn of_this_process() -> &'static Self {
        static MACHINE: LazyLock<Machine> = LazyLock::new(|| {
            let slots = std::thread::available_parallelism().map_or(1, usize::from);
            let cpu_milli = u32::try_from(slots.saturating_mul(1000)).unwrap_or(u32::MAX);
            let memory_mib = memory_mib().unwrap_or(u32::MAX);
            Machine {
                slots,
                capacity: Demand {
                    cpu_milli,
                    memory_mib,
                },
            }
        });
        &MACHINE
    }
}

/// The machine's memory in MiB, from `/proc/meminfo` (proc(5)) where there is one.
fn memory_mib() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    u32::try_from(kib / 1024).ok()
}
