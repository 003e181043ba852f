//! What an engine that died left behind is found and removed.

use std::process::{Command as Process, Stdio};

use super::*;
use crate::executor::ReapScope;

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
