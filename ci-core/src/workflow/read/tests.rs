//! The written form: what is read, what is refused and why, and that nothing is lost.

#[cfg(feature = "yaml")]
mod errors;
mod round_trip;

use super::*;
use crate::step::{Action, StepSpec, step_fn};
use crate::workflow::SpecErrorKind;

#[test]
fn a_step_that_is_code_becomes_its_name() {
    let step = step_fn("mine", |_| async { Ok::<_, std::io::Error>(()) });
    let spec = WorkflowSpec::builder("ci")
        .job(crate::job::JobSpec::new("a").step(StepSpec::code(step)))
        .build()
        .expect("good");
    let json = spec.to_json().expect("JSON");
    assert!(json.contains(r#""code": "mine""#), "{json}");
    let read = WorkflowSpec::from_json(&json).expect("what was written");
    match &read.jobs[0].steps[0].action {
        Action::Custom(custom) => {
            assert_eq!((&*custom.step, custom.with.is_null()), ("mine", true))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_schema_knows_every_field_of_the_form() {
    let schema = WorkflowSpec::json_schema();
    assert_eq!(schema["additionalProperties"], false);
    let job = &schema["$defs"]["JobFields"];
    assert_eq!(job["additionalProperties"], false);
    for field in [
        "needs",
        "when",
        "always",
        "matrix",
        "steps",
        "no_output_timeout",
    ] {
        assert!(job["properties"][field].is_object(), "{field}");
    }
    let step = &schema["$defs"]["StepFields"]["properties"];
    for field in ["run", "checkout", "use", "wait_for", "store_coverage"] {
        assert!(step[field].is_object(), "{field}");
    }
}

#[test]
fn a_file_is_read_by_its_ending_and_errors_name_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ci.json");
    let error = WorkflowSpec::from_path(&path).expect_err("no file");
    assert_eq!(error.kind(), SpecErrorKind::Unreadable);
    assert!(std::error::Error::source(&error).is_some());

    std::fs::write(&path, "{\"version\": 1,\n \"name\": 5}").expect("written");
    let error = WorkflowSpec::from_path(&path).expect_err("bad");
    let shown = error.to_string();
    assert_eq!(
        shown.strip_prefix(&path.display().to_string()),
        Some(":2:10: invalid type: integer `5`, expected a string")
    );
    assert_eq!(error.kind(), SpecErrorKind::Form);

    std::fs::write(&path, r#"{"version": 1, "name": "ci", "jobs": {}}"#).expect("written");
    assert_eq!(&*WorkflowSpec::from_path(&path).expect("good").name, "ci");
}
