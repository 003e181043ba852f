//! The written file is what the trace viewers ask for: bars nest, and no two jobs share a slot.

use proptest::prelude::*;
use serde_json::Value;

use super::ChromeTrace;
use crate::event::fixtures::{Story, any_event, info, result};
use crate::event::{EventRecord, RunEvent, Sink};
use crate::outcome::{CancelReason, Outcome, OutcomeKind};

/// What the sink writes for `records`, read as any JSON reader would.
fn trace(records: &[EventRecord]) -> Vec<Value> {
    let mut bytes = Vec::new();
    let mut sink = ChromeTrace::new(&mut bytes);
    for record in records {
        sink.event(record).unwrap();
    }
    sink.finish().unwrap();
    drop(sink);
    serde_json::from_slice(&bytes).unwrap()
}

fn bars<'a>(marks: &'a [Value], cat: &str) -> Vec<&'a Value> {
    marks
        .iter()
        .filter(|m| m["ph"] == "X" && m["cat"] == cat)
        .collect()
}

/// Beginning and end.
fn span(bar: &Value) -> (u64, u64) {
    let since = bar["ts"].as_u64().unwrap();
    (since, since + bar["dur"].as_u64().unwrap())
}

/// Two bars of one track must lie inside or beside each other.
fn check_nesting(marks: &[Value]) {
    let bars: Vec<&Value> = marks.iter().filter(|m| m["ph"] == "X").collect();
    for (i, a) in bars.iter().enumerate() {
        for b in &bars[i + 1..] {
            if (&a["pid"], &a["tid"]) != (&b["pid"], &b["tid"]) {
                continue;
            }
            let ((a0, a1), (b0, b1)) = (span(a), span(b));
            let beside = a1 <= b0 || b1 <= a0;
            let inside = (a0 <= b0 && b1 <= a1) || (b0 <= a0 && a1 <= b1);
            assert!(beside || inside, "{a} crosses {b}");
        }
    }
}

fn two_slots() -> Vec<EventRecord> {
    let mut story = Story::default();
    story.run(vec![
        info("a", &[], 2),
        info("b", &[], 1),
        info("c", &["a"], 1),
    ]);
    for job in ["a", "b", "c"] {
        story.push(RunEvent::JobReady { job: job.into() });
    }
    story.start("a", 1).start("b", 1);
    story.at(1.0).step("a", 0, "compile");
    story
        .at(2.0)
        .step_end("a", 0, Outcome::Success)
        .step("a", 1, "test");
    story.at(3.0).step_end("a", 1, Outcome::from_exit_code(1));
    story.push(RunEvent::JobRetrying {
        job: "a".into(),
        attempt: 1,
        result: Outcome::from_exit_code(1),
        delay: std::time::Duration::from_secs(1),
    });
    story.start("c", 1);
    story
        .at(4.0)
        .start("a", 2)
        .at(5.0)
        .end("a", Outcome::Success, 5.0);
    story.at(6.0).step("b", 0, "never ends");
    story
        .at(7.0)
        .end("b", Outcome::Canceled(CancelReason::Requested), 7.0);
    story.end("c", Outcome::Success, 4.0);
    story.finish(
        OutcomeKind::Success,
        vec![result("a", &Outcome::Success, 2, 5.0)],
    );
    story.records
}

#[test]
fn jobs_take_the_lowest_free_slot_and_hold_their_steps() {
    let marks = trace(&two_slots());
    check_nesting(&marks);
    let jobs: Vec<String> = bars(&marks, "job")
        .iter()
        .map(|m| {
            let (since, until) = span(m);
            let (name, tid) = (m["name"].as_str().unwrap(), &m["tid"]);
            let (attempt, outcome) = (&m["args"]["attempt"], &m["args"]["outcome"]);
            format!(
                "{name} slot {tid} {}-{}ms attempt {attempt} {outcome}",
                since / 1000,
                until / 1000
            )
        })
        .collect();
    assert_eq!(
        jobs,
        [
            r#"a slot 1 0-3000ms attempt 1 "failed""#,
            r#"a slot 3 4000-5000ms attempt 2 "success""#,
            r#"b slot 2 0-7000ms attempt 1 "canceled""#,
            r#"c slot 1 3000-7000ms attempt 1 "success""#,
        ]
    );
    let steps: Vec<&str> = bars(&marks, "step")
        .iter()
        .filter_map(|m| m["name"].as_str())
        .collect();
    assert_eq!(steps, ["compile", "test", "never ends"]);
    let waits = bars(&marks, "wait");
    assert_eq!(waits.len(), 1, "only `c` waited: {waits:?}");
    assert_eq!(
        (&waits[0]["name"], span(waits[0])),
        (&"c".into(), (0, 3_000_000))
    );
    assert_eq!(span(bars(&marks, "run")[0]), (0, 7_000_000));
    let retry = marks.iter().find(|m| m["name"] == "retry").unwrap();
    assert_eq!(
        (&retry["ph"], &retry["tid"], &retry["s"]),
        (&"i".into(), &1.into(), &"t".into())
    );
}

#[test]
fn every_track_in_use_has_a_name() {
    let marks = trace(&two_slots());
    for mark in marks.iter().filter(|m| m["ph"] != "M") {
        let named = marks.iter().any(|m| {
            m["name"] == "thread_name" && m["pid"] == mark["pid"] && m["tid"] == mark["tid"]
        });
        assert!(named, "{mark}");
    }
}

#[test]
fn a_run_that_broke_off_leaves_a_whole_file() {
    let mut records = two_slots();
    records.truncate(9);
    let marks = trace(&records);
    check_nesting(&marks);
    assert_eq!(bars(&marks, "run").len(), 1);
    assert_eq!(trace(&[]).len(), 0);
}

proptest! {
    #[test]
    fn nonsense_still_nests(
        events in prop::collection::vec((any_event(), 0..5_000_u64, 0..2_u8), 0..80)
    ) {
        let mut story = Story::default();
        story.run(Vec::new());
        for (event, millis, few) in events {
            // Few jobs and steps, so that events meet; a clock that jumps.
            let mut value = serde_json::to_value(&event).unwrap();
            if value.get("job").is_some() {
                value["job"] = Value::String(format!("job {few}"));
            }
            if value.get("step").is_some() {
                value["step"] = Value::from(millis % 3);
            }
            if value["type"] == "job_prepared" {
                value["duration"] = Value::from(2);
            }
            let seconds = std::time::Duration::from_millis(millis).as_secs_f64();
            story.at(seconds).push(serde_json::from_value(value).unwrap());
        }
        check_nesting(&trace(&story.records));
    }
}
