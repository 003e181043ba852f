//! kill -9 of the engine at any instant, and `resume`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::support::{Project, job, processes_of, until};

/// A run of 200 jobs in 8 chains that cross, each of which writes down that it began and ended.
fn many_jobs() -> String {
    let mut text = "version: 1\nname: many\njobs:\n".to_owned();
    for index in 0..200u32 {
        let mut needs = Vec::new();
        if index >= 8 {
            needs.push(format!("j{}", index - 8));
            if index % 3 == 0 {
                needs.push(format!("j{}", index - 7));
            }
        }
        let _ = writeln!(
            text,
            "  j{index}:\n    needs: [{}]\n    steps:\n      - run: |\n          echo begin j{index} >> journal\n          sleep 0.01\n          echo end j{index} >> journal",
            needs.join(", ")
        );
    }
    text
}

fn count(journal: &str, what: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in journal.lines() {
        if let Some(name) = line.strip_prefix(what) {
            *counts.entry(name.trim().to_owned()).or_default() += 1;
        }
    }
    counts
}

/// The jobs that the store says have ended well.
fn ended(project: &Project, run: &str) -> BTreeSet<String> {
    let shown = project.ci(&["show", run, "--format", "json"]).ok().json();
    let jobs = shown["jobs"].as_array().expect("jobs").clone();
    jobs.iter()
        .filter(|job| job["outcome"] == "success")
        .map(|job| job["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// Kills the engine `after` its start, resumes, and checks that every job ended exactly as often as
/// it should.
fn killed_after(after: Duration) -> bool {
    let project = Project::new(&many_jobs());
    let mut engine = project.spawn(&["run", "--format", "json", "-j", "4"]);
    std::thread::sleep(after);
    engine.kill().expect("SIGKILL");
    let printed = engine.wait_with_output().expect("it is gone");
    if !project.store().is_file()
        || project.ci(&["runs", "--format", "json"]).ok().json()["total"] == 0
    {
        // Killed before the run was kept: nothing was begun and nothing reported.
        assert!(project.read("journal").is_empty());
        return true;
    }
    let kept = project.last_run();
    if kept["outcome"] == "success" {
        // The machine was quick: there is nothing to resume.
        return false;
    }
    let run = kept["id"].as_str().expect("a run has an id").to_owned();
    let before = ended(&project, &run);
    // What was reported is in the store.
    for line in String::from_utf8_lossy(&printed.stdout).lines() {
        let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        if event["type"] == "job_finished" {
            let name = event["job"].as_str().expect("a job");
            assert!(before.contains(name), "`{name}` was reported and is lost");
        }
    }
    let begun = count(&project.read("journal"), "begin");
    let resumed = project
        .ci(&["resume", &run, "--format", "json", "-j", "4"])
        .ok();
    let finished = resumed.finished();
    assert_eq!(finished["outcome"], "success");
    let journal = project.read("journal");
    let (begun_now, ended_now) = (count(&journal, "begin"), count(&journal, "end"));
    for index in 0..200 {
        let name = format!("j{index}");
        assert_eq!(job(&finished, &name)["outcome"], "success");
        assert!(
            ended_now.get(&name).is_some_and(|times| *times >= 1),
            "`{name}` was lost"
        );
        if before.contains(&name) {
            assert_eq!(begun.get(&name), begun_now.get(&name), "`{name}` ran again");
        }
    }
    assert_eq!(
        processes_of(&run),
        [0u32; 0],
        "processes of the run are left"
    );
    true
}

/// Kills the engine at ten instants spread over the length of a run, as this machine does it now.
fn killed_at_ten_instants(part: u32) {
    let project = Project::new(&many_jobs());
    let begun = Instant::now();
    project.ci(&["run", "-q", "-j", "4"]).ok();
    let length = begun.elapsed();
    let mut hit = 0;
    for index in 0..10 {
        // A simple sequence, so that a failure can be repeated.
        let thousandth = ((part * 10 + index) * 7919 + 131) % 1000;
        hit += u32::from(killed_after(length * thousandth / 1000));
    }
    assert!(hit >= 5, "only {hit} of 10 instants were before the end");
}

#[test]
fn resumes_after_kill_9_at_50_instants_a() {
    killed_at_ten_instants(0);
}

#[test]
fn resumes_after_kill_9_at_50_instants_b() {
    killed_at_ten_instants(1);
}

#[test]
fn resumes_after_kill_9_at_50_instants_c() {
    killed_at_ten_instants(2);
}

#[test]
fn resumes_after_kill_9_at_50_instants_d() {
    killed_at_ten_instants(3);
}

#[test]
fn resumes_after_kill_9_at_50_instants_e() {
    killed_at_ten_instants(4);
}

#[test]
fn a_killed_engine_leaves_processes_and_resume_ends_them_first() {
    let project = Project::new(
        "version: 1\nname: daemon\njobs:\n  serve:\n    steps:\n      - run: |\n          echo $$ >> pids\n          (setsid sleep 300 & echo $! >> pids)\n          [ -f go ] || sleep 300\n",
    );
    let mut engine = project.spawn(&["run", "-q"]);
    until("both processes run", || {
        project.read("pids").lines().count() == 2
    });
    let run = project.last_id();
    engine.kill().expect("SIGKILL");
    engine.wait().expect("it is gone");
    assert!(
        !processes_of(&run).is_empty(),
        "nothing was left to clean up: the test shows nothing"
    );
    project.write("go", "");
    project.ci(&["resume", &run, "-q"]).ok();
    assert_eq!(processes_of(&run), [0u32; 0]);
}

#[test]
fn a_run_that_lives_cannot_be_resumed() {
    let project = Project::new(
        "version: 1\nname: slow\njobs:\n  slow:\n    steps:\n      - run: touch begun; sleep 300\n",
    );
    let mut engine = project.spawn(&["run", "-q"]);
    until("the job runs", || project.path().join("begun").exists());
    let run = project.last_id();
    project.ci(&["resume", &run]).exits(2);
    project.ci(&["cancel", &run]).ok();
    assert_eq!(engine.wait().expect("it ends").code(), Some(1));
    assert_eq!(processes_of(&run), [0u32; 0]);
    assert_eq!(project.last_run()["outcome"], "canceled");
}
