//! Finds every key of a job that does not do all that it says.

use super::fidelity::OF_JOBS;
use super::jobs::Job;
use super::notes::Notes;
use crate::config::fidelity::{Level, Row};
use crate::yaml::{Map, Node};

use Level::{Approximated, Ignored};

/// Keys within keys: the path, the fidelity, why.
const WITHIN: &[(&[&str], Level, &str)] = &[
    (
        &["image", "entrypoint"],
        Ignored,
        "the executor starts the container in its own way",
    ),
    (&["image", "kubernetes"], Ignored, "no cluster runs the job"),
    (
        &["image", "docker", "user"],
        Ignored,
        "the executor chooses the user",
    ),
    (
        &["image", "pull_policy"],
        Ignored,
        "the executor chooses when to pull",
    ),
    (
        &["image", "ports"],
        Ignored,
        "no web terminal reaches the job",
    ),
    (
        &["services", "docker"],
        Ignored,
        "the executor chooses platform and user",
    ),
    (
        &["services", "kubernetes"],
        Ignored,
        "no cluster runs the job",
    ),
    (
        &["services", "pull_policy"],
        Ignored,
        "the executor chooses when to pull",
    ),
    (
        &["services", "ports"],
        Ignored,
        "no web terminal reaches the job",
    ),
    (
        &["cache", "untracked"],
        Ignored,
        "only named paths are cached",
    ),
    (
        &["cache", "unprotect"],
        Ignored,
        "branches share their caches",
    ),
    (
        &["cache", "key", "files_commits"],
        Approximated,
        "the contents of the files are hashed, not their commits",
    ),
    (
        &["artifacts", "untracked"],
        Ignored,
        "only named paths are kept",
    ),
    (
        &["artifacts", "name"],
        Ignored,
        "artifacts are kept as files, not as one archive",
    ),
    (
        &["artifacts", "expire_in"],
        Ignored,
        "artifacts stay as long as the run is kept",
    ),
    (
        &["artifacts", "expose_as"],
        Ignored,
        "there is no merge request to show them in",
    ),
    (
        &["artifacts", "public"],
        Ignored,
        "files of this machine have its access rights",
    ),
    (
        &["artifacts", "access"],
        Ignored,
        "files of this machine have its access rights",
    ),
    (
        &["artifacts", "exclude"],
        Approximated,
        "left out of what is kept, not of what later jobs get",
    ),
    (
        &["artifacts", "reports", "dotenv"],
        Approximated,
        "the variables are there in the scripts of later jobs, not in their other keys",
    ),
    (
        &["environment", "on_stop"],
        Ignored,
        "no deployment is recorded that could be stopped",
    ),
    (
        &["environment", "auto_stop_in"],
        Ignored,
        "no deployment is recorded that could be stopped",
    ),
    (
        &["environment", "kubernetes"],
        Ignored,
        "no deployment is recorded",
    ),
    (
        &["needs", "pipeline"],
        Ignored,
        "the jobs of another pipeline are not here",
    ),
    (
        &["needs", "project"],
        Ignored,
        "the artifacts of another project are not here",
    ),
    (
        &["rules", "interruptible"],
        Ignored,
        "no newer pipeline cancels a local run",
    ),
    (
        &["rules", "auto_cancel"],
        Ignored,
        "no newer pipeline cancels a local run",
    ),
    (
        &["only", "kubernetes"],
        Approximated,
        "no cluster is ever active",
    ),
    (
        &["except", "kubernetes"],
        Approximated,
        "no cluster is ever active",
    ),
];

/// Reports what a job does not do here.
pub(super) fn job(job: &Job, notes: &mut Notes) {
    for (key, fidelity, why) in OF_JOBS {
        if let Some(entry) = job.map.entry(key) {
            notes.of_job(*fidelity, &entry.key, &job.name, key, *why);
        }
    }
    for (path, fidelity, why) in WITHIN {
        for mark in places(&job.map, path) {
            notes.of_job(*fidelity, &mark, &job.name, &path.join(":"), *why);
        }
    }
    if let Some(entry) = job.map.entry("after_script") {
        let why = "it does not run after a cancellation";
        notes.of_job(Approximated, &entry.key, &job.name, "after_script", why);
    }
    if let Some(entry) = job.map.entry("cache") {
        let why = "each save is a version of its own, and the newest is brought back";
        notes.of_job(Approximated, &entry.key, &job.name, "cache", why);
    }
    trigger(job, notes);
    retry(job, notes);
}

fn trigger(job: &Job, notes: &mut Notes) {
    if let Some(entry) = job.map.entry("trigger") {
        let (fidelity, why) = match super::children::includes(&entry.node) {
            Some(_) => (
                Approximated,
                "the jobs of the child pipeline are jobs of this run, named after this one",
            ),
            None => (
                Ignored,
                "no other pipeline is started; the job succeeds at once",
            ),
        };
        notes.of_job(fidelity, &entry.key, &job.name, "trigger", why);
    }
}

fn retry(job: &Job, notes: &mut Notes) {
    let Some(when) = job.map.get("retry").and_then(|retry| retry.get("when")) else {
        return;
    };
    let known = [
        "always",
        "script_failure",
        "stuck_or_timeout_failure",
        "job_execution_timeout",
    ];
    for node in when.as_seq().unwrap_or(std::slice::from_ref(when)) {
        let word = node.as_str().unwrap_or_default();
        if !known.contains(&word) {
            let why = format!("`{word}` means any failure of the machine or the engine");
            notes.of_job(Approximated, &node.mark, &job.name, "retry:when", why);
        }
    }
}

/// Where a path of keys stands, in the items of lists too.
fn places(map: &Map, path: &[&str]) -> Vec<crate::yaml::Mark> {
    let [first, between @ .., last] = path else {
        return Vec::new();
    };
    let mut nodes: Vec<&Node> = map.get(first).into_iter().flat_map(items).collect();
    for key in between {
        nodes = nodes
            .into_iter()
            .filter_map(|node| node.get(key))
            .flat_map(items)
            .collect();
    }
    let keys = nodes.iter().filter_map(|node| node.as_map()?.entry(last));
    keys.map(|entry| entry.key.clone()).collect()
}

fn items(node: &Node) -> &[Node] {
    node.as_seq().unwrap_or(std::slice::from_ref(node))
}

/// Reports what the file as a whole does not do here.
pub(super) fn file(root: &Map, notes: &mut Notes) {
    let workflow = root.get("workflow");
    let cancel = workflow.and_then(|workflow| workflow.get("auto_cancel")?.as_map());
    if let Some(entry) = cancel.and_then(|cancel| cancel.entry("on_new_commit")) {
        let why = "no newer pipeline cancels a local run";
        let key = "workflow:auto_cancel:on_new_commit";
        notes.row(Row::new(Ignored, &entry.key, key, why));
    }
    if let Some(default) = root.get("default").and_then(Node::as_map)
        && let Some(entry) = default.entry("timeout")
    {
        notes.row(Row::new(
            Approximated,
            &entry.key,
            "default:timeout",
            "it limits every job here; GitLab ignores it",
        ));
    }
}
