//! What the settings file means: every key of the example, placing, applying, errors, the schema.
#![cfg(feature = "yaml")]

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::executor::{ExecutorError, ExecutorErrorKind};
use crate::job::{AllowFailure, FailureClass, GroupUse, JobSpec, RetryOn, ServiceSpec};
use crate::step::StepSpec;
use crate::workflow::{OverBudget, WorkflowSpec};

const EXAMPLE: &str = include_str!("example.yml");

fn parse(text: &str) -> Settings {
    match Settings::parse(text, Path::new("settings.yml")) {
        Ok(settings) => settings,
        Err(error) => panic!("{error}"),
    }
}

fn refusal(text: &str) -> String {
    match Settings::parse(text, Path::new("settings.yml")) {
        Ok(settings) => panic!("{settings:?}"),
        Err(error) => error.to_string(),
    }
}

fn workflow(jobs: impl IntoIterator<Item = JobSpec>) -> WorkflowSpec {
    WorkflowSpec::builder("ci").jobs(jobs).build().unwrap()
}

/// `executor cpu memory` of where the job is placed, or the error.
fn place(settings: &Settings, job: &JobSpec) -> String {
    match settings.place(job) {
        Ok(Placement {
            executor,
            cpu_milli,
            memory_mib,
        }) => {
            let word = |value: Option<u32>| value.map_or("-".into(), |value| value.to_string());
            format!("{executor} {} {}", word(cpu_milli), word(memory_mib))
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_error_of_an_options_value_has_its_place() {
    let text = "version: 1\nexecutors:\n  big:\n    type: docker\n    options:\n      host: h\n      cpus: x\n";
    let settings = parse(text);
    let big = &settings.executors["big"];
    let about = |option: &str| {
        let error = ExecutorError::new(ExecutorErrorKind::Unsupported, "no");
        big.place_of(&error.with_option(option)).map(str::to_owned)
    };
    let place = about("cpus.inner").unwrap();
    assert!(place.ends_with(":7:7"), "{place}");
    assert_eq!(about("other"), None);
}

#[test]
fn the_example_is_read_in_full() {
    let settings = parse(EXAMPLE);
    assert_eq!(
        settings.executors["big"].options["host"],
        "tcp://build.example:2376"
    );
    assert_eq!(settings.local.slots.map(std::num::NonZeroU32::get), Some(4));
    assert_eq!(settings.local.cpu_milli, Some(6000));
    assert_eq!(settings.local.memory_mib, Some(12 * 1024));
    assert_eq!(settings.storage.cache_limit, Some(20 << 30));
    assert_eq!(
        settings.storage.path.as_deref(),
        Some(Path::new(".ci/storage"))
    );
    assert_eq!(settings.store.retention.max_runs, Some(500));
    assert_eq!(
        settings.store.retention.max_age,
        Some(Duration::from_hours(30 * 24))
    );
    let budget = &settings.budgets["fast"];
    assert_eq!(
        (budget.limit, budget.over),
        (Duration::from_mins(5), OverBudget::Fail)
    );
}

#[test]
fn reports_are_judged_as_the_last_fitting_entries_say() {
    let settings = parse(
        "version: 1
quarantine: {tests: ['*::flaky']}
jobs:
  '*': {reports: {fail_on_failed_tests: true, coverage: {lines: 80}}}
  slow: {reports: {coverage: {lines: 60, changed_lines: 90, base: main}, quarantine: ['a::b']}}
",
    );
    let tested = |name| JobSpec::new(name).step(StepSpec::store_test_results(["junit.xml"]));
    let (workflow, notes) =
        settings.apply(workflow([tested("slow"), JobSpec::new("fast").run("true")]));
    let slow = SettingsNote::NothingCovered { job: "slow".into() };
    assert_eq!(notes, [slow], "`fast` is only one of all jobs");
    let rules = &workflow.jobs[0].options.reports;
    assert_eq!(rules.fail_on_failed_tests, Some(true));
    assert_eq!(rules.coverage.lines, Some(60.0));
    assert_eq!(rules.coverage.base.as_deref(), Some("main"));
    assert_eq!(rules.quarantine, ["a::b", "*::flaky"]);
    let rules = &workflow.jobs[1].options.reports;
    assert_eq!(rules.coverage.lines, Some(80.0));
    assert!(rules.quarantine.is_empty(), "it keeps no test results");
    let refused = refusal("version: 1\njobs: {a: {reports: {coverage: {line: 80}}}}\n");
    assert!(refused.contains("line"), "{refused}");
}

#[test]
fn the_quarantine_file_is_read_with_the_settings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(Settings::FILE);
    std::fs::create_dir(dir.path().join(".ci")).unwrap();
    let text = "version: 1\nquarantine: {file: .ci/quarantine.txt, tests: [a]}\n";
    std::fs::write(&path, text).unwrap();
    let error = Settings::load(&path).unwrap_err();
    assert_eq!(error.kind(), SettingsErrorKind::Read);
    assert!(error.to_string().contains("quarantine.txt"), "{error}");
    let list = dir.path().join(".ci/quarantine.txt");
    std::fs::write(list, "# known\n\n  b::c[1] \n").unwrap();
    for settings in [Settings::load(&path), Settings::discover(dir.path())] {
        assert_eq!(settings.unwrap().quarantine.tests, ["a", "b::c[1]"]);
    }
}

#[test]
fn sizes_are_built_in_and_entries_complete_them() {
    let settings = parse(EXAMPLE);
    let class = |class: &str| place(&settings, &JobSpec::new("j").resource_class(class));
    assert_eq!(class("small"), "local 1000 2048");
    assert_eq!(class("large"), "local 4000 8192");
    assert_eq!(class("2xlarge+"), "local 20000 40960");
    assert_eq!(class("xlarge"), "big 8000 16384");
    assert_eq!(class("acme/runner"), "local 2000 4096");
}

#[test]
fn the_job_itself_comes_before_class_labels_image_and_default() {
    let settings = parse(EXAMPLE);
    let job = JobSpec::new("j");
    assert_eq!(place(&settings, &job), "local - -");
    let job = job.image("rust:1.95");
    assert_eq!(place(&settings, &job), "docker - -");
    let job = job.with(|options| {
        options
            .requires
            .labels
            .push("saas-linux-small-amd64".into());
    });
    assert_eq!(place(&settings, &job), "docker 2000 8192");
    let job = job.resource_class("xlarge");
    assert_eq!(place(&settings, &job), "big 8000 16384");
    let job = job.executor("local").reserve(500, 64);
    assert_eq!(place(&settings, &job), "local 500 64");
}

#[test]
fn an_unmapped_class_is_diagnosed_not_guessed() {
    let settings = parse(EXAMPLE);
    let error = settings
        .place(&JobSpec::new("test").resource_class("xlrage"))
        .unwrap_err();
    assert_eq!(error.kind(), PlacementErrorKind::UnknownClass);
    assert_eq!(
        error.to_string(),
        "job `test` asks for the resource class `xlrage`, which is not known (did you mean `xlarge`?)"
    );
    assert!(error.hints()[0].contains("`acme/runner`"), "{error:?}");
    assert!(error.hints()[1].contains("`resource_classes`"), "{error:?}");
    // Insisting on an executor does not say how large the job is.
    let job = JobSpec::new("test")
        .resource_class("arm.large")
        .executor("local");
    assert!(settings.place(&job).is_err());
    assert_eq!(
        place(&settings, &job.reserve(1000, 1024)),
        "local 1000 1024"
    );
}

#[test]
fn unknown_and_disagreeing_labels_are_diagnosed() {
    let settings = parse("version: 1\nlabels: {docker: {executor: docker}, mac: {executor: m}}");
    let labelled = |labels: &[&str]| {
        JobSpec::new("j").with(|options| {
            options.requires.labels = labels.iter().map(|label| (*label).into()).collect();
        })
    };
    assert_eq!(
        place(&settings, &labelled(&["docker", "docker"])),
        "docker - -"
    );
    let unknown = settings.place(&labelled(&["dcoker"])).unwrap_err();
    assert_eq!(unknown.kind(), PlacementErrorKind::UnknownLabel);
    assert!(
        unknown.to_string().ends_with("(did you mean `docker`?)"),
        "{unknown}"
    );
    let torn = settings.place(&labelled(&["docker", "mac"])).unwrap_err();
    assert_eq!(torn.kind(), PlacementErrorKind::LabelsDisagree);
    assert!(torn.to_string().contains("`mac` for `m`"), "{torn}");
}

#[test]
fn an_image_without_an_executor_for_images_is_diagnosed() {
    let error = Settings::default()
        .place(&JobSpec::new("j").image("cimg/base:2026.01"))
        .unwrap_err();
    assert_eq!(error.kind(), PlacementErrorKind::NoImageExecutor);
    assert!(
        error.hints()[1].contains(r#"`"cimg/base:2026.01": local`"#),
        "{error:?}"
    );
}

#[test]
fn options_of_jobs_are_set_and_later_entries_win() {
    let settings = parse(EXAMPLE);
    let names = [
        "lint",
        "test-unit",
        "test-slow",
        "deploy",
        "audit",
        "docs",
        "unit",
        "bench",
        "scan",
    ];
    let before = workflow(names.map(|name| JobSpec::new(name).env("REGION", "us")));
    let (after, notes) = settings.apply(before);
    let unit = SettingsNote::NothingCovered { job: "unit".into() };
    let kept = |job: &str, gate, step| SettingsNote::NothingKept {
        job: job.into(),
        gate,
        step,
    };
    let bench = kept("bench", "values", "store_metrics");
    let scan = kept("scan", "findings", "store_findings");
    assert_eq!(notes, [unit, bench, scan]);
    let job = |name: &str| after.jobs.iter().find(|job| &*job.name == name).unwrap();
    let unit = &job("test-unit").options;
    assert_eq!(unit.timeouts.job, Some(Duration::from_mins(20)));
    assert_eq!(unit.timeouts.no_output, Some(Duration::from_mins(5)));
    assert_eq!(unit.retry.max, 2);
    assert_eq!(unit.retry.backoff.initial, Duration::from_secs(10));
    let on = [
        RetryOn::Class(FailureClass::Infrastructure),
        RetryOn::ExitCode(75),
    ];
    assert_eq!(unit.retry.on, on);
    assert_eq!(unit.stage.as_deref(), Some("fast"));
    let slow = &job("test-slow").options;
    assert_eq!(slow.timeouts.job, Some(Duration::from_mins(90)));
    assert_eq!((slow.retry.max, slow.priority), (2, -1));
    assert_eq!(place(&settings, job("test-slow")), "local 4000 8192");
    let deploy = &job("deploy").options;
    assert_eq!(deploy.env["REGION"], "eu");
    assert_eq!(deploy.private_home, Some(false));
    let groups = [
        GroupUse::mutex("production"),
        GroupUse::counted("uploads", 2),
    ];
    assert_eq!(deploy.groups, groups);
    assert_eq!(job("audit").options.allow_failure, AllowFailure::Always);
    assert_eq!(
        job("lint").options.allow_failure,
        AllowFailure::ExitCodes(vec![2])
    );
    assert_eq!(place(&settings, job("lint")), "local 500 512");
    assert_eq!(job("docs").options.private_home, Some(true));
    assert_eq!(after.budgets.len(), 1);
    assert_eq!(
        (&*after.budgets[0].stage, after.budgets[0].over),
        ("fast", OverBudget::Fail)
    );
}

#[test]
fn defaults_leave_a_workflow_as_it_is_and_its_options_shared() {
    let before = workflow(["a", "b"].map(JobSpec::new));
    let (after, notes) = Settings::default().apply(before.clone());
    assert_eq!((&after, notes.len()), (&before, 0));
    assert!(std::sync::Arc::ptr_eq(
        &after.jobs[0].options,
        &before.jobs[1].options
    ));
}

#[test]
fn images_are_replaced_also_those_of_services() {
    let settings = parse(EXAMPLE);
    let job = JobSpec::new("a")
        .image("cimg/rust:1.95")
        .service(ServiceSpec::new("cimg/postgres:17", "db"))
        .service(ServiceSpec::new("cimg/base:1", "other"));
    let local = JobSpec::new("b").image("cimg/base:2026.01");
    let (after, notes) = settings.apply(workflow([job, local]));
    let requires = |index: usize| &after.jobs[index].options.requires;
    assert_eq!(requires(0).image.as_deref(), Some("debian:trixie"));
    assert_eq!(requires(0).services[0].image, "debian:trixie");
    assert_eq!(requires(0).services[1].image, "cimg/base:1");
    assert_eq!(requires(1).image, None);
    assert_eq!(place(&settings, &after.jobs[1]), "local - -");
    let kept = SettingsNote::ServiceKept {
        job: "a".into(),
        image: "cimg/base:1".into(),
    };
    assert!(notes.contains(&kept), "{notes:?}");
}

#[test]
fn a_gate_on_coverage_that_nothing_measures_is_noted() {
    let settings = parse("version: 1\njobs: {test: {reports: {coverage: {lines: 80}}}}");
    let words = |job: JobSpec| {
        let (_, notes) = settings.apply(workflow([job]));
        notes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let told = "job `test` has a gate on coverage, and no step with `store_coverage`";
    assert_eq!(words(JobSpec::new("test")), [told]);
    let paths = crate::step::PathsSpec::new(["coverage.xml"]);
    let step = StepSpec::new(crate::step::Action::StoreCoverage(paths));
    assert!(words(JobSpec::new("test").step(step)).is_empty());
}

#[test]
fn gates_on_values_and_findings_that_nobody_keeps_are_noted() {
    let settings = parse(
        "version: 1\njobs: {test: {reports: {metrics: {values: [{name: a}]}, findings: {fail_at: low}}}}",
    );
    let words = |job: JobSpec| {
        let (_, notes) = settings.apply(workflow([job]));
        notes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let told = [
        "values, and no step with `store_metrics`",
        "findings, and no step with `store_findings`",
    ]
    .map(|what| format!("job `test` has a gate on {what}"));
    assert_eq!(words(JobSpec::new("test")), told);
    let keeps = JobSpec::new("test")
        .step(StepSpec::store_metrics(["m.json"]))
        .step(StepSpec::store_findings(["f.json"]));
    assert!(words(keeps).is_empty());
}

#[test]
fn what_fits_no_job_is_noted() {
    let settings = parse(
        "version: 1\njobs: {tset: {priority: 1}}\nstages: {fast: [lint, 'x*'], slow: [lint]}\n\
         budgets: {gone: {limit: 1m}}",
    );
    let (_, notes) = settings.apply(workflow(["test", "lint"].map(JobSpec::new)));
    let words: Vec<String> = notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "`tset` under `jobs` fits no job of this workflow (did you mean `test`?)",
            "`x*` under `stages.fast` fits no job of this workflow",
            "job `lint` is in the stages `fast`, `slow` and counts into `slow`",
            "the budget of `gone` is for a stage that no job is in",
        ]
    );
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (text, expected) in [
        (
            "version: 1\njobs:\n  a: {timeot: 5m}",
            "settings.yml:3:7: unknown field `timeot`",
        ),
        (
            "version: 1\nlocal: {memory: 8}",
            "settings.yml:2:17: `8` is no size: write",
        ),
        (
            "version: 1\nlocal: {cpu: -1}",
            "settings.yml:2:14: `-1` is no number of cores",
        ),
        (
            "version: 1\nlocal: {cpu: .nan}",
            "settings.yml:2:14: `.nan` is not a finite number",
        ),
        ("version: 1\nlocal: {slots: 0}", "settings.yml:2:"),
        (
            "version: 1\nbudgets: {a: {limit: 5}}",
            "settings.yml:2:22: `5` is no duration",
        ),
        (
            "version: 1\njobs:\n  a: {}\n  a: {}",
            "settings.yml:4:3: `a` is there twice",
        ),
        (
            "version: 2\nwhatever: 1",
            "settings.yml: the file is of version `2`",
        ),
        (
            "jobs: {}",
            "settings.yml: the file has to begin with `version: 1`",
        ),
        ("version: [1", "settings.yml:"),
    ] {
        let message = refusal(text);
        assert!(message.starts_with(expected), "{text}\n{message}");
        let meant = message.ends_with("(did you mean `timeout`?)");
        assert_eq!(meant, text.contains("timeot"), "{message}");
    }
}

#[test]
fn a_missing_file_means_defaults_unless_it_was_named() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Settings::discover(dir.path()).unwrap(), Settings::default());
    let error = Settings::load(&dir.path().join("x.yml")).unwrap_err();
    assert_eq!(error.kind(), SettingsErrorKind::Read);
    std::fs::create_dir(dir.path().join(".ci")).unwrap();
    std::fs::write(
        dir.path().join(Settings::FILE),
        "version: 1\ndefault_executor: x",
    )
    .unwrap();
    assert_eq!(
        Settings::discover(dir.path()).unwrap().default_executor,
        "x"
    );
}

/// Run with `UPDATE_SCHEMA=1` to write the file anew.
#[test]
fn the_published_schema_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/settings.schema.json");
    let schema = serde_json::to_string_pretty(&Settings::json_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == schema,
        "run this test with UPDATE_SCHEMA=1 and commit {path:?}"
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_settings_or_an_error(text in "(version: 1\n)?[a-z_:{}\\[\\], \n\"0-9*&!-]{0,120}") {
        let _ = Settings::parse(&text, Path::new("settings.yml"));
    }
}
