//! `cache` and `artifacts` of a job as steps.

use super::container::text;
use super::predefined::slug;
use super::script::{DOTENV, keep_dotenv};
use super::variables::Env;
use crate::step::{Action, CacheLookup, RestoreCacheSpec, SaveCacheSpec, StepSpec, StepWhen};
use crate::yaml::Node;

/// The steps before and after the script.
#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) before: Vec<StepSpec>,
    pub(super) after: Vec<StepSpec>,
}

/// The steps of every cache of a job.
pub(super) fn caches(node: Option<&Node>, env: &Env) -> Around {
    let mut steps = Around::default();
    let Some(node) = node else {
        return steps;
    };
    for cache in node.as_seq().unwrap_or(std::slice::from_ref(node)) {
        let paths = texts(cache.get("paths"), env);
        if paths.is_empty() {
            continue;
        }
        let policy = cache
            .get("policy")
            .map(|node| text(node, env))
            .unwrap_or_default();
        let key = key(cache.get("key"), env);
        if policy != "push" {
            let mut keys = vec![prefix(&key)];
            keys.extend(
                texts(cache.get("fallback_keys"), env)
                    .iter()
                    .map(|key| prefix(key)),
            );
            if let Some(fallback) = env.get("CACHE_FALLBACK_KEY") {
                keys.push(prefix(fallback));
            }
            // A cache of GitLab is written anew each time; here each has a key of its own, and the
            // newest wins.
            let lookup = CacheLookup::NewestByPrefix;
            let spec = RestoreCacheSpec { keys, lookup };
            let step = StepSpec::new(Action::RestoreCache(spec)).name("restore cache");
            steps.before.push(step.allow_failure());
        }
        if policy != "pull" {
            let key = format!("{}{{{{ epoch }}}}", prefix(&key));
            let step = StepSpec::new(Action::SaveCache(SaveCacheSpec { key, paths }));
            steps.after.push(
                step.name("save cache")
                    .when(when(cache.get("when")))
                    .allow_failure(),
            );
        }
    }
    steps
}

/// What the keys of a cache's versions begin with.
fn prefix(key: &str) -> String {
    format!("gitlab/{key}/")
}

/// The key of a cache, as a template.
fn key(node: Option<&Node>, env: &Env) -> String {
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return "default".to_owned();
    };
    let Some(files) = node.get("files").or_else(|| node.get("files_commits")) else {
        let plain = node.get("prefix").unwrap_or(node);
        let key = plain_text(&text(plain, env));
        return if key.is_empty() {
            "default".to_owned()
        } else {
            key
        };
    };
    let files: Vec<String> = texts(Some(files), env)
        .iter()
        .filter(|path| !path.contains('"'))
        .map(|path| format!("\"{}\"", plain_text(path)))
        .collect();
    let sum = format!("{{{{ checksum {} }}}}", files.join(" "));
    match node.get("prefix") {
        Some(prefix) => format!("{}-{sum}", plain_text(&text(prefix, env))),
        None => sum,
    }
}

/// A text in which a template finds no place to fill.
fn plain_text(text: &str) -> String {
    text.replace("{{", "{ {")
}

fn when(node: Option<&Node>) -> StepWhen {
    match node.and_then(Node::as_str) {
        Some("always") => StepWhen::Always,
        Some("on_failure") => StepWhen::OnFail,
        _ => StepWhen::OnSuccess,
    }
}

/// Paths below the project, which is where the job starts.
fn texts(node: Option<&Node>, env: &Env) -> Vec<String> {
    let Some(node) = node.filter(|node| !node.is_null()) else {
        return Vec::new();
    };
    let nodes = node.as_seq().unwrap_or(std::slice::from_ref(node));
    let path = |node: &Node| {
        let path = text(node, env);
        let inside = path.strip_prefix("./").unwrap_or(&path);
        inside.trim_end_matches('/').to_owned()
    };
    nodes
        .iter()
        .map(path)
        .filter(|path| !path.is_empty())
        .collect()
}

/// The steps that keep the artifacts and reports of a job.
pub(super) fn artifacts(node: Option<&Node>, job: &str, env: &Env) -> Vec<StepSpec> {
    let mut steps = Vec::new();
    let Some(node) = node else {
        return steps;
    };
    let paths = texts(node.get("paths"), env);
    let when = when(node.get("when"));
    if !paths.is_empty() {
        let exclude = texts(node.get("exclude"), env);
        let mut keep = StepSpec::store_artifacts(paths.clone())
            .name("store artifacts")
            .when(when);
        if let Action::StoreArtifacts(spec) = &mut keep.action {
            spec.exclude.clone_from(&exclude);
        }
        steps.push(keep.allow_failure());
        let mut hand_on = StepSpec::persist_workspace(".", paths).name("hand artifacts on");
        if let Action::PersistWorkspace(spec) = &mut hand_on.action {
            spec.exclude = exclude;
        }
        steps.push(hand_on.when(when).allow_failure());
    }
    let Some(reports) = node.get("reports").and_then(Node::as_map) else {
        return steps;
    };
    for (kind, report) in reports.iter() {
        let files = match &**kind {
            "coverage_report" => texts(report.get("path"), env),
            _ if report.as_map().is_some() => continue,
            _ => texts(Some(report), env),
        };
        if files.is_empty() {
            continue;
        }
        // Reports are kept however the job ended.
        let step = match &**kind {
            "junit" => StepSpec::store_test_results(files).name("store test results"),
            "coverage_report" | "cobertura" => {
                StepSpec::store_coverage(files).name("store coverage")
            }
            "metrics" => StepSpec::store_metrics(files).name("store metrics"),
            "codequality"
            | "sast"
            | "dependency_scanning"
            | "secret_detection"
            | "container_scanning"
            | "dast"
            | "api_fuzzing"
            | "coverage_fuzzing"
            | "cluster_image_scanning"
            | "sarif" => StepSpec::store_findings(files).name(format!("store {kind} report")),
            "dotenv" => {
                let keep = StepSpec::run(keep_dotenv(&files, &dotenv_file(job)));
                steps.push(
                    keep.name("keep variables")
                        .when(StepWhen::Always)
                        .allow_failure(),
                );
                StepSpec::persist_workspace(".", [DOTENV]).name("hand variables on")
            }
            _ => StepSpec::store_artifacts(files).name(format!("store {kind} report")),
        };
        steps.push(step.when(StepWhen::Always).allow_failure());
    }
    steps
}

/// The file in which a job's dotenv report is handed on.
pub(super) fn dotenv_file(job: &str) -> String {
    format!("{}.env", slug(job))
}

/// Whether a job leaves something for those that fetch its artifacts: files, and variables.
pub(super) fn leaves(node: Option<&Node>) -> (bool, bool) {
    let has = |node: Option<&Node>| node.is_some_and(|node| !node.is_null());
    let paths = has(node.and_then(|node| node.get("paths")));
    let dotenv = has(node
        .and_then(|node| node.get("reports"))
        .and_then(|reports| reports.get("dotenv")));
    (paths || dotenv, dotenv)
}
