//! Random workflows against a scheduler so simple that it is surely right.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::bench::{Bench, ZERO, failed, seconds};
use crate::id::JobId;
use crate::job::{JobSpec, Need};
use crate::outcome::{CancelReason, Outcome};
use crate::scheduler::{Limits, Stop};

/// How long a job takes, whether it fails, and what it waits for.
type Job = (u64, bool, Vec<(usize, bool)>);

/// A random workflow: for each job how long it takes, whether it fails, and on which earlier jobs it
/// waits, accepting any outcome or only success.
#[derive(Debug, Clone)]
struct Case {
    jobs: Vec<Job>,
    slots: usize,
}

fn case() -> impl Strategy<Value = Case> {
    (1usize..24, 1usize..5).prop_flat_map(|(count, slots)| {
        let job = move |index: usize| {
            let needs = prop::collection::vec((0..index.max(1), any::<bool>()), 0..4);
            (1u64..9, prop::bool::weighted(0.2), needs).prop_map(move |(length, fails, needs)| {
                let mut needs = if index == 0 { Vec::new() } else { needs };
                needs.sort_unstable();
                needs.dedup_by_key(|(on, _)| *on);
                (length, fails, needs)
            })
        };
        let jobs: Vec<_> = (0..count).map(job).collect();
        jobs.prop_map(move |jobs| Case { jobs, slots })
    })
}

impl Case {
    fn specs(&self) -> Vec<JobSpec> {
        let job = |(index, (_, _, needs)): (usize, &Job)| {
            let needs = needs.iter().map(|(on, any)| {
                let on = on.to_string();
                if *any {
                    Need::any(on)
                } else {
                    Need::success(on)
                }
            });
            JobSpec::new(index.to_string()).needs_all(needs)
        };
        self.jobs.iter().enumerate().map(job).collect()
    }

    fn outcome(&self, job: usize) -> Outcome {
        if self.jobs[job].1 {
            failed()
        } else {
            Outcome::Success
        }
    }

    /// When each job starts, by looking at every job at every second: `None` if it never does.
    fn reference(&self) -> Vec<Option<u64>> {
        let count = self.jobs.len();
        let mut rank = vec![0; count];
        for job in (0..count).rev() {
            let after =
                (0..count).filter(|later| self.jobs[*later].2.iter().any(|(on, _)| *on == job));
            rank[job] = 1 + after.map(|later| rank[later]).max().unwrap_or(0);
        }
        let mut start = vec![None; count];
        let mut end = vec![None; count];
        let mut dropped = vec![false; count];
        for now in 0..(10 * count as u64 + 10) {
            let ended = |job: usize, end: &[Option<u64>]| end[job].is_some_and(|at| at <= now);
            // A job is dropped when a job it needs to succeed failed, or was dropped itself. Others hear
            // of it when all that it needs is settled.
            let mut settled = vec![false; count];
            for job in 0..count {
                let needs = &self.jobs[job].2;
                let refused = needs
                    .iter()
                    .any(|(on, any)| !any && settled[*on] && (dropped[*on] || self.jobs[*on].1));
                if start[job].is_none() && refused {
                    dropped[job] = true;
                }
                let all = needs.iter().all(|(on, _)| settled[*on]);
                settled[job] = ended(job, &end) || (dropped[job] && all);
            }
            let mut ready: Vec<usize> = (0..count)
                .filter(|job| start[*job].is_none() && !dropped[*job])
                .filter(|job| self.jobs[*job].2.iter().all(|(on, _)| settled[*on]))
                .collect();
            ready.sort_by_key(|job| (std::cmp::Reverse(rank[*job]), *job));
            let busy = (0..count)
                .filter(|job| start[*job].is_some() && !ended(*job, &end))
                .count();
            for job in ready.into_iter().take(self.slots - busy) {
                start[job] = Some(now);
                end[job] = Some(now + self.jobs[job].0);
            }
        }
        start
    }
}

/// Runs a case to its end, stopping the run at its `stop_at`th event if there is one. Gives when each
/// job started.
fn run(case: &Case, stop_at: Option<usize>) -> Vec<Option<u64>> {
    let mut bench = Bench::new(case.specs(), Limits::slots(case.slots));
    let mut starts: Vec<Option<u64>> = vec![None; case.jobs.len()];
    let mut ends: BTreeSet<(u64, usize)> = BTreeSet::new();
    let mut events = 0;
    let mut note = |bench: &Bench, ends: &mut BTreeSet<(u64, usize)>| {
        for job in bench.running.keys() {
            let index = job.index();
            if starts[index].is_none() {
                starts[index] = Some(bench.now.as_secs());
                ends.insert((bench.now.as_secs() + case.jobs[index].0, index));
            }
        }
        assert!(bench.running.len() <= case.slots);
    };
    note(&bench, &mut ends);
    while let Some((at, index)) = ends.pop_first() {
        bench.now = seconds(at);
        if stop_at == Some(events) {
            let stop = Stop::Cancel(CancelReason::Requested);
            bench
                .machine
                .stop(stop, false, bench.now)
                .expect("a legal stop");
        }
        events += 1;
        let job = JobId::from_index(index);
        bench.running.remove(&job);
        bench
            .machine
            .finish(job, case.outcome(index), ZERO, bench.now, || 0.5)
            .expect("legal");
        // All that ends at one moment has ended before anything starts.
        if ends.first().is_none_or(|(next, _)| *next > at) {
            bench.pop();
            note(&bench, &mut ends);
        }
    }
    assert!(bench.machine.is_done(), "something never ended");
    assert!(bench.running.is_empty());
    starts
}

proptest! {
    #[test]
    fn starts_every_job_when_a_simple_scheduler_would(case in case()) {
        prop_assert_eq!(run(&case, None), case.reference());
    }

    #[test]
    fn starts_no_job_before_what_it_waits_for(case in case()) {
        let starts = run(&case, None);
        for (job, (_, _, needs)) in case.jobs.iter().enumerate() {
            for (on, _) in needs {
                if let (Some(start), Some(before)) = (starts[job], starts[*on]) {
                    prop_assert!(start >= before + case.jobs[*on].0);
                }
            }
        }
    }

    #[test]
    fn a_cancellation_at_any_event_leaves_nothing_running(case in case(), at in 0usize..24) {
        run(&case, Some(at));
    }
}
