//! Values of every form, and gates against limits and against history.

use proptest::prelude::*;

use super::*;

fn shown(text: &str) -> Vec<String> {
    let values = read(text.as_bytes()).expect("values");
    let show = |it: &Measured| {
        let unit = it.unit.as_deref().unwrap_or_default();
        format!("{}={}{unit}", it.name, it.value)
    };
    values.values.iter().map(show).collect()
}

fn measured(value: f64) -> Measured {
    Measured {
        name: "size".into(),
        value,
        unit: None,
    }
}

#[test]
fn every_form_is_read() {
    let prometheus = "# HELP a b\n# TYPE a_bytes gauge\n# UNIT a_bytes bytes\na_bytes 12 1700000000\n\
                      rate{path=\"/a } b\",x=\"\\\"\"} 0.5\n# EOF\n";
    assert_eq!(
        shown(prometheus),
        ["a_bytes=12bytes", "rate{path=\"/a } b\",x=\"\\\"\"}=0.5"]
    );
    assert_eq!(
        shown("{\"size\": {\"bin\": 3, \"lib\": 4.5}, \"x\": \"y\"}"),
        ["size.bin=3", "size.lib=4.5"]
    );
    assert_eq!(
        shown("[{\"name\": \"boot\", \"value\": 1.5, \"unit\": \"s\"}, {\"name\": \"x\"}]"),
        ["boot=1.5s"]
    );
    let criterion = "{\"mean\": {\"point_estimate\": 9.0}, \"median\": {\"point_estimate\": 8.5}}";
    assert_eq!(shown(criterion), ["median=8.5ns"]);
    let pytest = "{\"machine_info\": {}, \"benchmarks\": [{\"fullname\": \"t.py::test_a\", \
                  \"stats\": {\"median\": 0.25, \"mean\": 0.3}}]}";
    assert_eq!(shown(pytest), ["t.py::test_a=0.25s"]);
}

#[test]
fn what_has_no_values_is_refused() {
    for text in ["", "{}", "[]", "hello\n", "{\"a\": NaN}", "one two three\n"] {
        let error = read(text.as_bytes()).expect_err("no values");
        assert_eq!(error.kind(), ValuesErrorKind::UnknownFormat, "{text:?}");
    }
}

#[test]
fn a_limit_holds_whatever_was_before() {
    let gate = Gate::new(Better::Lower).limit(10.0);
    assert!(gate.judge(&measured(10.0), &[]).passed);
    assert!(!gate.judge(&measured(10.5), &[20.0; 9]).passed);
    let gate = Gate::new(Better::Higher).limit(10.0);
    assert!(!gate.judge(&measured(9.0), &[]).passed);
}

#[test]
fn a_regression_is_more_than_the_usual_spread() {
    let gate = Gate::new(Better::Lower).regression(5.0);
    let steady = [100.0, 101.0, 99.0, 100.0, 100.0];
    assert!(gate.judge(&measured(104.0), &steady).passed);
    let judged = gate.judge(&measured(106.0), &steady);
    assert!(!judged.passed, "{}", judged.message);
    assert_eq!(judged.change, Some(6.0));
    // One run that was slow by accident neither hides nor makes a regression.
    let outlier = [100.0, 101.0, 99.0, 100.0, 900.0];
    assert!(!gate.judge(&measured(110.0), &outlier).passed);
    // What jumps about anyway is no regression.
    let noisy = [80.0, 120.0, 95.0, 110.0, 100.0];
    assert!(gate.judge(&measured(115.0), &noisy).passed);
    // Two runs say nothing of the spread.
    assert!(gate.judge(&measured(500.0), &[100.0, 100.0]).passed);
    let gate = Gate::new(Better::Higher).regression(5.0);
    assert!(gate.judge(&measured(200.0), &steady).passed);
    assert!(!gate.judge(&measured(50.0), &steady).passed);
}

proptest! {
    #[test]
    fn the_median_lies_among_the_values(values in prop::collection::vec(-1e6f64..1e6, 1..40)) {
        let spread = Spread::of(&values).expect("some");
        let low = values.iter().copied().fold(f64::MAX, f64::min);
        let high = values.iter().copied().fold(f64::MIN, f64::max);
        prop_assert!(spread.median >= low && spread.median <= high);
        prop_assert!(spread.deviation >= 0.0);
    }

    #[test]
    fn what_is_no_worse_than_before_passes(value in 1.0f64..1e6, percent in 0.0f64..50.0) {
        let gate = Gate::new(Better::Lower).regression(percent);
        prop_assert!(gate.judge(&measured(value), &[value; 5]).passed);
    }
}
