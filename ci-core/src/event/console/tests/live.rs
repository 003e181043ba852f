//! The board, and the screen of a terminal that it is drawn on.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::plain::{options, story};
use crate::clock::Timestamp;
use crate::event::console::board::Board;
use crate::event::console::rows::View;
use crate::event::fixtures::{START, Story, info, run_id};
use crate::event::terminal::{Paint, columns};
use crate::event::{Choice, Console, EventRecord, RunEvent, Sink, Verbosity};
use crate::outcome::{CancelReason, Outcome};

/// The board after `records`, `seconds` into the run.
fn board(records: &[EventRecord], size: (usize, usize), seconds: f64) -> Vec<String> {
    let history = [("lint", 4), ("test", 10), ("deploy", 5)];
    let history = history.map(|(job, usual)| (Arc::from(job), Duration::from_secs(usual)));
    let mut board = Board::new(history.into());
    for record in records {
        board.apply(record);
    }
    let view = View {
        columns: size.0,
        rows: size.1,
        paint: Paint { color: false },
    };
    let millis = u64::try_from(Duration::from_secs_f64(seconds).as_millis()).unwrap();
    let heard: Arc<str> = "collecting\u{1b}[2J…\n\t12 of 40 passed\r\n\n".into();
    let lines = board.render(view, Timestamp::from_millis(START + millis), |job| {
        (job == "test").then_some(&heard)
    });
    for line in &lines {
        assert!(
            columns(line) < size.0,
            "{line:?} reaches the last of {} columns",
            size.0
        );
    }
    assert!(lines.len() < size.1.max(2), "{lines:?} in {} rows", size.1);
    lines
}

fn busy_run() -> Story {
    let mut story = Story::default();
    story.run(vec![
        info("lint", &[], 2),
        info("test", &[], 3),
        info("deploy", &["lint", "test"], 1),
    ]);
    story.push(RunEvent::JobReady {
        job: "deploy".into(),
    });
    story.start("lint", 1).start("test", 2);
    story.step("lint", 0, "cargo fmt").step("test", 1, "pytest");
    story
}

#[test]
fn the_board_shows_what_runs() {
    let lines = board(&busy_run().records, (100, 30), 3.0);
    insta::assert_snapshot!(lines.join("\n"), @r#"
⠋ lint    1/2 cargo fmt                                         3s  ━━━━━━━━━━━━────  ~1s left
⠋ test    attempt 2, 2/3 pytest  12 of 40 passed                3s  ━━━━────────────  ~7s left
────────────────  0/3 jobs · 1 ready · 3s · ~12s left
"#);
}

#[test]
fn the_board_shows_what_waits_and_why() {
    let mut story = busy_run();
    story.at(5.0).end("lint", Outcome::from_exit_code(1), 5.0);
    story.push(RunEvent::JobWaiting {
        job: "deploy".into(),
        reason: "group `staging`".into(),
    });
    story.push(RunEvent::JobRetrying {
        job: "test".into(),
        attempt: 2,
        result: Outcome::from_exit_code(1),
        delay: Duration::from_secs(10),
    });
    insta::assert_snapshot!(board(&story.records, (80, 30), 6.0).join("\n"), @r#"
◷ deploy  waits for group `staging`
◷ test    starts in 9s
━━━━━───────────  1/3 jobs · 1 failed · 6s · ~15s left
"#);
    story.push(RunEvent::JobHeld {
        job: "deploy".into(),
        prompt: Some("ship it?\u{1b}]0;x\u{7}".into()),
    });
    story.at(16.0).start("test", 3).push(RunEvent::JobHeld {
        job: "test".into(),
        prompt: None,
    });
    story.push(RunEvent::RunCanceling {
        reason: CancelReason::Requested,
    });
    insta::assert_snapshot!(board(&story.records, (80, 30), 66.0).join("\n"), @r#"
‖ test    held: waits for approval
‖ deploy  held: ship it?
━━━━━───────────  1/3 jobs · stopping: canceled on request · 1 failed · 1m 06s
"#);
}

#[test]
fn the_board_fits_any_terminal() {
    let mut story = busy_run();
    for n in 0..50 {
        story.start(&format!("job-{n}-日本"), 1);
        story.push(RunEvent::JobWaiting {
            job: format!("idle-{n}").into(),
            reason: "cpu".into(),
        });
    }
    for width in 1..120 {
        for height in [0, 1, 2, 3, 10, 100] {
            let lines = board(&story.records, (width, height), 3.0);
            assert!(!lines.is_empty());
        }
    }
    insta::assert_snapshot!(board(&story.records, (60, 7), 3.0).join("\n"), @r#"
⠋ lint    1/2 cargo fmt                   3s  ~1s left
⠋ test    attempt 2, 2/3 pytest  1…       3s  ~7s left
⠋ job-0…  preparing                       3s
⠋ job-1…  preparing                       3s
◷ idle-0  waits for cpu
────────────────  0/3 jobs · 48 more running · 49 more wai…
"#);
}

#[test]
fn the_board_is_gone_after_the_run() {
    assert!(!board(&story()[..5], (80, 24), 1.0).is_empty());
    assert!(board(&story(), (80, 24), 3.0).is_empty());
}

/// A terminal that what is written goes to.
#[derive(Clone)]
struct Terminal(Arc<Mutex<vt100::Parser>>);

impl std::io::Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().process(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Terminal {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(vt100::Parser::new(24, 80, 1000))))
    }

    fn screen(&self) -> String {
        self.0.lock().unwrap().screen().contents()
    }
}

fn live(terminal: &Terminal, verbosity: Verbosity) -> Console<Terminal> {
    let mut options = options(verbosity);
    options.live = Choice::Always;
    options.color = Choice::Always;
    Console::new(terminal.clone(), options).with_size(|| (80, 24))
}

#[test]
fn lines_scroll_above_the_board_and_the_board_goes_at_the_end() {
    let terminal = Terminal::new();
    let mut sink = live(&terminal, Verbosity::Normal);
    let records = story();
    for record in &records[..records.len() - 1] {
        sink.event(record).unwrap();
        sink.tick().unwrap();
        let screen = terminal.screen();
        assert_eq!(
            screen.matches("/3 jobs").count(),
            1,
            "one board at a time:\n{screen}"
        );
    }
    let screen = terminal.screen();
    assert!(
        screen.contains("test   | E  assert 1 == 2\ntest   | 1 failed"),
        "{screen}"
    );
    sink.event(records.last().unwrap()).unwrap();
    sink.finish().unwrap();
    drop(sink);
    insta::assert_snapshot!(terminal.screen(), @r#"
quickstart: 3 jobs, run 0193f2a4-7c1e-7000-8000-000000000000
lint   | ✓ success in 2.0s
deploy | ‖ held: ship it?
test   | ✗ 2 tests: 1 passed, 1 failed
test   |   a.B::slow: too slow
test   | collected 2 items
test   | E  assert 1 == 2
test   | 1 failed
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
"#);
}

#[test]
fn a_dropped_console_leaves_no_board() {
    let terminal = Terminal::new();
    let mut sink = live(&terminal, Verbosity::Normal);
    for record in &story()[..5] {
        sink.event(record).unwrap();
    }
    sink.tick().unwrap();
    assert!(terminal.screen().contains("cargo fmt"));
    drop(sink);
    let text = format!("quickstart: 3 jobs, run {}", run_id());
    assert_eq!(terminal.screen().trim_end(), text);
}

#[test]
fn hostile_output_does_not_repaint_the_screen() {
    let terminal = Terminal::new();
    let mut sink = live(&terminal, Verbosity::Verbose);
    let mut story = Story::default();
    let evil = "\u{1b}[2J\u{1b}[H\u{1b}]0;owned\u{7}\u{1b}[?1049h\u{1b}[1;1Hhidden\u{9b}3A\u{1b}c";
    story.run(vec![info("safe", &[], 1), info(evil, &[], 1)]);
    story.start("safe", 1).say("safe", 0, "before\n");
    story.start(evil, 1).step(evil, 0, evil);
    story.say(evil, 0, &format!("{evil}\n{evil}\r{evil}\u{1b}[31m red\n"));
    story.push(RunEvent::JobHeld {
        job: evil.into(),
        prompt: Some(evil.into()),
    });
    story.push(RunEvent::Warning {
        job: Some(evil.into()),
        message: evil.into(),
    });
    story.end(evil, Outcome::failed(evil), 1.0);
    for record in &story.records {
        sink.event(record).unwrap();
        sink.tick().unwrap();
    }
    let screen = terminal.screen();
    assert!(screen.starts_with("quickstart: 2 jobs"), "{screen}");
    assert!(screen.contains("safe   | before\n"), "{screen}");
    assert!(
        screen.contains("hidden | hidden\nhidden | hidden red\n"),
        "{screen}"
    );
    assert!(!terminal.0.lock().unwrap().screen().alternate_screen());
}

#[test]
fn a_terminal_that_becomes_narrower_keeps_the_lines_above() {
    static COLUMNS: AtomicU16 = AtomicU16::new(80);
    let mut options = options(Verbosity::Normal);
    options.live = Choice::Always;
    let mut bytes = Vec::new();
    let mut sink =
        Console::new(&mut bytes, options).with_size(|| (COLUMNS.load(Ordering::Relaxed), 24));
    for record in &busy_run().records {
        sink.event(record).unwrap();
    }
    sink.tick().unwrap();
    COLUMNS.store(50, Ordering::Relaxed);
    sink.tick().unwrap();
    drop(sink);
    let text = String::from_utf8(bytes).unwrap();
    // Two lines of 79 columns became two each, the last one has less than 50.
    let last = text.rsplit("\u{1b}[?2026h").nth(1).unwrap();
    assert!(last.starts_with("\r\u{1b}[4A\u{1b}[J"), "{last:?}");
}
