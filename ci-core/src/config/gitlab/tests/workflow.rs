//! The workflow that a pipeline becomes.

use std::time::Duration;

use super::{Facts, good, load_for};
use crate::config::fidelity::Level;
use crate::job::{AllowFailure, FailureClass, JobSpec, RetryOn, Start};
use crate::outcome::{OutcomeKind, OutcomeSet};
use crate::session::Program;
use crate::step::{Action, StepWhen};

#[track_caller]
fn job(text: &str, name: &str) -> JobSpec {
    let workflow = good(text).workflow().unwrap();
    workflow
        .jobs
        .iter()
        .find(|job| &*job.name == name)
        .unwrap()
        .clone()
}

fn kinds(job: &JobSpec) -> Vec<&str> {
    job.steps.iter().map(|step| step.action.kind()).collect()
}

fn script(job: &JobSpec, name: &str) -> String {
    let step = job
        .steps
        .iter()
        .find(|step| step.name.as_deref() == Some(name))
        .unwrap();
    match &step.action {
        Action::Run(command) => match &command.program {
            Program::Shell { script, .. } => script.clone(),
            Program::Argv(words) => words.join(" "),
        },
        other => panic!("{other:?} is no script"),
    }
}

#[test]
fn steps_come_in_the_order_of_a_runner() {
    let text = "\
build: {stage: build, script: make, artifacts: {paths: [out/], reports: {dotenv: build.env}}}
job:
  before_script: [one]
  script: [two, three]
  after_script: [four]
  cache: {key: $CI_COMMIT_REF_SLUG, paths: [.cache/]}
  artifacts: {paths: [log.txt], when: always, reports: {junit: r.xml}}
";
    let job = job(text, "job");
    assert_eq!(
        kinds(&job),
        [
            "checkout",
            "restore_cache",
            "attach_workspace",
            "run",
            "run",
            "run",
            "save_cache",
            "store_artifacts",
            "persist_workspace",
            "store_test_results"
        ]
    );
    let main = script(&job, "script");
    assert!(
        main.contains("'$ one'\none\n") && main.ends_with("'$ three'\nthree\n"),
        "{main}"
    );
    assert!(main.contains(".gitlab-dotenv/build.env"), "{main}");
    let whens: Vec<_> = job.steps.iter().map(|step| step.when).collect();
    assert_eq!(whens[4..6], [StepWhen::OnSuccess, StepWhen::OnFail]);
    assert_eq!(whens[7], StepWhen::Always);
    let Action::SaveCache(save) = &job.steps[6].action else {
        panic!("no cache")
    };
    assert_eq!(
        (save.key.as_str(), &save.paths[..]),
        ("gitlab/main/{{ epoch }}", &[".cache".to_owned()][..])
    );
}

#[test]
fn variables_win_in_their_order_and_are_filled_in() {
    let text = "\
variables: {A: global, B: '$A-b', C: {value: c, expand: false}, D: global, P: file}
job:
  script: x
  variables: {A: job, E: $UNKNOWN, F: '$CI_PROJECT_DIR/f', G: '$$x'}
  rules: [{if: $A == 'job', variables: {D: rule}}]
";
    let compiled = load_for(text, Facts::branch("main").variable("P", "pipeline")).unwrap();
    let workflow = compiled.workflow().unwrap();
    let env = &workflow.jobs[0].options.env;
    let all = ["A", "B", "C", "D", "E", "F", "G", "P"].map(|name| env[name].as_str());
    assert_eq!(
        all,
        [
            "job",
            "job-b",
            "c",
            "rule",
            "$UNKNOWN",
            "$CI_PROJECT_DIR/f",
            "$x",
            "pipeline"
        ]
    );
    assert_eq!(workflow.env["CI_COMMIT_BRANCH"], "main");
    assert!(script(&workflow.jobs[0], "script").contains("export F=''\"$CI_PROJECT_DIR\"'/f'\n"));
}

#[test]
fn options_of_the_job_are_policies() {
    let text = "\
job:
  script: x
  image: {name: 'reg/$N:1', docker: {platform: linux/arm64}}
  variables: {N: name}
  services: [{name: 'postgres:16', alias: db, variables: {P: '1'}}, redis]
  retry: {max: 2, when: [script_failure, job_execution_timeout], exit_codes: 137}
  timeout: 1h 30m
  resource_group: deploy-$N
  allow_failure: {exit_codes: 3}
later: {script: x, when: delayed, start_in: 5 minutes}
asked: {script: x, when: manual, manual_confirmation: Sure?}
";
    let spec = job(text, "job");
    let options = &spec.options;
    assert_eq!(options.requires.image.as_deref(), Some("reg/name:1"));
    assert_eq!(options.requires.platform.as_deref(), Some("linux/arm64"));
    let services = &options.requires.services;
    assert_eq!(
        (
            services[0].aliases[0].as_str(),
            services[0].env["P"].as_str()
        ),
        ("db", "1")
    );
    assert_eq!(services[1].aliases, ["redis"]);
    assert_eq!(
        options.retry.on,
        [
            RetryOn::Class(FailureClass::Script),
            RetryOn::Class(FailureClass::Timeout),
            RetryOn::ExitCode(137)
        ]
    );
    assert_eq!(options.timeouts.job, Some(Duration::from_mins(90)));
    assert_eq!(&*options.groups[0].name, "deploy-name");
    assert_eq!(options.allow_failure, AllowFailure::ExitCodes(vec![3]));
    assert_eq!(
        job(text, "later").options.start,
        Start::Delayed(Duration::from_mins(5))
    );
    let asked = Start::Manual {
        prompt: Some("Sure?".into()),
        optional: true,
        deadline: None,
    };
    assert_eq!(job(text, "asked").options.start, asked);
}

#[test]
fn needs_accept_what_lets_a_job_start() {
    let text = "\
a: {stage: build, script: x}
b: {stage: build, script: x, when: on_failure}
by-stage: {script: x}
by-need: {script: x, needs: [a]}
cleanup: {script: x, when: always}
rescue: {script: x, when: on_failure}
";
    let accepts = |name| {
        job(text, name)
            .needs
            .iter()
            .map(|need| need.accept)
            .collect::<Vec<_>>()
    };
    let none_failed = OutcomeSet::of(&[
        OutcomeKind::Success,
        OutcomeKind::Skipped,
        OutcomeKind::NotRun,
    ]);
    assert_eq!(accepts("by-stage"), [OutcomeSet::SUCCESS, none_failed]);
    assert_eq!(accepts("by-need"), [OutcomeSet::SUCCESS]);
    assert_eq!(accepts("cleanup"), [OutcomeSet::ANY; 2]);
    assert_eq!(accepts("rescue"), [OutcomeSet::ANY; 2]);
    assert!(job(text, "rescue").options.only_after_failure);
}

#[test]
fn artifacts_are_fetched_from_what_the_job_asks_for() {
    let fetches = |rest: &str| {
        let text = format!(
            "a: {{stage: build, script: x, artifacts: {{paths: [o]}}}}\nb: {{stage: build, script: x}}\njob: {{script: x{rest}}}\n"
        );
        kinds(&job(&text, "job")).contains(&"attach_workspace")
    };
    assert!(fetches(""));
    assert!(fetches(", needs: [a]"));
    assert!(!fetches(", dependencies: [b]"));
    assert!(fetches(", dependencies: [a]"));
    assert!(!fetches(", dependencies: []"));
    assert!(!fetches(", needs: [b]"));
    assert!(!fetches(", needs: [{job: a, artifacts: false}]"));
}

#[test]
fn every_key_that_does_less_than_it_says_is_a_row() {
    let compiled = good(
        "\
workflow: {auto_cancel: {on_new_commit: none}}
job:
  script: x
  tags: [docker]
  artifacts: {paths: [a], expire_in: 1 week}
  retry: {max: 1, when: api_failure}
go: {trigger: {project: g/p}}
",
    );
    let rows: Vec<_> = compiled
        .fidelity()
        .rows()
        .iter()
        .map(|row| {
            (
                row.level,
                row.mark.line,
                row.job.as_deref(),
                row.key.as_str(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (
                Level::Ignored,
                1,
                None,
                "workflow:auto_cancel:on_new_commit"
            ),
            (Level::Ignored, 4, Some("job"), "tags"),
            (Level::Ignored, 5, Some("job"), "artifacts:expire_in"),
            (Level::Approximated, 6, Some("job"), "retry:when"),
            (Level::Ignored, 7, Some("go"), "trigger"),
        ]
    );
    let json = serde_json::to_value(&compiled.fidelity().rows()[1]).unwrap();
    assert_eq!(
        (&json["level"], &json["line"]),
        (&"ignored".into(), &4.into())
    );
}
