//! Which events start a run, with which variables.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::*;

fn spec(yaml: serde_json::Value) -> TriggerSpec {
    serde_json::from_value(yaml).unwrap()
}

#[track_caller]
fn runs(spec: &TriggerSpec, event: &Event) -> bool {
    matches!(spec.decide(event).unwrap(), Decision::Run(_))
}

fn tag(name: &str, annotated: bool) -> Event {
    let name = name.to_owned();
    Event::new(EventKind::Tag { name, annotated })
}

fn request(source: &str, target: &str) -> Event {
    let (source, target) = (source.to_owned(), target.to_owned());
    let number = 7;
    Event::new(EventKind::MergeRequest {
        source,
        target,
        number,
    })
}

#[test]
fn names_are_taken_by_name_glob_and_whole_regex() {
    let spec = spec(serde_json::json!({"on": {
        "push": {"branches": ["main", "release/*", "/fix-\\d+/", "!release/old"]},
        "tag": {"names": ["/v\\d+/"], "kind": "annotated"},
        "merge_request": {"targets": ["main"], "sources": ["!wip/**"]},
    }}));
    for (branch, expected) in [
        ("main", true),
        ("main2", false),
        ("release/1", true),
        ("release/1/x", false),
        ("release/old", false),
        ("fix-12", true),
        ("fix-12b", false),
    ] {
        assert_eq!(runs(&spec, &Event::push(branch)), expected, "{branch}");
    }
    assert!(runs(&spec, &tag("v1", true)) && !runs(&spec, &tag("v1", false)));
    assert!(!runs(&spec, &tag("v1.0", true)));
    assert!(runs(&spec, &request("a", "main")) && !runs(&spec, &request("a", "dev")));
    assert!(!runs(&spec, &request("wip/a/b", "main")));
    let manual = Event::new(EventKind::Manual { branch: None });
    assert!(!runs(&spec, &manual) && runs(&TriggerSpec::everything(), &manual));
}

#[test]
fn without_on_everything_but_schedules_runs() {
    let spec = spec(serde_json::json!({"supersede": "branch"}));
    assert_eq!(spec.on, On::everything());
    assert_eq!(spec.supersede, Supersede::Branch);
    let schedule = Schedule::new("nightly", "0 3 * * *");
    assert!(!runs(&spec, &schedule.event()));
}

#[test]
fn a_wrong_filter_is_told_whatever_the_name() {
    let spec = spec(serde_json::json!({"on": {"push": {"branches": ["main", "!/(/"]}}}));
    for branch in ["main", "other"] {
        let error = spec.decide(&Event::push(branch)).unwrap_err();
        assert_eq!(error.kind(), TriggerErrorKind::Filter);
    }
}

#[test]
fn changed_paths_decide_where_they_are_known() {
    let spec =
        spec(serde_json::json!({"on": {"push": {"paths": {"ignore": ["docs/**", "**/*.md"]}}}}));
    let with = |paths: &[&str]| Event::push("main").changed_paths(paths.iter().copied());
    assert!(!runs(&spec, &with(&["docs/a/b.txt", "src/README.md"])));
    assert!(runs(&spec, &with(&["docs/a.txt", "src/lib.rs"])));
    assert!(runs(&spec, &Event::push("main")));
    assert!(!runs(&spec, &with(&[])));
}

#[test]
fn skip_words_hold_for_pushes_only() {
    let mut spec = TriggerSpec::everything();
    spec.on.schedule = vec![Schedule::new("nightly", "@daily")];
    let quiet = "Typos [CI SKIP]";
    assert!(!runs(&spec, &Event::push("main").message(quiet)));
    assert!(!runs(&spec, &tag("v1", true).message(quiet)));
    assert!(runs(&spec, &spec.on.schedule[0].event().message(quiet)));
}

#[test]
fn the_facts_tell_where_a_run_comes_from() {
    let event = request("fix", "main").revision("c0ffee");
    let Decision::Run(facts) = TriggerSpec::everything().decide(&event).unwrap() else {
        panic!("it runs");
    };
    assert_eq!(facts.branch.as_deref(), Some("fix"));
    assert_eq!(facts.revision.as_deref(), Some("c0ffee"));
    assert_eq!(facts.variables["CI_TRIGGER"], "merge_request");
    assert_eq!(facts.variables["CI_MERGE_REQUEST"], "7");
    assert_eq!(facts.variables["CI_MERGE_REQUEST_TARGET"], "main");
}

#[test]
fn arguments_are_checked_all_at_once() {
    let spec = spec(serde_json::json!({"parameters": {
        "deploy": {"type": "boolean", "default": false},
        "count": {"type": "integer"},
        "suite": {"type": "enum", "values": ["quick", "all"], "default": "quick"},
        "note": {"type": "string", "default": ""},
    }}));
    let event = Event::push("main");
    let error = spec
        .decide(
            &event
                .clone()
                .argument("deploy", "yes")
                .argument("suite", "quik")
                .argument("cout", "1"),
        )
        .unwrap_err();
    assert_eq!(error.kind(), TriggerErrorKind::Parameter);
    assert_eq!(
        error.to_string(),
        "the parameter `count` has to be given; the parameter `deploy` takes `true` or `false`, not \
         `yes`; the parameter `suite` takes one of `quick`, `all`, not `quik` (did you mean `quick`?); \
         there is no parameter `cout` (did you mean `count`?)"
    );
    let Decision::Run(facts) = spec.decide(&event.argument("count", "-3")).unwrap() else {
        panic!("it runs");
    };
    let value = |name: &str| facts.variables[name].as_str();
    assert_eq!(
        (
            value("count"),
            value("deploy"),
            value("suite"),
            value("note")
        ),
        ("-3", "false", "quick", "")
    );
}

#[test]
fn only_documentation_is_every_path_and_nothing_is_only_documentation() {
    let paths = |list: &[&str]| {
        list.iter()
            .map(|path| (*path).to_owned())
            .collect::<Vec<_>>()
    };
    assert!(
        only_matches(
            &paths(&["README.md", "a/b/LICENSE-MIT", "docs/x.py"]),
            &DOCUMENTATION
        )
        .unwrap()
    );
    assert!(!only_matches(&paths(&["README.md", "src/docs/x.py"]), &DOCUMENTATION).unwrap());
    assert!(only_matches(&[], &DOCUMENTATION).unwrap());
    assert!(only_matches(&[], &["["]).is_err());
}

proptest! {
    #[test]
    fn filters_survive_their_file_form(words in prop::collection::vec("!?(/[a-z.+]{1,5}/|[a-z*/]{1,6}[a-z])", 0..6)) {
        let filter: NameFilter = words.iter().collect();
        let text = serde_json::to_string(&filter).unwrap();
        prop_assert_eq!(serde_json::from_str::<NameFilter>(&text).unwrap(), filter);
    }

    #[test]
    fn an_argument_reads_back_as_it_was(text in "\\PC{0,12}", number: i64, yes: bool) {
        let cases = [
            (Parameter::new(ParameterKind::String), text),
            (Parameter::new(ParameterKind::Integer), number.to_string()),
            (Parameter::new(ParameterKind::Boolean), yes.to_string()),
        ];
        for (parameter, typed) in cases {
            let parameters = BTreeMap::from([("p".to_owned(), parameter)]);
            let given = BTreeMap::from([("p".to_owned(), typed.clone())]);
            prop_assert_eq!(arguments(&parameters, &given).unwrap()["p"].to_string(), typed);
        }
    }
}
