//! Every workflow that can be written is read back as it was.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::{btree_map, hash_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::job::{
    AllowFailure, Condition, FailureClass, GroupUse, JobOptions, JobSpec, Matrix, Need, Pattern,
    RetryOn, ServiceSpec, Start,
};
use crate::outcome::{OutcomeKind, OutcomeSet};
use crate::session::Program;
use crate::step::{
    Action, ApprovalSpec, CacheLookup, CheckoutSpec, CommandSpec, CustomSpec, PathsSpec,
    RestoreCacheSpec, SaveCacheSpec, StepSpec, StepWhen, WaitProbe, WaitSpec, WorkspaceSpec,
};
use crate::workflow::{Budget, OverBudget, WorkflowSpec};

/// Any text, and often one that YAML could take for something else.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z]{1,6}",
        1 => prop::sample::select(&["", "true", "no", "~", "null", "1e3", "0x1f", "- a", "a: b", "#", "<<", "'", "\"", " a ", "a\nb\n", "1h"][..])
            .prop_map(str::to_owned),
        1 => "[ -~\\n\\täß€🦀]{0,8}",
    ]
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..3)
}

fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(text(), text(), 0..3)
}

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0u64..100_000).prop_map(Duration::from_secs),
        (0u64..u64::MAX, 0u32..1_000_000_000).prop_map(|(s, n)| Duration::new(s, n)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(text(), inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn pattern() -> impl Strategy<Value = Pattern> {
    (0..3, text()).prop_map(|(kind, text)| match kind {
        0 => Pattern::Is(text),
        1 => Pattern::Glob(text),
        _ => Pattern::Regex(text),
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        pattern().prop_map(Condition::Branch),
        pattern().prop_map(Condition::Tag),
        texts().prop_map(Condition::Changed),
        (text(), pattern()).prop_map(|(name, matches)| Condition::Variable { name, matches }),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Condition::All),
            vec(inner.clone(), 0..3).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn paths() -> impl Strategy<Value = PathsSpec> {
    (texts(), texts(), option::of(text())).prop_map(|(paths, exclude, destination)| PathsSpec {
        paths,
        exclude,
        destination,
    })
}

fn command() -> impl Strategy<Value = CommandSpec> {
    let program = prop_oneof![
        (texts(), text()).prop_map(|(shell, script)| Program::Shell { shell, script }),
        texts().prop_map(Program::Argv),
    ];
    let words = (option::of(text()), option::of(text()));
    (program, words, any::<bool>()).prop_map(|(program, (dir, image), background)| CommandSpec {
        program,
        dir,
        background,
        image,
    })
}

fn checkout() -> impl Strategy<Value = CheckoutSpec> {
    let places = (option::of(text()), option::of(text()), option::of(text()));
    (places, any::<bool>(), option::of(any::<u32>())).prop_map(
        |((source, revision, path), submodules, depth)| CheckoutSpec {
            source,
            revision,
            path,
            submodules,
            depth,
        },
    )
}

fn wait() -> impl Strategy<Value = WaitSpec> {
    let probe = (0..3, text()).prop_map(|(kind, text)| match kind {
        0 => WaitProbe::Tcp(text),
        1 => WaitProbe::Http(text),
        _ => WaitProbe::Command(text),
    });
    (probe, time(), time()).prop_map(|(probe, deadline, interval)| WaitSpec {
        probe,
        deadline,
        interval,
    })
}

fn action() -> impl Strategy<Value = Action> {
    let lookup = prop::sample::select(vec![
        CacheLookup::ExactFirst,
        CacheLookup::NewestByPrefix,
        CacheLookup::ExactOnly,
    ]);
    let workspace = || {
        (text(), texts(), texts(), texts()).prop_map(|(root, paths, exclude, from)| WorkspaceSpec {
            root,
            paths,
            exclude,
            from,
        })
    };
    prop_oneof![
        4 => command().prop_map(Action::Run),
        1 => checkout().prop_map(Action::Checkout),
        1 => (texts(), lookup)
            .prop_map(|(keys, lookup)| Action::RestoreCache(RestoreCacheSpec { keys, lookup })),
        1 => (text(), texts())
            .prop_map(|(key, paths)| Action::SaveCache(SaveCacheSpec { key, paths })),
        1 => workspace().prop_map(Action::PersistWorkspace),
        1 => workspace().prop_map(Action::AttachWorkspace),
        1 => paths().prop_map(Action::StoreArtifacts),
        1 => paths().prop_map(Action::StoreTestResults),
        1 => paths().prop_map(Action::StoreCoverage),
        1 => paths().prop_map(Action::StoreMetrics),
        1 => paths().prop_map(Action::StoreFindings),
        1 => wait().prop_map(Action::WaitFor),
        1 => (option::of(text()), option::of(time()))
            .prop_map(|(prompt, deadline)| Action::Approval(ApprovalSpec { prompt, deadline })),
        1 => (text(), value()).prop_map(|(step, with)| Action::Custom(CustomSpec { step, with })),
    ]
}

fn step() -> impl Strategy<Value = StepSpec> {
    let when = prop::sample::select(vec![
        StepWhen::OnSuccess,
        StepWhen::OnFail,
        StepWhen::Always,
    ]);
    let limits = (option::of(time()), option::of(time()));
    (
        option::of(text()),
        action(),
        when,
        limits,
        (option::of(text()), any::<bool>()),
        map(),
    )
        .prop_map(
            |(name, action, when, (timeout, no_output_timeout), (skip_if, allow_failure), env)| {
                StepSpec {
                    name: name.map(Into::into),
                    action,
                    when,
                    timeout,
                    no_output_timeout,
                    skip_if,
                    allow_failure,
                    env,
                }
            },
        )
}

fn need() -> impl Strategy<Value = Need> {
    let kinds = prop::sample::subsequence(OutcomeKind::ALL.to_vec(), 0..=9);
    let accept = prop_oneof![
        Just(OutcomeSet::SUCCESS),
        Just(OutcomeSet::ANY),
        kinds.prop_map(|kinds| OutcomeSet::of(&kinds)),
    ];
    (text(), accept, any::<bool>()).prop_map(|(job, accept, optional)| Need {
        job: job.into(),
        accept,
        optional,
    })
}

fn group() -> impl Strategy<Value = GroupUse> {
    (text(), 0u32..4).prop_map(|(name, limit)| GroupUse::counted(name, limit))
}

fn start() -> impl Strategy<Value = Start> {
    prop_oneof![
        Just(Start::Auto),
        time().prop_map(Start::Delayed),
        (option::of(text()), any::<bool>(), option::of(time())).prop_map(
            |(prompt, optional, deadline)| Start::Manual {
                prompt,
                optional,
                deadline
            }
        ),
    ]
}

fn matrix() -> impl Strategy<Value = Matrix> {
    let dimensions = btree_map(text(), texts(), 0..3);
    (dimensions, vec(map(), 0..2), vec(map(), 0..2)).prop_map(|(dimensions, exclude, include)| {
        Matrix {
            // Not in alphabetical order: the order has to be kept.
            dimensions: dimensions.into_iter().rev().collect(),
            exclude,
            include,
        }
    })
}

fn retry_on() -> impl Strategy<Value = RetryOn> {
    prop_oneof![
        Just(RetryOn::Class(FailureClass::Infrastructure)),
        any::<i32>().prop_map(RetryOn::ExitCode),
        any::<i32>().prop_map(RetryOn::Signal),
    ]
}

/// Sets one of the options.
struct Change(Box<dyn Fn(&mut JobOptions)>);

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options = JobOptions::default();
        (self.0)(&mut options);
        options.fmt(f)
    }
}

fn change() -> impl Strategy<Value = Change> {
    fn to<T: fmt::Debug + Clone + 'static>(
        values: impl Strategy<Value = T> + 'static,
        set: impl Fn(&mut JobOptions, T) + Copy + 'static,
    ) -> BoxedStrategy<Change> {
        values
            .prop_map(move |value| Change(Box::new(move |options| set(options, value.clone()))))
            .boxed()
    }
    let service = (text(), texts(), map(), texts(), texts()).prop_map(
        |(image, aliases, env, entrypoint, command)| ServiceSpec {
            image,
            aliases,
            env,
            entrypoint,
            command,
        },
    );
    let backoff = (time(), any::<f64>(), time(), any::<f64>());
    let allow = prop_oneof![
        Just(AllowFailure::Always),
        vec(any::<i32>(), 0..3).prop_map(AllowFailure::ExitCodes)
    ];
    prop::strategy::Union::new([
        to(map(), |o, v| o.env = v),
        to(texts(), |o, v| o.contexts = v),
        to(text(), |o, v| o.requires.executor = Some(v)),
        to(text(), |o, v| o.requires.image = Some(v)),
        to(vec(service, 0..3), |o, v| o.requires.services = v),
        to(text(), |o, v| o.requires.resource_class = Some(v)),
        to(texts(), |o, v| o.requires.labels = v),
        to(text(), |o, v| o.requires.platform = Some(v)),
        to(any::<u32>(), |o, v| o.requires.cpu_milli = Some(v)),
        to(any::<u32>(), |o, v| o.requires.memory_mib = Some(v)),
        to(texts(), |o, v| o.shell = v),
        to(text(), |o, v| o.working_dir = Some(v)),
        to(condition(), |o, v| o.condition = Some(v)),
        to(start(), |o, v| o.start = v),
        to(any::<bool>(), |o, v| o.always = v),
        to(any::<bool>(), |o, v| o.only_after_failure = v),
        to(allow, |o, v| o.allow_failure = v),
        to(any::<u32>(), |o, v| o.retry.max = v),
        to(backoff, |o, (initial, factor, limit, jitter)| {
            o.retry.backoff.initial = initial;
            o.retry.backoff.factor = factor;
            o.retry.backoff.limit = limit;
            o.retry.backoff.jitter = jitter;
        }),
        to(vec(retry_on(), 0..3), |o, v| o.retry.on = v),
        to(time(), |o, v| o.timeouts.job = Some(v)),
        to(time(), |o, v| o.timeouts.step = Some(v)),
        to(time(), |o, v| o.timeouts.no_output = Some(v)),
        to(vec(group(), 0..3), |o, v| o.groups = v),
        to(any::<i32>(), |o, v| o.priority = v),
        to(matrix(), |o, v| o.matrix = Some(v)),
        to(any::<u32>(), |o, v| o.parallelism = Some(v)),
        to(text(), |o, v| o.stage = Some(v.into())),
        to(any::<bool>(), |o, v| o.private_home = Some(v)),
        to((any::<Option<bool>>(), texts()), |o, (fail, quarantine)| {
            o.reports.fail_on_failed_tests = fail;
            o.reports.quarantine = quarantine;
        }),
        to((0.0..=100.0, text()), |o, (percent, text)| {
            o.reports.coverage.lines = Some(percent);
            o.reports.coverage.base = Some(text.clone());
            o.reports.coverage_pattern = Some(text);
        }),
        to((text(), any::<u32>()), |o, (name, limit)| {
            let rule = json!({"name": name, "better": "higher", "limit": limit, "regression": 5.5});
            o.reports.metrics.values = vec![serde_json::from_value(rule).unwrap()];
            o.reports.findings.baseline = Some(name);
        }),
        to(btree_map(text(), value(), 0..3), |o, v| o.extra = v),
    ])
}

fn job() -> impl Strategy<Value = JobSpec> {
    let options = vec(change(), 0..4).prop_map(|changes| {
        let mut options = JobOptions::default();
        for change in &changes {
            (change.0)(&mut options);
        }
        options
    });
    (vec(need(), 0..3), vec(step(), 0..3), options).prop_map(|(needs, steps, options)| {
        let job = JobSpec::new("").steps(steps).needs_all(needs);
        job.with(|all| *all = options)
    })
}

fn workflow() -> impl Strategy<Value = WorkflowSpec> {
    let over = prop::sample::select(vec![OverBudget::Warn, OverBudget::Fail]);
    let budget = (text(), time(), over).prop_map(|(stage, limit, over)| Budget {
        stage: stage.into(),
        limit,
        over,
    });
    let named = (hash_set(text(), 0..4), vec(job(), 4)).prop_map(|(names, jobs)| {
        let named = names.into_iter().zip(jobs).map(|(name, mut job)| {
            job.name = name.into();
            job
        });
        Arc::new(named.collect())
    });
    let rest = (
        option::of(time()),
        any::<bool>(),
        vec(budget, 0..3),
        option::of(group()),
    );
    (text(), named, map(), rest).prop_map(
        |(name, jobs, env, (timeout, fail_fast, budgets, group))| WorkflowSpec {
            name: name.into(),
            jobs,
            env,
            timeout,
            fail_fast,
            budgets,
            group,
        },
    )
}

proptest! {
    #[test]
    fn json_loses_nothing(spec in workflow()) {
        let json = spec.to_json().expect("JSON");
        let read = WorkflowSpec::from_json(&json);
        prop_assert_eq!(read.expect(&json), spec);
    }

    /// JSON is YAML: the reader of the one has to find the same in the text of the other.
    #[cfg(feature = "yaml")]
    #[test]
    fn the_yaml_reader_agrees_with_the_json_reader(spec in workflow()) {
        let json = spec.to_json().expect("JSON");
        let read = WorkflowSpec::from_yaml(&json);
        prop_assert_eq!(read.expect(&json), spec);
    }

    #[cfg(feature = "yaml")]
    #[test]
    fn yaml_loses_nothing(spec in workflow()) {
        let yaml = spec.to_yaml().expect("YAML");
        let read = WorkflowSpec::from_yaml(&yaml);
        prop_assert_eq!(read.expect(&yaml), spec);
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in "[ -~\\n]{0,60}") {
        let _ = WorkflowSpec::from_json(&text);
        #[cfg(feature = "yaml")]
        let _ = WorkflowSpec::from_yaml(&text);
    }
}
