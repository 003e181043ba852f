//! What the console writes where there is no terminal.

use crate::event::fixtures::{Story, any_event, info, reports, result, samples, test_results};
use crate::event::{
    Choice, Console, ConsoleOptions, EventRecord, JobResult, RunEvent, Sink, StoredKind, Verbosity,
};
use crate::outcome::{Outcome, OutcomeKind};
use crate::session::Stream;

/// A run with a success, a retry, an approval, a failure and what follows from it.
pub(super) fn story() -> Vec<EventRecord> {
    let mut story = Story::default();
    story.run(vec![
        info("lint", &[], 2),
        info("test", &[], 1),
        info("deploy", &["lint", "test"], 1),
    ]);
    story.start("lint", 1).start("test", 1);
    story.step("lint", 0, "cargo fmt").step("test", 0, "pytest");
    story.at(1.0).say("lint", 0, "checking\n10%\r60%");
    story.say("test", 0, "collected 2 items\nE  assert ");
    story
        .at(1.5)
        .say("lint", 0, "\r100%")
        .step_end("lint", 0, Outcome::Success);
    story.push(RunEvent::Stored {
        job: "lint".into(),
        step: 1,
        kind: StoredKind::Artifact,
        name: "out/report.txt".into(),
        bytes: 2048,
        digest: None,
    });
    story.at(2.0).end("lint", Outcome::Success, 2.0);
    story.push(RunEvent::JobHeld {
        job: "deploy".into(),
        prompt: Some("ship it?".into()),
    });
    story.at(3.0).say("test", 0, "1 == 2\n");
    story.push(RunEvent::Output {
        job: "test".into(),
        step: 0,
        stream: Stream::Stderr,
        text: "1 failed\n".into(),
    });
    story.push(test_results("test".into()));
    story.step_end("test", 0, Outcome::from_exit_code(1));
    story.end("test", Outcome::from_exit_code(1), 3.0);
    let not_run = Outcome::NotRun("`test` failed".into());
    story.end("deploy", not_run.clone(), 0.0);
    let jobs = vec![
        result("lint", &Outcome::Success, 1, 2.0),
        JobResult {
            reports: Some(reports()),
            ..result("test", &Outcome::from_exit_code(1), 1, 3.0)
        },
        result("deploy", &not_run, 0, 0.0),
    ];
    story.finish(OutcomeKind::Failed, jobs);
    story.records
}

/// What a console without a board writes.
fn plain(records: &[EventRecord], options: ConsoleOptions) -> String {
    let mut bytes = Vec::new();
    let mut sink = Console::new(&mut bytes, options);
    for record in records {
        sink.event(record).unwrap();
        sink.tick().unwrap();
    }
    sink.finish().unwrap();
    drop(sink);
    String::from_utf8(bytes).unwrap()
}

pub(super) fn options(verbosity: Verbosity) -> ConsoleOptions {
    ConsoleOptions {
        verbosity,
        ..ConsoleOptions::default()
    }
}

#[test]
fn plain_lines() {
    let mut options = options(Verbosity::Normal);
    options.hints = Some("ci".to_owned());
    insta::assert_snapshot!(plain(&story(), options), @r#"
    quickstart: 3 jobs, run 0193f2a4-7c1e-7000-8000-000000000000
    lint   | started on local
    test   | started on local
    lint   | ▸ step 1/2: cargo fmt
    test   | ▸ step 1/1: pytest
    lint   | checking
    test   | collected 2 items
    lint   | 100%
    lint   | ✓ success in 2.0s
    deploy | ‖ held: ship it?
    deploy |   ci approve 0193f2a4-7c1e-7000-8000-000000000000 deploy
    test   | E  assert 1 == 2
    test   | 1 failed
    test   | ✗ 2 tests: 1 passed, 1 failed
    test   |   a.B::slow: too slow
    test   | ✗ pytest: failed (exit code 1) in 1.5s
    test   | ✗ failed in 3.0s: exit code 1
    deploy | ○ not_run: `test` failed

    ✓ lint    success      2.0s
    ✗ test    failed       3.0s  2 tests, 1 bad, 75.00 % of lines, exit code 1
    ○ deploy  not_run            `test` failed

    ✗ test failed: exit code 1 in step `pytest`
      │ collected 2 items
      │ E  assert 1 == 2
      │ 1 failed

    2 tests: 1 passed, 1 failed
    ✗ quickstart failed in 3.0s: 1 success, 1 failed, 1 not_run
    next:
      ci logs 0193f2a4-7c1e-7000-8000-000000000000 test
      ci rerun 0193f2a4-7c1e-7000-8000-000000000000 --from-failed
    "#);
}

#[test]
fn plain_lines_when_quiet() {
    insta::assert_snapshot!(plain(&story(), options(Verbosity::Quiet)), @r#"
    lint   | ✓ success in 2.0s
    deploy | ‖ held: ship it?
    test   | collected 2 items
    test   | E  assert 1 == 2
    test   | 1 failed
    test   | ✗ failed in 3.0s: exit code 1
    deploy | ○ not_run: `test` failed
    ✗ test failed: exit code 1 in step `pytest`

    2 tests: 1 passed, 1 failed
    ✗ quickstart failed in 3.0s: 1 success, 1 failed, 1 not_run
    "#);
}

#[test]
fn every_event_when_verbose() {
    insta::assert_snapshot!(plain(&samples(), options(Verbosity::Verbose)), @r#"
    quickstart: 2 jobs, run 0193f2a4-7c1e-7000-8000-000000000000
    lint  | ‖ held: ship it?
    lint  | approved by ada
    lint  | starts in 1m 00s
    lint  | waits for group `staging`
    lint  | started on local
    lint  | prepared in 0.0s
    lint  | ▸ step 1/2: cargo clippy
    lint  | warning: unused variable
    … 65.5 kB of output are only in the log
    lint  | ✗ 2 tests: 1 passed, 1 failed
    lint  |   a.B::slow: too slow
    lint  | coverage: 75.00 % of lines
    lint  | ✗ 75.00 % of the lines are covered (3 of 4), less than 80 %
    lint  | 1 value measured
    lint  | ✓ binary_size: within 400.0000 of 4000, the median of 20 runs
    lint  | 1 finding: 1 high
    lint  | ✗ 1 new finding blocks, 0 warnings, 2 known
    lint  |   high B602 run.py:12: a shell runs what users give
    lint  | ✗ cargo clippy: failed (exit code 1) in 1.1s
    lint  | ↻ attempt 1 failed (exit code 1); the next in 2.0s
    lint  | ✗ failed in 1.3s after 2 attempts: exit code 1
    warning: stage `check` is over its budget of 5m 00s
    warning: the secret `TOKEN` is too short to be masked
    stopping: canceled because another job failed

    ✗ lint   failed       1.3s  2 attempts, exit code 1
    ○ build  not_run            `lint` failed

    ✗ lint failed: exit code 1

    ! budget of stage check: 5:12 of 5:00 (104%), over
    ✗ quickstart failed in 43.5s: 1 failed, 1 not_run
    "#);
}

#[test]
fn colour_adds_nothing_but_colour() {
    let mut colors = options(Verbosity::Verbose);
    colors.color = Choice::Always;
    let escape = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    for records in [story(), samples()] {
        let colored = plain(&records, colors.clone());
        let text = plain(&records, options(Verbosity::Verbose));
        assert_ne!(colored, text);
        assert_eq!(escape.replace_all(&colored, ""), text);
    }
}

#[test]
fn a_failed_write_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Console::new(Full, options(Verbosity::Normal));
    let error = sink.event(&story()[0]).unwrap_err();
    assert_eq!(error.to_string(), "no storage space");
}

proptest::proptest! {
    #[test]
    fn no_event_reaches_the_terminal_unfiltered(
        events in proptest::collection::vec(any_event(), 0..30), verbose: bool
    ) {
        let mut story = Story::default();
        for event in events {
            story.push(event);
        }
        let verbosity = if verbose { Verbosity::Verbose } else { Verbosity::Quiet };
        let text = plain(&story.records, options(verbosity));
        let odd = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
        proptest::prop_assert_eq!(odd, None, "{:?}", text);
    }
}
