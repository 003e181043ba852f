//! Process trees: stopping commands, ending sessions, and what tries to get away.

use super::*;

/// Starts a command and gives the task that runs it and the token that stops it.
fn start(
    session: &Arc<dyn Session>,
    script: &str,
) -> (
    tokio::task::JoinHandle<Result<ExitStatus, SessionError>>,
    CancellationToken,
) {
    let cancel = CancellationToken::new();
    let io = ExecIo::new(Output::discard(), cancel.clone());
    let (session, command) = (Arc::clone(session), Command::sh(script));
    let task = tokio::spawn(async move { session.exec(&command, io).await });
    (task, cancel)
}

#[tokio::test]
async fn a_command_that_is_stopped_may_end_in_its_own_way() {
    let place = Place::new();
    let session: Arc<dyn Session> = place.session().await.into();
    let script = "trap 'echo bye > bye; exit 0' TERM; echo $$ > pid; while :; do sleep 0.01; done";
    let (task, cancel) = start(&session, script);
    pid_in(&place.project().join("pid")).await;
    cancel.cancel();
    assert_eq!(task.await.unwrap().unwrap(), ExitStatus::Stopped);
    assert!(place.project().join("bye").exists());
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn what_ignores_the_request_is_killed_after_the_grace() {
    let grace = Duration::from_millis(300);
    let place = Place::with(|executor| executor.grace(grace));
    let session: Arc<dyn Session> = place.session().await.into();
    let script = "trap '' TERM; (trap '' TERM; echo $$ > child; while :; do sleep 1; done) & \
                  echo $$ > pid; while :; do sleep 1; done";
    let (task, cancel) = start(&session, script);
    let pid = pid_in(&place.project().join("pid")).await;
    let start = Instant::now();
    cancel.cancel();
    assert_eq!(task.await.unwrap().unwrap(), ExitStatus::Stopped);
    assert!(start.elapsed() >= grace);
    assert!(!lives(pid));
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn a_process_that_is_paused_can_be_stopped() {
    let place = Place::new();
    let session: Arc<dyn Session> = place.session().await.into();
    let (task, cancel) = start(&session, "echo $$ > pid; kill -STOP $$; sleep 600");
    let pid = pid_in(&place.project().join("pid")).await;
    cancel.cancel();
    assert_eq!(task.await.unwrap().unwrap(), ExitStatus::Stopped);
    assert!(!lives(pid));
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn a_command_that_closes_its_output_is_waited_for() {
    let place = Place::new();
    let session = place.session().await;
    let script = "exec >&- 2>&-; sleep 0.2; touch done; exit 4";
    let (status, _) = run(&*session, Command::sh(script)).await;
    assert_eq!(status.unwrap(), ExitStatus::Code(4));
    assert!(place.project().join("done").exists());
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn a_child_that_holds_the_pipe_does_not_hold_the_command() {
    let place = Place::new();
    let session = place.session().await;
    // The child goes on writing after the command has returned, and must not die of it. What it says first
    // is said in time: nobody listens to it for long.
    let script = "(echo child; touch said; while [ ! -e go ]; do sleep 0.01; done; echo more; \
                  echo $? > wrote; sleep 600) & echo $! > pid; \
                  while [ ! -e said ]; do sleep 0.01; done; echo parent";
    let (status, log) = run(&*session, Command::sh(script)).await;
    assert_eq!(status.unwrap(), ExitStatus::Code(0));
    let text = log.text(Stream::Stdout);
    assert!(
        text.contains("parent\n") && text.contains("child\n"),
        "{text}"
    );
    assert!(log.text(Stream::Engine).contains("holds the output"));
    let pid = pid_in(&place.project().join("pid")).await;
    assert!(lives(pid));
    fs::write(place.project().join("go"), "").unwrap();
    assert_eq!(pid_in(&place.project().join("wrote")).await, 0);
    session.teardown().await.unwrap();
    assert!(!lives(pid));
}

#[tokio::test]
async fn a_child_that_never_stops_writing_does_not_hold_the_command() {
    let place = Place::new();
    let session = place.session().await;
    let (status, _) = run(&*session, Command::sh("yes & echo $! > pid")).await;
    assert_eq!(status.unwrap(), ExitStatus::Code(0));
    let pid = pid_in(&place.project().join("pid")).await;
    session.teardown().await.unwrap();
    assert!(!lives(pid));
}

#[cfg(all(target_os = "linux", not(ci_core_portable)))]
mod linux {
    use super::*;

    /// Becomes a daemon: a session of its own, and no parent. Its number goes to the file `daemon`.
    const DAEMON: &str = "setsid sh -c 'sh -c \"echo \\$\\$ > daemon.new; mv daemon.new daemon; \
                          exec sleep 600 >/dev/null 2>&1\" & ' ";

    #[tokio::test]
    async fn a_daemon_is_ended_with_the_session() {
        for (subreaper, cgroups) in [(true, true), (true, false), (false, false)] {
            let place = Place::with(|it| it.subreaper(subreaper).cgroups(cgroups));
            let session = place.session().await;
            sh(&*session, DAEMON).await;
            let pid = pid_in(&place.project().join("daemon")).await;
            assert!(lives(pid));
            session.teardown().await.unwrap();
            assert!(!lives(pid), "subreaper {subreaper}, cgroups {cgroups}");
        }
    }

    #[tokio::test]
    async fn a_daemon_is_ended_with_the_command_that_is_stopped() {
        let place = Place::new();
        let session: Arc<dyn Session> = place.session().await.into();
        let (task, cancel) = start(&session, &format!("{DAEMON}; sleep 600"));
        let pid = pid_in(&place.project().join("daemon")).await;
        cancel.cancel();
        assert_eq!(task.await.unwrap().unwrap(), ExitStatus::Stopped);
        assert!(!lives(pid));
        session.teardown().await.unwrap();
    }

    #[tokio::test]
    async fn a_daemon_that_ignores_the_request_is_killed() {
        let place = Place::with(|executor| executor.grace(Duration::from_millis(100)));
        let session = place.session().await;
        sh(&*session, &format!("trap '' TERM; {DAEMON}")).await;
        let pid = pid_in(&place.project().join("daemon")).await;
        session.teardown().await.unwrap();
        assert!(!lives(pid));
    }

    #[tokio::test]
    async fn other_commands_of_the_session_go_on_when_one_is_stopped() {
        let place = Place::new();
        let session: Arc<dyn Session> = place.session().await.into();
        let (other, _) = start(&session, "echo $$ > other; exec sleep 600");
        let (task, cancel) = start(&session, "echo $$ > one; exec sleep 600");
        let pid = pid_in(&place.project().join("other")).await;
        pid_in(&place.project().join("one")).await;
        cancel.cancel();
        assert_eq!(task.await.unwrap().unwrap(), ExitStatus::Stopped);
        assert!(lives(pid));
        session.teardown().await.unwrap();
        assert_eq!(other.await.unwrap().unwrap(), ExitStatus::Signal(15));
        assert!(!lives(pid));
    }

    #[tokio::test]
    async fn other_sessions_and_the_host_are_left_alone() {
        let place = Place::new();
        let (one, other) = (place.session().await, place.session().await);
        sh(&*other, DAEMON).await;
        let pid = pid_in(&place.project().join("daemon")).await;
        let mut host = std::process::Command::new("true").spawn().unwrap();
        let host_pid = i32::try_from(host.id()).unwrap();
        eventually("the end of the host's child", || {
            (!lives(host_pid)).then_some(())
        })
        .await;
        sh(&*one, "sleep 600 >/dev/null 2>&1 &").await;
        one.teardown().await.unwrap();
        assert!(lives(pid));
        assert!(
            host.wait().unwrap().success(),
            "somebody else waited for it"
        );
        other.teardown().await.unwrap();
        assert!(!lives(pid));
    }

    #[tokio::test]
    async fn orphans_that_ended_leave_no_entry_in_the_process_table() {
        let place = Place::new();
        let session = place.session().await;
        let script = "sh -c 'sh -c \"echo \\$\\$ > same; exit\" >/dev/null 2>&1 &'; \
                      setsid sh -c 'sh -c \"echo \\$\\$ > own; exit\" >/dev/null 2>&1 &'; \
                      while [ ! -s own ] || [ ! -s same ]; do sleep 0.01; done";
        sh(&*session, script).await;
        let mut pids = Vec::new();
        for name in ["same", "own"] {
            pids.push(pid_in(&place.project().join(name)).await);
        }
        session.teardown().await.unwrap();
        for pid in pids {
            let gone = || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(());
            eventually("the end of an orphan", gone).await;
        }
    }

    #[tokio::test]
    async fn a_daemon_that_hides_before_there_is_a_control_group_is_found() {
        let place = Place::new();
        let session = place.session().await;
        // A command is marked just after its start. The test may be in a job, and have a mark of its own.
        let limits = fs::read_to_string("/proc/self/limits").unwrap();
        let own = limits
            .lines()
            .find(|line| line.starts_with("Max realtime timeout"));
        fs::write(place.project().join("own"), own.unwrap()).unwrap();
        // Without its group, session, parent and environment.
        let script = "n=0; limit() { grep '^Max realtime timeout' /proc/$$/limits; }; \
                      while [ \"$(limit)\" = \"$(cat own)\" ]; do n=$((n+1)); \
                      [ $n -lt 600 ] || exit 3; sleep 0.05; done; \
                      setsid env -i sh -c 'echo $$ > daemon; exec sleep 600' >/dev/null 2>&1 &";
        sh(&*session, script).await;
        let pid = pid_in(&place.project().join("daemon")).await;
        assert!(lives(pid));
        session.teardown().await.unwrap();
        assert!(!lives(pid));
    }

    #[tokio::test]
    async fn a_daemon_that_hides_is_found_in_its_control_group() {
        let place = Place::new();
        let session = place.session().await;
        // Only once the command is in its group, and where groups can be made at all. The test may be in
        // one already: it may run in a job.
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        fs::write(place.project().join("own"), &own).unwrap();
        let script = "n=0; until [ \"$(cat own)\" != \"$(cat /proc/self/cgroup)\" ]; do n=$((n+1)); \
                      [ $n -lt 200 ] || exit 3; sleep 0.05; done; \
                      env -i setsid sh -c 'sh -c \"echo \\$\\$ > daemon; exec /bin/sleep 600 \
                      >/dev/null 2>&1\" &'";
        let (status, _) = run(&*session, Command::sh(script)).await;
        let makes_groups = super::super::super::process::Options::new(true, true).confines();
        let expected = if makes_groups { 0 } else { 3 };
        assert_eq!(status.unwrap(), ExitStatus::Code(expected), "{own}");
        if makes_groups {
            let pid = pid_in(&place.project().join("daemon")).await;
            assert!(lives(pid));
            session.teardown().await.unwrap();
            assert!(!lives(pid));
        } else {
            session.teardown().await.unwrap();
        }
    }
}
