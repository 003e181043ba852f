//! Commands that a container's first process runs are like those that the engine runs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ci_core::executor::{Executor, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{Command, ExitStatus, Session, SessionErrorKind};
use ci_docker::DockerExecutor;
use support::{Log, Place};

/// A variable that no shell can export: a command with it is the engine's to run.
const BY_EXEC: &str = "by.exec";

async fn session(place: &Place) -> Box<dyn Session> {
    session_on(&place.executor()).await
}

async fn session_on(executor: &DockerExecutor) -> Box<dyn Session> {
    let (job, env) = (JobSpec::new("commands"), BTreeMap::new());
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    executor.prepare(request).await.unwrap()
}

/// What a script says and how it ends, run by the first process and by the engine.
async fn both(session: &dyn Session, script: &str) -> [(ExitStatus, String); 2] {
    let mut all = Vec::new();
    for command in [Command::sh(script), Command::sh(script).env(BY_EXEC, "1")] {
        let log = Log::default();
        let status = session.exec(&command, log.io()).await.unwrap();
        all.push((status, log.text()));
    }
    all.try_into().unwrap()
}

/// Who started a command: nobody in the container, if the engine did.
async fn parent(session: &dyn Session) -> String {
    let log = Log::default();
    let asked = session.exec(&Command::sh("echo $PPID"), log.io()).await;
    assert_eq!(asked.unwrap(), ExitStatus::Code(0));
    log.text().trim().to_owned()
}

#[tokio::test]
async fn a_command_gets_the_same_whoever_runs_it() {
    let Some(place) = support::place().await else {
        return;
    };
    let session = session(&place).await;
    for script in [
        "env | grep -v -e CI_CORE_COMMAND -e by.exec | sort",
        "umask; ulimit -a; pwd; id; echo $#; tty",
        "grep -e Sig -e Cap -e Groups -e NoNew -e Seccomp -e Umask /proc/self/status | grep -v SigQ",
        "ls /proc/self/fd; cat",
        "ps -o pid,sid,pgid | awk -v me=$$ '$1 == me { print ($1 == $2), ($1 == $3) }'",
        "trap 'echo got it; exit 3' INT; kill -INT $$",
        "kill -INT $$; echo lives",
        "kill -KILL $$",
        "kill 0; echo lives",
        "kill -SEGV $$",
        "printf '\\000\\377\\036ci-core-\\036ci-core-0=0,1,.'; sleep 0.3; printf no-newline >&2",
        "exit 126",
        "exit 200",
    ] {
        let [first, engine] = both(&*session, script).await;
        assert_eq!(first, engine, "{script}");
    }
    assert_ne!(parent(&*session).await, "0", "the first process ran them");
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn what_a_command_leaves_with_its_output_writes_into_no_other() {
    let Some(place) = support::place().await else {
        return;
    };
    let session = session(&place).await;
    let quiet = "(sleep 60) >/dev/null 2>&1 & echo begun";
    let log = Log::default();
    let begun = Instant::now();
    session.exec(&Command::sh(quiet), log.io()).await.unwrap();
    assert_eq!(log.text(), "begun\n");
    // Much less than its `sleep`, and more than a busy machine takes.
    assert!(begun.elapsed() < Duration::from_secs(30), "nothing waits");
    assert_ne!(parent(&*session).await, "0");

    // What comes late comes as soon as the command itself is gone: nobody listens for ever.
    let loud = "(while kill -0 $$ 2>/dev/null; do :; done; echo late; \
                while :; do echo noise; sleep 0.1; done) & echo begun";
    let log = Log::default();
    let begun = Instant::now();
    session.exec(&Command::sh(loud), log.io()).await.unwrap();
    let text = log.text();
    assert!(text.starts_with("begun\nlate\n"), "{text}");
    // As long as an engine listens, too.
    assert!(begun.elapsed() > Duration::from_secs(1), "{text}");
    let log = Log::default();
    session
        .exec(&Command::sh("sleep 0.5; echo mine"), log.io())
        .await
        .unwrap();
    assert_eq!(log.text(), "mine\n");
    assert_eq!(
        parent(&*session).await,
        "0",
        "the engine runs what comes now"
    );
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn a_command_beside_another_is_the_engines_and_both_can_be_stopped() {
    let Some(place) = support::place().await else {
        return;
    };
    // A shell that does what it is asked needs little of it, also on a busy machine.
    let executor = place.executor().grace(Duration::from_secs(20));
    let session = session_on(&executor).await;
    let log = Log::default();
    let io = log.io();
    let cancel = io.cancel.clone();
    let long =
        Command::sh("trap 'echo asked; exit 0' TERM; echo begun; while :; do sleep 0.1; done");
    let beside = async {
        while !log.text().contains("begun") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(parent(&*session).await, "0");
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(session.exec(&long, io), beside);
    assert_eq!(ended.unwrap(), ExitStatus::Stopped);
    // Its shell may tell that `sleep` was asked, too.
    let text = log.text();
    assert!(
        text.starts_with("begun\n") && text.contains("asked\n"),
        "{text}"
    );
    assert_ne!(parent(&*session).await, "0", "it is free again");
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn a_command_that_signals_its_parent_harms_nobody_and_one_that_kills_all_is_lost() {
    let Some(place) = support::place().await else {
        return;
    };
    let session = session(&place).await;
    let log = Log::default();
    let signals = Command::sh("kill -TERM $PPID; kill -INT $PPID; kill -HUP $PPID; echo done");
    let ended = session.exec(&signals, log.io()).await.unwrap();
    assert_eq!(
        (ended, log.text().as_str()),
        (ExitStatus::Code(0), "done\n")
    );
    assert_ne!(parent(&*session).await, "0");
    let ended = session
        .exec(&Command::sh("kill -9 -1; sleep 9"), log.io())
        .await;
    assert_eq!(ended.unwrap_err().kind(), SessionErrorKind::Lost);
    session.teardown().await.unwrap();
}
