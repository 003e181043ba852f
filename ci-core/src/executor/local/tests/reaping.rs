//! What an engine that died left behind is found and removed.

use std::process::{Command as Process, Stdio};

use super::*;
use crate::executor::ReapScope;
use crate::executor::local::env;

const DIR: &str = "CI_CORE_TEST_DIR";

/// Not a test but the engine that dies in the tests below, which run this binary again for it.
#[tokio::test]
#[ignore = "run by the tests below"]
async fn engine_that_dies() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else {
        return;
    };
    let (job, env, run_id) = (JobSpec::new("job"), BTreeMap::new(), RunId::new());
    let executor = LocalExecutor::new().root(dir.join("root"));
    let mut request = PrepareRequest::new(run_id, &job, &env);
    request.project_dir = Some(dir.clone());
    let session = executor.prepare(request).await.unwrap();
    let script = "touch ~/file; trap '' HUP; echo $$ > plain; \
                  setsid sh -c 'echo $$ > daemon; exec sleep 600' & \
                  while [ ! -s daemon ]; do sleep 0.01; done; \
                  grep -q ci-core- /proc/self/cgroup || sleep 0.4; touch ready; sleep 600";
    let die = async {
        eventually("a ready job", || dir.join("ready").exists().then_some(())).await;
        fs::write(dir.join("run"), format!("{run_id}\n")).unwrap();
        std::process::abort();
    };
    let _ = tokio::join!(run(&*session, Command::sh(script)), die);
}

/// A directory in which an engine died, with the processes it left.
async fn wreck() -> (tempfile::TempDir, RunId, Vec<i32>) {
    let dir = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    let status = Process::new(this)
        .args(["executor::local::tests::reaping::engine_that_dies"])
        .args(["--exact", "--ignored"])
        .env(DIR, dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    let run = fs::read_to_string(dir.path().join("run")).unwrap();
    let mut pids = Vec::new();
    for name in ["plain", "daemon"] {
        let pid = pid_in(&dir.path().join(name)).await;
        assert!(lives(pid));
        pids.push(pid);
    }
    (dir, run.trim_end().parse().unwrap(), pids)
}

fn left_in(dir: &Path) -> usize {
    let entries = fs::read_dir(dir.join("root")).unwrap();
    entries
        .filter(|it| it.as_ref().unwrap().path().is_dir())
        .count()
}

#[tokio::test]
async fn a_run_is_reaped_by_its_id() {
    let (dir, run, pids) = wreck().await;
    let executor = LocalExecutor::new().root(dir.path().join("root"));
    let other = executor.reap(&ReapScope::Run(RunId::new())).await.unwrap();
    assert_eq!(other, crate::executor::ReapReport::default());
    let report = executor.reap(&ReapScope::Run(run)).await.unwrap();
    assert!(report.left.is_empty(), "{report:?}");
    for pid in pids {
        assert!(!lives(pid));
        let words = format!("process {pid} ");
        assert!(
            report.removed.iter().any(|it| it.contains(&words)),
            "{report:?}"
        );
    }
    assert_eq!(left_in(dir.path()), 0, "{report:?}");
}

#[tokio::test]
async fn abandoned_runs_are_reaped_and_living_ones_are_not() {
    let (dir, _, pids) = wreck().await;
    let executor = LocalExecutor::new().root(dir.path().join("root"));
    let (job, env) = (JobSpec::new("job"), BTreeMap::new());
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    let session = executor.prepare(request).await.unwrap();
    sh(&*session, "sleep 600 >/dev/null 2>&1 & echo $! > pid").await;
    let living = pid_in(&Path::new(&session.info().work_dir).join("pid")).await;
    let another = LocalExecutor::new().root(dir.path().join("root"));
    let report = another.reap(&ReapScope::Abandoned).await.unwrap();
    assert!(report.left.is_empty(), "{report:?}");
    assert!(pids.into_iter().all(|pid| !lives(pid)));
    assert!(lives(living));
    assert_eq!(left_in(dir.path()), 1);
    session.teardown().await.unwrap();
    assert!(!lives(living));
}

/// The directory of a run whose engine died.
fn dead_run(root: &Path) -> (RunId, PathBuf) {
    let run = RunId::new();
    let id = run.to_string();
    let dir = root.join(id.rsplit('-').next().unwrap());
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("owner"), format!("run {run}\npid 1\n")).unwrap();
    fs::create_dir(dir.join("0")).unwrap();
    (run, dir)
}

/// A directory that can be an executor's root.
fn private() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(dir.path(), mode).unwrap();
    dir
}

#[tokio::test]
async fn another_run_goes_on_while_the_processes_of_one_are_ended() {
    let (root, words) = (private(), tempfile::tempdir().unwrap());
    let (one, another) = (dead_run(root.path()), dead_run(root.path()));
    let mut stubborn = Process::new("sh")
        .args([
            "-c",
            "trap 'touch asked' TERM; touch ready; while [ -e ready ]; do sleep 0.01; done",
        ])
        .env(env::COMMAND, env::Marker::new(one.0).of_command(1))
        .current_dir(words.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let there = |name: &str| words.path().join(name).exists().then_some(());
    eventually("a process", || there("ready")).await;

    let patient = LocalExecutor::new().root(root.path());
    let patient = patient.grace(Duration::from_mins(1));
    let reaping = tokio::spawn(async move { patient.reap(&ReapScope::Run(one.0)).await });
    eventually("a request to end", || there("asked")).await;
    let executor = LocalExecutor::new().root(root.path()).isolated();
    let (job, env) = (JobSpec::new("job"), BTreeMap::new());
    let session = executor.prepare(PrepareRequest::new(another.0, &job, &env));
    let session = session.await.unwrap();
    assert!(!reaping.is_finished());

    stubborn.kill().unwrap();
    stubborn.wait().unwrap();
    let report = reaping.await.unwrap().unwrap();
    assert!(report.left.is_empty(), "{report:?}");
    assert!(!one.1.exists());
    assert!(another.1.join("0/work").is_dir());
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn a_removal_that_was_broken_off_is_completed() {
    let root = private();
    let executor = LocalExecutor::new().root(root.path());
    for all in [true, false] {
        let (run, dir) = dead_run(root.path());
        let aside = dir.with_extension("gone3");
        fs::rename(&dir, &aside).unwrap();
        let scope = if all {
            ReapScope::Abandoned
        } else {
            let others = executor.reap(&ReapScope::Run(RunId::new())).await.unwrap();
            assert_eq!(others, crate::executor::ReapReport::default());
            ReapScope::Run(run)
        };
        let report = executor.reap(&scope).await.unwrap();
        assert_eq!(report.removed, [format!("directory `{}`", aside.display())]);
        assert!(!aside.exists());
    }
}
