//! The policies of the machine, one by one.

use std::collections::HashMap;
use std::sync::Arc;

use super::bench::{Bench, ZERO, failed, plan, seconds};
use crate::id::JobId;
use crate::job::{AllowFailure, JobSpec, Need, Retry, Start};
use crate::outcome::{CancelReason, Outcome, OutcomeKind, TimeLimit};
use crate::scheduler::{Demand, JobEnd, JobState, Limits, Machine, Notice, Pool, Stop};
use crate::workflow::Budget;

#[test]
fn a_job_starts_the_moment_its_own_dependencies_allow_it() {
    let jobs = vec![
        JobSpec::new("slow"),
        JobSpec::new("quick"),
        JobSpec::new("after-quick").needs("quick"),
        JobSpec::new("after-both").needs("slow").needs("quick"),
    ];
    let mut bench = Bench::new(jobs, Limits::slots(8));
    assert_eq!(bench.running(), ["slow", "quick"]);
    assert_eq!(bench.finish("quick", Outcome::Success), ["after-quick"]);
    assert_eq!(bench.finish("slow", Outcome::Success), ["after-both"]);
}

#[test]
fn the_critical_path_goes_first_by_history() {
    let jobs = || {
        vec![
            JobSpec::new("a"),
            JobSpec::new("b"),
            JobSpec::new("c").needs("b"),
        ]
    };
    let bench = Bench::new(jobs(), Limits::slots(1));
    assert_eq!(bench.running(), ["b"]);
    let mut limits = Limits::slots(1);
    limits.history = HashMap::from([(JobId::from_index(0), 9000), (JobId::from_index(1), 10)]);
    limits.history.insert(JobId::from_index(2), 10);
    assert_eq!(Bench::new(jobs(), limits).running(), ["a"]);
}

#[test]
fn a_refused_outcome_ends_what_waits_and_teardown_still_runs() {
    let jobs = vec![
        JobSpec::new("build"),
        JobSpec::new("test").needs("build"),
        JobSpec::new("report").needs(Need::outcomes("build", &[OutcomeKind::Failed])),
        JobSpec::new("stop").needs("test").always(),
    ];
    let mut bench = Bench::new(jobs, Limits::slots(8));
    assert_eq!(bench.finish("build", failed()), ["report", "stop"]);
    assert_eq!(bench.outcome("test"), OutcomeKind::NotRun);
    bench.finish("report", Outcome::Success);
    bench.finish("stop", Outcome::Success);
    assert!(bench.machine.is_done());
    assert_eq!(bench.machine.outcome(), OutcomeKind::Failed);
}

#[test]
fn an_allowed_failure_counts_as_success_for_those_who_wait() {
    let jobs = vec![
        JobSpec::new("lint").allow_failure(AllowFailure::ExitCodes(vec![1])),
        JobSpec::new("next").needs("lint"),
    ];
    let mut bench = Bench::new(jobs, Limits::slots(1));
    assert_eq!(bench.finish("lint", failed()), ["next"]);
    bench.finish("next", Outcome::Success);
    assert_eq!(bench.machine.outcome(), OutcomeKind::Success);
}

#[test]
fn a_job_for_failures_runs_only_after_one_that_is_not_allowed() {
    let jobs = |allow| {
        let rescue = JobSpec::new("rescue")
            .needs(Need::any("a"))
            .needs(Need::any("b"));
        vec![
            JobSpec::new("a").allow_failure(allow),
            JobSpec::new("b"),
            rescue.with(|options| options.only_after_failure = true),
            JobSpec::new("alone").with(|options| options.only_after_failure = true),
        ]
    };
    let mut bench = Bench::new(jobs(AllowFailure::Never), Limits::slots(8));
    assert_eq!(bench.outcome("alone"), OutcomeKind::Skipped);
    bench.finish("a", failed());
    assert_eq!(bench.finish("b", Outcome::Success), ["rescue"]);
    let mut bench = Bench::new(jobs(AllowFailure::Always), Limits::slots(8));
    bench.finish("a", failed());
    assert!(bench.finish("b", Outcome::Success).is_empty());
    assert_eq!(bench.outcome("rescue"), OutcomeKind::Skipped);
}

#[test]
fn a_retry_waits_out_its_pause_and_counts_attempts() {
    let backoff = crate::job::Backoff::exponential(seconds(2));
    let jobs = vec![JobSpec::new("flaky").retry(Retry::times(1).backoff(backoff))];
    let mut bench = Bench::new(jobs, Limits::slots(1));
    assert!(bench.finish("flaky", failed()).is_empty());
    assert_eq!(bench.machine.next_deadline(), Some(seconds(2)));
    assert!(bench.advance(seconds(1)).is_empty());
    assert_eq!(bench.advance(seconds(2)), ["flaky"]);
    bench.finish("flaky", failed());
    assert_eq!(bench.outcome("flaky"), OutcomeKind::Failed);
    assert_eq!(bench.machine.record(bench.id("flaky")).attempts, 2);
}

#[test]
fn a_group_holds_and_frees_its_places() {
    let jobs = vec![JobSpec::new("a"), JobSpec::new("b"), JobSpec::new("c")];
    let mut limits = Limits::slots(8);
    let members = (0..2).map(JobId::from_index).collect();
    limits.pools = vec![Pool {
        name: "db".into(),
        limit: 1,
        jobs: members,
    }];
    let mut bench = Bench::new(jobs, limits);
    assert_eq!(bench.running(), ["a", "c"]);
    assert!(
        bench
            .notices
            .iter()
            .any(|notice| matches!(notice, Notice::Lacks(..)))
    );
    assert_eq!(bench.finish("a", Outcome::Success), ["b"]);
}

#[test]
fn who_waits_for_another_process_says_so_once() {
    let mut bench = Bench::new(vec![JobSpec::new("a")], Limits::slots(1));
    let job = bench.id("a");
    for second in 1..4 {
        let lacks = "a place in `db`".to_owned();
        let pause = seconds(1);
        let postponed = bench.machine.postpone(job, lacks, pause, bench.now);
        postponed.expect("it was popped");
        assert_eq!(bench.advance(seconds(second)), ["a"]);
    }
    assert_eq!(bench.machine.record(job).attempts, 1);
    let lacks = Notice::Lacks(job, "a place in `db`".into());
    assert_eq!(bench.notices, [Notice::Ready(job), lacks]);
    bench.finish("a", Outcome::Success);
    assert!(bench.machine.is_done());
}

#[test]
fn a_big_job_is_not_starved_by_small_ones() {
    let mut jobs = vec![JobSpec::new("big").priority(-1)];
    jobs.extend((0..60).map(|index| JobSpec::new(format!("small-{index}"))));
    // A slot more than there are processors, so that the big job is looked at and found too big.
    let mut limits = Limits::slots(3);
    limits.capacity = Demand {
        cpu_milli: 2000,
        memory_mib: 0,
    };
    let demand = |cpu_milli| Demand {
        cpu_milli,
        memory_mib: 0,
    };
    limits.demands = (1..61)
        .map(|index| (JobId::from_index(index), demand(1000)))
        .collect();
    limits.demands.insert(JobId::from_index(0), demand(2000));
    let mut bench = Bench::new(jobs, limits);
    let mut finished = 0;
    while !bench.running().contains(&"big".to_owned()) {
        let name = bench.running().into_iter().next().expect("something runs");
        bench.finish(&name, Outcome::Success);
        finished += 1;
        assert!(finished <= 25, "the big job still waits");
    }
}

#[test]
fn held_jobs_wait_for_a_decision_or_their_deadline() {
    let manual = |optional, deadline| {
        move |options: &mut crate::job::JobOptions| {
            options.start = Start::Manual {
                prompt: None,
                optional,
                deadline,
            };
        }
    };
    let jobs = vec![
        JobSpec::new("approve").with(manual(false, None)),
        JobSpec::new("late").with(manual(false, Some(seconds(5)))),
        JobSpec::new("extra").with(manual(true, None)),
        JobSpec::new("after-extra").needs("extra"),
    ];
    let mut bench = Bench::new(jobs, Limits::slots(8));
    assert!(bench.machine.is_on_hold());
    bench.advance(seconds(5));
    assert_eq!(bench.outcome("late"), OutcomeKind::TimedOut);
    let approve = bench.id("approve");
    assert!(
        bench
            .machine
            .decide(approve, true, bench.now)
            .expect("a legal decision")
    );
    bench.pop();
    bench.finish("approve", Outcome::Success);
    bench
        .machine
        .skip_optional(bench.now)
        .expect("a legal skip");
    assert_eq!(bench.outcome("extra"), OutcomeKind::Skipped);
    assert_eq!(bench.outcome("after-extra"), OutcomeKind::NotRun);
    assert!(bench.machine.is_done());
}

#[test]
fn fail_fast_stops_the_others_but_not_teardown() {
    let jobs = vec![
        JobSpec::new("a"),
        JobSpec::new("b"),
        JobSpec::new("c").needs("b"),
        JobSpec::new("stop").needs("b").always(),
    ];
    let mut limits = Limits::slots(8);
    limits.fail_fast = true;
    let mut bench = Bench::new(jobs, limits);
    bench.finish("a", failed());
    let stop = Stop::Cancel(CancelReason::FailFast);
    assert!(bench.notices.contains(&Notice::Stop(bench.id("b"), stop)));
    assert_eq!(bench.outcome("c"), OutcomeKind::Canceled);
    assert_eq!(bench.finish("b", stop.outcome()), ["stop"]);
    bench.finish("stop", Outcome::Success);
    assert_eq!(bench.machine.outcome(), OutcomeKind::Failed);
}

#[test]
fn teardown_waits_for_all_that_it_tears_down() {
    let jobs = || {
        vec![
            JobSpec::new("a"),
            JobSpec::new("other"),
            JobSpec::new("b").needs("a").needs("other"),
            JobSpec::new("stop").needs("b").always(),
        ]
    };
    let stop = Stop::Cancel(CancelReason::Requested);
    let mut bench = Bench::new(jobs(), Limits::slots(8));
    bench.machine.stop(stop, false, ZERO).expect("a legal stop");
    assert_eq!(bench.outcome("b"), OutcomeKind::Canceled);
    assert!(bench.pop().is_empty());
    assert!(bench.finish("a", stop.outcome()).is_empty());
    assert_eq!(bench.finish("other", stop.outcome()), ["stop"]);
    let mut bench = Bench::new(jobs(), Limits::slots(8));
    assert!(bench.finish("a", failed()).is_empty());
    assert_eq!(bench.outcome("b"), OutcomeKind::NotRun);
    assert_eq!(bench.finish("other", Outcome::Success), ["stop"]);
}

#[test]
fn jobs_that_ended_in_an_earlier_life_count_once() {
    let plan = plan(vec![
        JobSpec::new("a"),
        JobSpec::new("b").needs("a"),
        JobSpec::new("x"),
        JobSpec::new("c").needs("b").needs("x"),
    ]);
    let mut machine = Machine::new(Arc::clone(&plan), Limits::slots(8));
    for name in ["a", "b"] {
        let job = plan.find(name).expect("the job exists");
        machine.restore(job, JobEnd::default()).expect("legal");
    }
    machine.start(ZERO).expect("a legal start");
    let started = machine.pop(ZERO).expect("legal").expect("`x` starts");
    assert_eq!(&*plan.job(started.job).name, "x");
    assert!(machine.pop(ZERO).expect("legal").is_none());
}

#[test]
fn teardown_waits_in_a_later_life_too() {
    let plan = plan(vec![
        JobSpec::new("failed"),
        JobSpec::new("again"),
        JobSpec::new("b").needs("failed").needs("again"),
        JobSpec::new("stop").needs("b").always(),
    ]);
    let mut machine = Machine::new(Arc::clone(&plan), Limits::slots(8));
    let not_run = Outcome::NotRun("`failed` failed".into());
    for (name, outcome) in [("failed", failed()), ("b", not_run)] {
        let end = JobEnd {
            outcome,
            ..JobEnd::default()
        };
        let job = plan.find(name).expect("the job exists");
        machine.restore(job, end).expect("legal");
    }
    machine.start(ZERO).expect("a legal start");
    let pop = |machine: &mut Machine| {
        let popped = machine.pop(ZERO).expect("a legal pop");
        popped.map(|ticket| plan.job(ticket.job).name.to_string())
    };
    assert_eq!(pop(&mut machine).as_deref(), Some("again"));
    assert_eq!(pop(&mut machine), None);
    let again = plan.find("again").expect("the job exists");
    let finished = machine.finish(again, Outcome::Success, ZERO, ZERO, || 0.5);
    finished.expect("a legal end");
    assert_eq!(pop(&mut machine).as_deref(), Some("stop"));
}

#[test]
fn a_stopped_run_tears_down_what_is_on_hold_once_all_has_ended() {
    let jobs = vec![
        JobSpec::new("held"),
        JobSpec::new("other"),
        JobSpec::new("stop").needs("held").needs("other").always(),
        JobSpec::new("last").needs("stop").always(),
    ];
    let mut bench = Bench::new(jobs, Limits::slots(8));
    let stop = Stop::Cancel(CancelReason::Requested);
    bench.machine.stop(stop, false, ZERO).expect("a legal stop");
    assert!(bench.finish("held", Outcome::OnHold).is_empty());
    assert_eq!(bench.finish("other", stop.outcome()), ["stop"]);
    assert_eq!(bench.finish("stop", Outcome::Success), ["last"]);
    bench.finish("last", Outcome::Success);
    assert!(bench.machine.is_done());
}

#[test]
fn the_time_limit_of_the_run_and_budgets_are_timers() {
    let jobs = vec![
        JobSpec::new("a").stage("fast"),
        JobSpec::new("b").needs("a"),
    ];
    let mut limits = Limits::slots(1);
    limits.timeout = Some(seconds(10));
    limits.budgets = vec![Budget::new("fast", seconds(3))];
    let mut bench = Bench::new(jobs, limits);
    bench.advance(seconds(3));
    assert!(bench.notices.contains(&Notice::OverBudget(0)));
    bench.now = seconds(4);
    assert_eq!(bench.finish("a", Outcome::Success), ["b"]);
    assert_eq!(
        bench.machine.spent().collect::<Vec<_>>(),
        [Some(seconds(4))]
    );
    bench.advance(seconds(10));
    assert!(bench.notices.contains(&Notice::Stop(
        bench.id("b"),
        Stop::Limit(TimeLimit::Workflow)
    )));
    bench.finish("b", Outcome::TimedOut(TimeLimit::Workflow));
    assert_eq!(bench.machine.outcome(), OutcomeKind::TimedOut);
}

#[test]
fn what_the_machine_is_told_has_to_be_possible() {
    let mut bench = Bench::new(vec![JobSpec::new("a")], Limits::slots(1));
    bench.finish("a", Outcome::Success);
    let again = bench
        .machine
        .finish(JobId::from_index(0), failed(), ZERO, ZERO, || 0.0);
    assert_eq!(again.expect_err("it has ended").from, JobState::Done);
}

#[test]
fn a_chain_of_many_jobs_fails_without_recursion() {
    let jobs: Vec<JobSpec> = (0..200_000)
        .map(|index: u32| {
            let job = JobSpec::new(index.to_string());
            if index == 0 {
                job
            } else {
                job.needs((index - 1).to_string())
            }
        })
        .collect();
    let mut bench = Bench::new(jobs, Limits::slots(1));
    bench.finish("0", failed());
    assert!(bench.machine.is_done());
}
