//! Plans: what is spelled out, what is left out, and everything that can be wrong.

use std::time::Duration;

use proptest::prelude::*;

use crate::id::JobId;
use crate::job::{Condition, GroupUse, JobSpec, Matrix, Need, Pattern, Retry};
use crate::outcome::{OutcomeKind, OutcomeSet};
use crate::step::{Action, StepSpec, WaitProbe};
use crate::workflow::{Budget, Plan, Problem, RunFacts, WorkflowSpec};

fn spec(jobs: impl IntoIterator<Item = JobSpec>) -> WorkflowSpec {
    WorkflowSpec::builder("ci").jobs(jobs).spec
}

fn job(name: &str, needs: &[&str]) -> JobSpec {
    JobSpec::new(name).needs_all(needs.iter().copied())
}

fn on_branch(branch: &str) -> Condition {
    Condition::Branch(Pattern::Is(branch.into()))
}

fn names(plan: &Plan, ids: impl IntoIterator<Item = JobId>) -> Vec<String> {
    ids.into_iter()
        .map(|id| plan.job(id).name.to_string())
        .collect()
}

/// The jobs that wait for `name`.
fn after(plan: &Plan, name: &str) -> Vec<String> {
    let id = plan.find(name).expect("the job is there");
    names(plan, plan.dag.edges(id).iter().map(|edge| edge.to))
}

fn problems(spec: &WorkflowSpec) -> Vec<String> {
    let error = spec.validate().expect_err("something is wrong");
    error.problems().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn wrong(spec: &WorkflowSpec, expected: &[&str]) {
    assert_eq!(problems(spec), expected);
}

#[test]
fn a_need_on_a_matrix_waits_for_all_its_jobs_or_for_one() {
    let matrix = Matrix::new().dimension("OS", ["linux", "mac"]);
    let plan = spec([
        job("test", &[]).matrix(matrix).parallelism(2),
        job("all", &["test"]),
        job("one", &["test (mac) 2/2"]),
    ])
    .plan(&RunFacts::default())
    .expect("a good workflow");
    assert_eq!(after(&plan, "test (linux) 1/2"), ["all"]);
    assert_eq!(after(&plan, "test (mac) 2/2"), ["all", "one"]);
    assert_eq!(plan.members("test").count(), 4);
    assert_eq!(plan.members("all").count(), 1);
    assert_eq!(plan.members("nothing").count(), 0);
    assert_eq!(plan.find("test"), None);
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let spec = spec([
        job("build", &["biuld", "deploy"]),
        job("build", &[]),
        job("deploy", &["build"]),
        job("x", &["x"]),
        job(" bad", &[]).parallelism(0),
        job("no", &[]).needs(Need::outcomes("x", &[])),
    ]);
    wrong(
        &spec,
        &[
            "` bad` is no good name for a job: it begins or ends with a space",
            "job ` bad`: its parallelism is zero",
            "the job `build` is defined more than once",
            "`build` needs `biuld`, which is no job (did you mean `build`?)",
            "`no` can never start: it accepts no outcome of `x`",
            "jobs wait for each other: build -> deploy -> build",
            "jobs wait for each other: x -> x",
        ],
    );
}

#[test]
fn spelled_out_names_may_not_clash() {
    let matrix = Matrix::new().dimension("V", ["1", "1"]);
    wrong(
        &spec([job("a", &[]).matrix(matrix)]),
        &["the job `a (1)` is defined more than once"],
    );
    let matrix = Matrix::new().dimension("V", ["1"]);
    wrong(
        &spec([job("a", &[]).matrix(matrix), job("a", &[])]),
        &["the job `a` is defined more than once"],
    );
}

#[test]
fn what_waits_for_a_job_that_never_starts_never_starts() {
    let spec = spec([
        job("a", &[]),
        job("b", &[])
            .needs("a")
            .needs(Need::outcomes("a", &[OutcomeKind::Failed])),
        job("c", &["b"]),
        job("teardown", &[]).needs(Need::any("c")),
        job("held", &[]).needs(Need::outcomes("a", &[OutcomeKind::OnHold])),
    ]);
    wrong(
        &spec,
        &[
            "`b` can never start: it needs `a` more than once, with outcomes that exclude each other",
            "`held` can never start: it waits until `a` is held for good",
            "`c` can never start: it needs `b`, which can never start",
        ],
    );
}

#[test]
fn values_are_checked_where_they_stand() {
    let mut bad = Matrix::new()
        .dimension("OS-NAME", ["linux"])
        .dimension("V", Vec::<String>::new());
    bad.exclude.push([("V".into(), "9".into())].into());
    let spec = WorkflowSpec::builder("ci")
        .env("1A", "")
        .timeout(Duration::ZERO)
        .group(GroupUse::mutex("db"))
        .budget(Budget::new("fats", Duration::from_mins(5)))
        .job(job("m", &[]).matrix(bad))
        .job(
            job("g", &[])
                .group(GroupUse::counted("db", 2))
                .stage("fast"),
        )
        .job(job("c", &[]).when(Condition::Branch(Pattern::Regex("[".into()))))
        .job(job("r", &[]).with(|options| {
            options.retry = Retry::times(1);
            options.retry.backoff.jitter = f64::NAN;
            options.working_dir = Some(String::new());
        }))
        .job(
            job("s", &[])
                .step(StepSpec::argv(Vec::<String>::new()).timeout(Duration::ZERO))
                .step(StepSpec::wait_for(
                    WaitProbe::Tcp("localhost".into()),
                    Duration::from_secs(1),
                ))
                .step(StepSpec::save_cache("k", [""])),
        )
        .spec;
    insta::assert_snapshot!(problems(&spec).join("\n"));
}

#[test]
fn what_is_attached_has_to_be_a_job_s() {
    let attach = |from: &[&str]| {
        let mut step = StepSpec::attach_workspace("w");
        if let Action::AttachWorkspace(workspace) = &mut step.action {
            workspace.from = from.iter().map(|name| (*name).to_owned()).collect();
        }
        step
    };
    let build = || job("build", &[]).parallelism(2);
    wrong(
        &spec([
            build(),
            job("test", &["build"])
                .step(StepSpec::run("true"))
                .step(attach(&["build", "biuld", "zzz"])),
        ]),
        &[
            "job `test`, step 2 (`attach workspace`): `biuld`, of which it attaches the workspace, \
             is no job (did you mean `build`?)",
            "job `test`, step 2 (`attach workspace`): `zzz`, of which it attaches the workspace, is \
             no job",
        ],
    );
    // A job that does not stand before this one, the jobs of a declared one, one that is left out.
    let left_out = job("main-only", &[]).when(on_branch("main"));
    let all = attach(&["build", "build 2/2", "last", "main-only"]);
    let spec = spec([
        build(),
        left_out,
        job("test", &["build"]).step(all),
        job("last", &["test"]),
    ]);
    let plan = spec.plan(&RunFacts::default()).expect("good");
    plan.restrict(&["test"], true).expect("good");
}

#[test]
fn sharing_options_hides_no_problem() {
    let bad = job("a", &[]).with(|options| options.parallelism = Some(0));
    let mut twin = bad.clone();
    twin.name = "b".into();
    assert_eq!(problems(&spec([bad, twin])).len(), 2);
}

#[test]
fn a_condition_that_does_not_hold_leaves_the_job_out() {
    let spec = spec([
        job("a", &[]),
        job("main-only", &["a"]).when(on_branch("main")),
        job("after", &[]).needs(Need::success("main-only").optional()),
        job("teardown", &[]).needs(Need::any("main-only")),
    ]);
    let plan = spec.plan(&RunFacts::default().branch("dev")).expect("good");
    let id = plan.find("main-only").expect("it stays among the jobs");
    assert_eq!(
        &*plan.skipped[&id],
        "its condition does not hold: branch is `main`"
    );
    assert!(after(&plan, "a").is_empty());
    assert_eq!(after(&plan, "main-only"), ["teardown"]);

    let plan = spec
        .plan(&RunFacts::default().branch("main"))
        .expect("good");
    assert!(plan.skipped.is_empty());
    assert_eq!(after(&plan, "main-only"), ["after", "teardown"]);
}

#[test]
fn a_need_on_a_job_that_is_left_out_is_a_problem() {
    let spec = spec([
        job("m", &[])
            .when(on_branch("main"))
            .matrix(Matrix::new().dimension("V", ["1", "2"])),
        job("deploy", &["m"]),
        job("also-out", &["m"]).when(on_branch("main")),
    ]);
    spec.validate().expect("fine for some runs");
    let error = spec.plan(&RunFacts::default()).expect_err("filtered");
    assert_eq!(
        error.to_string(),
        "the workflow cannot run: `deploy` needs `m`, which its condition leaves out of this run"
    );
}

#[test]
fn a_cycle_through_a_job_that_is_left_out_is_still_a_problem() {
    let spec = spec([job("a", &["b"]).when(on_branch("main")), job("b", &["a"])]);
    let error = spec.plan(&RunFacts::default()).expect_err("a cycle");
    assert!(matches!(error.problems()[0], Problem::Cycle(_)), "{error}");
}

#[test]
fn upstream_is_everything_before_in_order() {
    let plan = spec([
        job("d", &["b", "c"]),
        job("b", &["a"]),
        job("c", &["a"]),
        job("a", &[]),
        job("e", &["d"]),
    ])
    .plan(&RunFacts::default())
    .expect("good");
    let upstream = plan.upstream(plan.find("d").expect("d"));
    assert_eq!(names(&plan, upstream), ["a", "b", "c"]);
    assert!(plan.upstream(plan.find("a").expect("a")).is_empty());
}

#[test]
fn a_plan_is_restricted_to_jobs_with_or_without_what_they_need() {
    let plan = spec([
        job("lint", &[]),
        job("build", &["lint"]),
        job("test", &["build"]).parallelism(2),
        job("deploy", &["test"]).when(on_branch("main")),
    ])
    .plan(&RunFacts::default())
    .expect("good");
    let with = plan.restrict(&["test 2/2"], true).expect("good");
    assert_eq!(names(&with, with.dag.jobs()), ["lint", "build", "test 2/2"]);
    assert_eq!(after(&with, "build"), ["test 2/2"]);
    assert_eq!(with.members("test").count(), 1);

    let without = plan.restrict(&["test", "deploy"], false).expect("good");
    assert_eq!(
        names(&without, without.dag.jobs()),
        ["test 1/2", "test 2/2", "deploy"]
    );
    assert_eq!(without.skipped.len(), 1);
    assert_eq!(without.dag.in_degree(JobId::from_index(0)), 0);

    let error = plan.restrict(&["tset", "build"], true).expect_err("a slip");
    assert_eq!(
        error.to_string(),
        "the workflow cannot run: there is no job `tset` (did you mean `test`?)"
    );
}

#[test]
fn a_chain_of_many_jobs_needs_no_deep_stack() {
    let chain = |from: usize| {
        (0..100_000).map(move |index| match index {
            0 if from == 0 => JobSpec::new("0"),
            0 => JobSpec::new("0").needs(from.to_string()),
            _ => JobSpec::new(index.to_string()).needs((index - 1).to_string()),
        })
    };
    let plan = spec(chain(0)).plan(&RunFacts::default()).expect("good");
    let last = plan.find("99999").expect("the last");
    assert_eq!(plan.upstream(last).len(), 99_999);
    let cyclic = spec(chain(99_999)).validate().expect_err("a cycle");
    assert!(matches!(cyclic.problems(), [Problem::Cycle(path)] if path.len() == 100_001));
}

/// Jobs that need earlier ones, some of them left out, with needs of every kind.
fn workflows() -> impl Strategy<Value = WorkflowSpec> {
    let need = (any::<prop::sample::Index>(), any::<bool>(), any::<bool>());
    let one = (prop::collection::vec(need, 0..4), any::<bool>(), 1u32..3);
    prop::collection::vec(one, 1..10).prop_map(|jobs| {
        let jobs = jobs
            .into_iter()
            .enumerate()
            .map(|(index, (needs, out, shards))| {
                let mut job = JobSpec::new(format!("j{index}"));
                if shards > 1 {
                    job = job.parallelism(shards);
                }
                for (at, any, optional) in needs.into_iter().filter(|_| index > 0) {
                    let on = format!("j{}", at.index(index));
                    let mut need = if any {
                        Need::any(on)
                    } else {
                        Need::success(on)
                    };
                    need.optional = optional;
                    job = job.needs(need);
                }
                if out {
                    job.when(on_branch("main"))
                } else {
                    job
                }
            });
        spec(jobs)
    })
}

proptest! {
    #[test]
    fn plans_follow_the_needs(spec in workflows()) {
        prop_assert!(spec.validate().is_ok());
        let out = |name: &str| {
            let job = spec.jobs.iter().find(|job| *job.name == *name);
            job.is_some_and(|job| job.options.condition.is_some())
        };
        let blocked = spec.jobs.iter().any(|job| !out(&job.name) && job.needs.iter().any(|need| {
            out(&need.job) && !need.optional && need.accept == OutcomeSet::SUCCESS
        }));
        let planned = spec.plan(&RunFacts::default());
        prop_assert_eq!(planned.is_err(), blocked);
        let Ok(plan) = planned else { return Ok(()) };

        let mut position = vec![usize::MAX; plan.jobs.len()];
        for (at, id) in plan.order.iter().enumerate() {
            position[id.index()] = at;
        }
        for id in plan.dag.jobs() {
            prop_assert!(plan.dag.edges(id).iter().all(|edge| position[id.index()] < position[edge.to.index()]));
        }
        for declared in spec.jobs.iter() {
            for id in plan.members(&declared.name) {
                prop_assert_eq!(plan.skipped.contains_key(&id), out(&declared.name));
                let expected: usize = declared.needs.iter()
                    .filter(|need| !out(&declared.name) && (!need.optional || !out(&need.job)))
                    .map(|need| plan.members(&need.job).count())
                    .sum();
                prop_assert_eq!(plan.dag.in_degree(id) as usize, expected);

                // Everything before a job, by walking the edges of the graph backwards.
                let mut before = vec![false; plan.jobs.len()];
                before[id.index()] = true;
                for from in plan.order.iter().rev() {
                    before[from.index()] |= plan.dag.edges(*from).iter().any(|edge| before[edge.to.index()]);
                }
                before[id.index()] = false;
                let upstream = plan.upstream(id);
                prop_assert!(upstream.iter().all(|id| before[id.index()]));
                prop_assert_eq!(upstream.len(), before.iter().filter(|before| **before).count());
                let alone = plan.restrict(&[&plan.job(id).name], true).expect("a good plan");
                prop_assert_eq!(alone.jobs.len(), upstream.len() + 1);
            }
        }
    }
}
