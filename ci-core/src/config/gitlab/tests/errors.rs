//! What is refused, and in which words.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{bad, load};

#[test]
fn messages_name_the_place_and_what_was_meant() {
    for (text, expected) in [
        (
            "a: {scirpt: x}",
            "1:1: jobs:a: config should implement the script:, run:, or trigger: keyword\n1:5: jobs:a: config contains unknown keys: `scirpt`\n  hint: did you mean `script`?",
        ),
        (
            "a: {script: x, stage: tset}",
            "1:23: jobs:a: chosen stage `tset` does not exist; available stages are .pre, build, test, deploy, .post\n  hint: did you mean `test`?",
        ),
        (
            "a: {script: {x: 1}}",
            "1:13: jobs:a:script: config should be a string or a nested array of strings up to 10 levels deep, not a map",
        ),
        (
            "a: {script: x, artifacts: {path: [y]}}",
            "1:28: jobs:a:artifacts: config contains unknown keys: `path`\n  hint: did you mean `paths`?",
        ),
        (
            "a: {script: x, when: alway}",
            "1:22: jobs:a:when: config should be one of: on_success, on_failure, always, manual, delayed\n  hint: did you mean `always`?",
        ),
        (
            "a: {script: x, rules: [{if: '$A =='}]}",
            "1:29: jobs:a:rules:rule: if invalid expression syntax: `==` has nothing on its right",
        ),
        (
            "a: {script: x, rules: [{when: always}], only: [main]}",
            "1:16: jobs:a: config key may not be used with `rules`: only",
        ),
        (
            "a: {script: x, trigger: g/p}",
            "1:5: jobs:a: `script` cannot stand beside `trigger`",
        ),
        (
            "a: {script: x, timeout: soon}",
            "1:25: jobs:a:timeout: config should be a duration\n  hint: write it as in `3h 30m` or `90 minutes`",
        ),
        (
            "a: {script: x, parallel: 201}",
            "1:26: jobs:a:parallel: config should be a number from 1 to 200",
        ),
        (
            "a: {script: x, coverage: '\\d'}",
            "1:26: jobs:a:coverage: config must be a regular expression between slashes",
        ),
        (
            "a: {script: x, when: delayed}",
            "1:1: jobs:a: `when: delayed` needs `start_in`",
        ),
        (
            ".a: {script: x}",
            "1:1: jobs config should contain at least one visible job",
        ),
        (
            "a: 1",
            "1:4: jobs:a: config should be a hash, not an integer",
        ),
        ("[a]", "1:1: a configuration has to be a map, not a list"),
        (
            "a: {script: x, dependencies: [b]}",
            "1:31: jobs:a:dependencies: undefined dependency: `b`",
        ),
        (
            "a: {script: []}",
            "1:1: jobs:a: config should implement the script:, run:, or trigger: keyword",
        ),
        (
            "a: {script: x, when: never}",
            "1:22: jobs:a:when: config should be one of: on_success, on_failure, always, manual, delayed\n  hint: `never` can only be used in rules",
        ),
        (
            "a: {script: x, cache: {paths: [y], key: {files: [a, b, c]}}}",
            "1:49: jobs:a:cache:key:files: config has too many items (maximum is 2)",
        ),
    ] {
        assert_eq!(bad(text), expected, "{text}");
    }
}

#[test]
fn a_matrix_has_two_hundred_jobs_at_most() {
    let values: Vec<String> = (0..15).map(|number| number.to_string()).collect();
    let list = values.join(", ");
    let text = format!("a: {{script: x, parallel: {{matrix: [{{A: [{list}], B: [{list}]}}]}}}}");
    assert!(bad(&text).contains("generates too many jobs (maximum is 200)"));
}

#[test]
fn few_lines_cannot_stand_for_endless_work() {
    let lines = vec!["- x"; 40_000].join("\n");
    let mut text = format!(".base:\n  script:\n{}\n", lines.replace("- x", "  - x"));
    for job in 0..120 {
        let _ = writeln!(text, "j{job}: {{extends: .base}}");
    }
    assert!(bad(&text).contains("the jobs stand for more than 4000000 values"));
    let mut text = String::from("stages: [one, two]\n");
    for job in 0..24 {
        let stage = if job < 12 { "one" } else { "two" };
        let _ = writeln!(text, "j{job}: {{stage: {stage}, script: x, parallel: 200}}");
    }
    assert!(bad(&text).contains("in more than 4000000 ways"));
}

/// Pieces of configurations, put together at random.
fn yaml() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_owned()),
        Just("!reference [a, script]".to_owned()),
        Just("$A == \"b\"".to_owned()),
        Just("[a, b]".to_owned()),
        Just("3".to_owned()),
        Just("null".to_owned()),
        Just("manual".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let key = prop_oneof![
            Just("a"),
            Just(".b"),
            Just("script"),
            Just("rules"),
            Just("needs"),
            Just("if"),
            Just("when"),
            Just("extends"),
            Just("parallel"),
            Just("matrix"),
            Just("variables"),
            Just("stages"),
            Just("include"),
            Just("workflow"),
            Just("default"),
            Just("artifacts"),
            Just("cache"),
            Just("changes"),
            Just("inherit"),
            Just("image"),
            Just("services"),
            Just("only"),
            Just("spec"),
            Just("job"),
            Just("environment"),
            Just("retry"),
            Just("local"),
            Just("trigger"),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            proptest::collection::vec((key, inner), 0..5).prop_map(|entries| {
                let entries: Vec<String> = entries
                    .into_iter()
                    .map(|(key, value)| format!("{key}: {value}"))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_configuration_is_compiled_or_refused(text in yaml()) {
        if let Ok(compiled) = load(&text) {
            let _ = compiled.workflow();
        }
    }

    #[test]
    fn any_job_is_compiled_or_refused(job in yaml()) {
        if let Ok(compiled) = load(&format!("a: {job}\nz: {{script: x}}\n")) {
            let _ = compiled.workflow();
        }
    }
}
