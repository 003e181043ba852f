//! kill -9 of the engine at any instant, and `resume`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Project, job, processes_of, until, until_within};

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

/// When the engine is killed.
#[derive(Debug, Clone, Copy)]
enum When {
    /// So long after its start, however far it is then.
    After(Duration),
    /// When its jobs have written down so many begins and ends.
    Lines(usize),
}

/// Kills the engine at an instant, resumes, and checks that every job ended exactly as often as it
/// should. Gives false if the run had ended before.
fn killed(when: When) -> bool {
    let project = Project::new(&many_jobs());
    // Into a file: an engine whose output nobody reads would stand still.
    let printed = project.path().join("printed");
    let mut engine = project
        .command(&["run", "--format", "json", "-j", "4"])
        .stdout(File::create(&printed).expect("created"))
        .stderr(Stdio::null())
        .spawn()
        .expect("ci starts");
    match when {
        When::After(time) => std::thread::sleep(time),
        When::Lines(lines) => {
            until_within(Duration::from_mins(2), "the jobs get that far", || {
                project.read("journal").lines().count() >= lines
                    || engine.try_wait().expect("a child").is_some()
            });
        }
    }
    engine.kill().expect("SIGKILL");
    engine.wait().expect("it is gone");
    let printed = std::fs::read(printed).expect("what it printed");
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
    for line in String::from_utf8_lossy(&printed).lines() {
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

/// Kills the engine at ten instants spread over a run. They are told by how far its jobs are and not by a
/// clock: how long a run takes differs too much on a busy machine.
fn killed_at_ten_instants(part: u32) {
    let mut hit = 0;
    for index in 0..10 {
        let when = if index < 2 {
            // Before any job: the store and the run are being made.
            When::After(Duration::from_millis(u64::from(part * 2 + index) * 10))
        } else {
            // A simple sequence, so that a failure can be repeated.
            let thousandth = ((part * 10 + index) * 7919 + 131) % 1000;
            let lines = 400 * thousandth / 1000;
            When::Lines(usize::try_from(lines).expect("a small number"))
        };
        hit += u32::from(killed(when));
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
