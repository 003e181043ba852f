//! Pipelines of GitLab CI on this machine: what their scripts print, and how jobs end.
#![cfg(all(unix, feature = "gitlab", feature = "local", feature = "storage"))]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it found"
)]

use std::sync::Arc;

use ci_core::config::gitlab::{MemoryFiles, Options, Project};
use ci_core::event::Collect;
use ci_core::executor::LocalExecutor;
use ci_core::outcome::OutcomeKind;
use ci_core::run::{RunOptions, RunReport, run};
use ci_core::storage::Storage;

/// Runs a pipeline; gives the report and what the jobs print.
async fn pipeline(text: &str) -> (RunReport, impl Fn(&str) -> String) {
    let files = MemoryFiles::from_iter([(".gitlab-ci.yml", text)]);
    let compiled = Project::load(&files, &Options::new()).unwrap_or_else(|error| panic!("{error}"));
    let dir = tempfile::tempdir().unwrap();
    let storage = Arc::new(Storage::open(dir.path()).unwrap());
    let (sink, seen) = Collect::new();
    let options = RunOptions::new()
        .executor(LocalExecutor::new())
        .storage(storage)
        .sink(sink);
    let report = run(&compiled.workflow().unwrap(), options).await.unwrap();
    (report, move |job: &str| seen.output(job))
}

fn kind(report: &RunReport, job: &str) -> OutcomeKind {
    let found = report.jobs.iter().find(|it| &*it.name == job);
    found
        .unwrap_or_else(|| panic!("no job {job}"))
        .outcome
        .kind()
}

#[tokio::test]
async fn files_and_variables_go_from_job_to_job() {
    let (report, output) = pipeline(
        "\
variables: {GIT_STRATEGY: none, DIR: $CI_PROJECT_DIR/out}
build:
  stage: build
  before_script: [mkdir -p $DIR]
  script:
    - echo made > out/file
    - echo 'VERSION=1.2 three' > build.env
  artifacts: {paths: [out/], reports: {dotenv: build.env}}
test:
  parallel: {matrix: [{FLAVOUR: [sweet, sour]}]}
  variables: {FULL: 'v${VERSION}-$NOBODY'}
  script: [echo \"$FLAVOUR $VERSION $(cat out/file) $CI_JOB_NAME $FULL\"]
",
    )
    .await;
    assert!(report.is_success(), "{:?} {}", report.jobs, output("build"));
    let printed = output("test: [sour]");
    assert!(
        printed.contains("sour 1.2 three made test: [sour] v1.2 three-$NOBODY\n"),
        "{printed}"
    );
    assert!(printed.contains("$ echo \"$FLAVOUR"), "{printed}");
}

#[tokio::test]
async fn a_job_with_needs_gets_the_files_of_those_and_of_no_others() {
    let (report, output) = pipeline(
        "\
variables: {GIT_STRATEGY: none}
default: {artifacts: {paths: ['*.txt']}}
a: {stage: build, script: touch a.txt}
b: {stage: build, needs: [a], script: [mv a.txt b.txt]}
by-need: {needs: [b], script: echo *.txt}
by-stage: {script: echo *.txt}
by-choice: {dependencies: [a], script: echo *.txt}
",
    )
    .await;
    assert!(report.is_success(), "{:?}", report.jobs);
    for (job, files) in [
        ("by-need", "b.txt"),
        ("by-stage", "a.txt b.txt"),
        ("by-choice", "a.txt"),
    ] {
        assert!(
            output(job).contains(&format!("\n{files}\n")),
            "{job}: {}",
            output(job)
        );
    }
}

#[tokio::test]
async fn a_failure_starts_what_waits_for_one() {
    let (report, output) = pipeline(
        "\
variables: {GIT_STRATEGY: none}
ok: {stage: build, script: 'true'}
allowed: {stage: build, script: 'false', allow_failure: true}
fails:
  script: ['false | cat', echo unreachable]
  after_script: [echo \"after $CI_JOB_STATUS\"]
rescue: {stage: deploy, script: echo rescued, when: on_failure}
early: {script: echo no, when: on_failure}
next: {stage: deploy, script: echo no}
always: {stage: .post, script: echo cleaned, when: always}
",
    )
    .await;
    assert!(!report.is_success());
    assert_eq!(kind(&report, "fails"), OutcomeKind::Failed);
    assert!(!output("fails").contains("unreachable\n") || !has_bash());
    assert!(
        output("fails").contains("after failed\n"),
        "{}",
        output("fails")
    );
    assert_eq!(kind(&report, "rescue"), OutcomeKind::Success);
    assert_eq!(
        kind(&report, "early"),
        OutcomeKind::Skipped,
        "an allowed failure is none"
    );
    assert_eq!(kind(&report, "next"), OutcomeKind::NotRun);
    assert_eq!(kind(&report, "always"), OutcomeKind::Success);
}

/// Without bash a failure within a pipe may go unseen, as with a runner.
fn has_bash() -> bool {
    std::process::Command::new("bash")
        .arg("-c")
        .arg("true")
        .status()
        .is_ok()
}
