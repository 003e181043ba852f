//! Pictures of plans, kept as files, and names that try to break out of them.

use std::time::{Duration, Instant};

use super::*;
use crate::job::{AllowFailure, Condition, JobSpec, Matrix, Need, Pattern};
use crate::outcome::OutcomeKind;
use crate::workflow::{Plan, RunFacts, WorkflowSpec};

fn job(name: &str, needs: &[&str]) -> JobSpec {
    JobSpec::new(name).needs_all(needs.iter().copied())
}

fn plan(jobs: impl IntoIterator<Item = JobSpec>) -> Plan {
    let spec = WorkflowSpec::builder("ci")
        .jobs(jobs)
        .build()
        .expect("a good workflow");
    spec.plan(&RunFacts::default()).expect("a good plan")
}

/// Something of everything: stages, a matrix, a manual job, a teardown job, one that is left out.
fn pipeline() -> Plan {
    plan([
        job("lint", &[])
            .stage("fast")
            .allow_failure(AllowFailure::Always),
        job("test", &["lint"])
            .stage("fast")
            .matrix(Matrix::new().dimension("OS", ["linux", "mac"])),
        job("build", &["lint"]),
        job("nightly", &["build"]).when(Condition::Branch(Pattern::Is("main".into()))),
        job("deploy", &["build", "test"])
            .needs(Need::success("nightly").optional())
            .stage("release")
            .manual("Deploy?"),
        job("report", &[]).needs(Need::outcomes(
            "test",
            &[OutcomeKind::Failed, OutcomeKind::TimedOut],
        )),
        job("teardown", &["deploy"]).stage("release").always(),
    ])
}

/// Names that are fine for people and hostile to every format.
fn hostile() -> Plan {
    plan([
        job("\"quoted\" \\n \\", &[]).stage("a\"]; b{<i>"),
        job("<b>&amp;</b> `code` #35; |x|", &["\"quoted\" \\n \\"]),
        job("end", &["<b>&amp;</b> `code` #35; |x|"])
            .matrix(Matrix::new().dimension("V", ["x, y", "{{z}}"])),
    ])
}

#[test]
fn a_pipeline_as_dot() {
    insta::assert_snapshot!(dot(&pipeline()));
}

#[test]
fn a_pipeline_as_mermaid() {
    insta::assert_snapshot!(mermaid(&pipeline()));
}

#[test]
fn a_pipeline_as_svg() {
    insta::assert_snapshot!(svg(&pipeline()));
}

#[test]
fn hostile_names_as_dot() {
    insta::assert_snapshot!(dot(&hostile()));
}

#[test]
fn hostile_names_as_mermaid() {
    insta::assert_snapshot!(mermaid(&hostile()));
}

#[test]
fn hostile_names_as_svg() {
    insta::assert_snapshot!(svg(&hostile()));
}

#[test]
fn stages_in_whole_columns_need_no_rows_of_their_own() {
    let plan = plan([
        job("a", &[]).stage("build"),
        job("b", &["a"]).stage("test"),
        job("c", &["a"]).stage("test"),
        job("d", &["b", "c"]).stage("deploy"),
    ]);
    let picture = picture::Picture::new(&plan);
    let layout = layout::layout(&picture);
    assert_eq!((layout.columns, layout.rows), (3, 2.0));
}

#[test]
fn no_two_jobs_stand_in_one_place_and_edges_lead_to_the_right() {
    let plan = pipeline();
    let picture = picture::Picture::new(&plan);
    let layout = layout::layout(&picture);
    for (index, place) in layout.nodes.iter().enumerate() {
        assert!(!layout.nodes[index + 1..].contains(place), "{place:?}");
    }
    for path in &layout.edges {
        assert!(path.is_sorted_by(|a, b| a.column < b.column), "{path:?}");
    }
}

#[test]
fn edges_that_could_run_straight_do_not_cross() {
    // Two chains that are given crosswise.
    let plan = plan([
        job("a", &[]),
        job("b", &[]),
        job("b2", &["b"]),
        job("a2", &["a"]),
    ]);
    let picture = picture::Picture::new(&plan);
    let rows: Vec<f64> = layout::layout(&picture)
        .nodes
        .iter()
        .map(|place| place.row)
        .collect();
    assert!(rows[0] < rows[1] && rows[3] < rows[2], "{rows:?}");
}

#[test]
fn ten_thousand_jobs_are_drawn_in_no_time() {
    let jobs = (0..10_000usize).map(|index| {
        let name = format!("j{index}");
        let before = |step: usize| (index.saturating_sub(100) / 100 * 100) + (index * step) % 100;
        match index {
            0..100 => JobSpec::new(name),
            _ => JobSpec::new(name)
                .needs(format!("j{}", before(1)))
                .needs(format!("j{}", before(7)))
                .needs(format!("j{}", index % 100)),
        }
    });
    let plan = plan(jobs);
    let start = Instant::now();
    let drawn = svg(&plan);
    // A few seconds, or less when optimized; the limit only notices what grows far too fast.
    assert!(
        start.elapsed() < Duration::from_mins(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(drawn.matches("<g ").count(), 10_000);
}
