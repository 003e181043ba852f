//! What the SSH executor does when keys, links and controllers fail, on a real OpenSSH server.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ci_aws::ssh::{HostKey, SshError, SshErrorKind, SshExecutor};
use ci_core::archive::{PackRoot, pack_stream};
use ci_core::clock::Clock;
use ci_core::executor::{Executor, ExecutorError, PrepareRequest, ReapScope};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{
    Command, ExecIo, ExitStatus, LogSink, Output, OutputChunk, OutputOptions, Session,
    SessionErrorKind,
};
use tokio_util::sync::CancellationToken;

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;
use support::machines::sshd::Sshd;

/// What this test program is asked to do when it is its own child.
const CONTROLLER: &str = "CI_AWS_TEST_CONTROLLER";

#[derive(Debug, Default, Clone)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl LogSink for Kept {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(&chunk.bytes);
        Ok(())
    }
}

impl Kept {
    fn output(&self) -> Output {
        let options = OutputOptions::new(Arc::default(), Clock::system());
        Output::new(&options, Box::new(self.clone()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

async fn prepare(
    executor: &SshExecutor,
    env: &[(&str, &str)],
) -> Result<Box<dyn Session>, ExecutorError> {
    let job = JobSpec::new("job");
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let env: BTreeMap<String, String> = env.collect();
    executor
        .prepare(PrepareRequest::new(RunId::new(), &job, &env))
        .await
}

/// Waits for something that should be quick.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < end, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a process with these words in its command line runs.
fn runs(words: &str) -> bool {
    command_lines().iter().any(|line| line.contains(words))
}

fn command_lines() -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}

fn kind(error: &ExecutorError) -> SshErrorKind {
    let source = error.source().unwrap();
    source.downcast_ref::<SshError>().unwrap().kind()
}

#[tokio::test]
async fn a_wrong_host_key_is_refused() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    let wrong = HostKey::Pinned(sshd.public_key("other"));
    let error = prepare(&sshd.executor().host_key(wrong), &[])
        .await
        .err()
        .unwrap();
    assert_eq!(kind(&error), SshErrorKind::HostKey, "{error}");
    let empty = HostKey::File(sshd.path("nothing"));
    let error = prepare(&sshd.executor().host_key(empty), &[])
        .await
        .err()
        .unwrap();
    assert_eq!(kind(&error), SshErrorKind::HostKey, "{error}");
    assert!(error.hints().concat().contains("accept-new"), "{error:?}");
    assert!(sshd.sessions().is_empty());
}

#[tokio::test]
async fn accept_new_takes_the_first_key_and_no_other() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    let file = sshd.path("known");
    let executor = sshd.executor().host_key(HostKey::AcceptNew(file.clone()));
    let session = prepare(&executor, &[]).await.unwrap();
    session.teardown().await.unwrap();
    let taken = fs::read_to_string(&file).unwrap();
    let key = sshd.public_key("host");
    assert!(
        taken.contains(key.split_whitespace().nth(1).unwrap()),
        "{taken}"
    );
    let other = sshd.public_key("other");
    let other: Vec<&str> = other.split_whitespace().collect();
    let line = format!("[127.0.0.1]:{} {} {}\n", sshd.port, other[0], other[1]);
    fs::write(&file, line).unwrap();
    let error = prepare(&executor, &[]).await.err().unwrap();
    assert_eq!(kind(&error), SshErrorKind::HostKey, "{error}");
}

#[tokio::test]
async fn a_closed_port_and_a_wrong_user_key_are_told_apart() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    let error = prepare(&sshd.executor().port(1), &[]).await.err().unwrap();
    assert_eq!(kind(&error), SshErrorKind::Unreachable, "{error}");
    let wrong = sshd.executor().identity(sshd.path("other"));
    let error = prepare(&wrong, &[]).await.err().unwrap();
    assert_eq!(kind(&error), SshErrorKind::Denied, "{error}");
}

/// The processes of the server that carry connections.
fn connections(sshd: &Sshd) -> Vec<u32> {
    let path = format!("/proc/{0}/task/{0}/children", sshd.pid());
    let children = fs::read_to_string(path).unwrap();
    children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

#[tokio::test]
async fn a_link_that_breaks_in_a_step_is_no_exit_code() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    let session = prepare(&sshd.executor(), &[]).await.unwrap();
    let kept = Kept::default();
    let io = ExecIo::new(kept.output(), CancellationToken::new());
    let command = Command::sh("echo started; sleep 86511; echo unreached");
    let breaking = async {
        until("the step", || kept.text().contains("started")).await;
        for pid in connections(&sshd) {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    };
    let (status, ()) = tokio::join!(session.exec(&command, io), breaking);
    let error = status.unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Lost, "{error}");
    let source = error.source().unwrap().downcast_ref::<SshError>().unwrap();
    assert_eq!(source.kind(), SshErrorKind::Lost);
    // The machine ends the step by itself.
    until("the end of the step", || !runs("sleep 86511")).await;
    until("the removal", || sshd.sessions().is_empty()).await;
    let io = ExecIo::new(Output::discard(), CancellationToken::new());
    let again = session.exec(&command, io).await;
    assert_eq!(again.unwrap_err().kind(), SessionErrorKind::Lost);
    assert_eq!(
        session.teardown().await.unwrap_err().kind(),
        SessionErrorKind::Lost
    );
}

/// Not a test of its own: the controller that `a_killed_controller_…` starts and kills.
#[tokio::test]
async fn controller() {
    let Some(orders) = std::env::var_os(CONTROLLER) else {
        return;
    };
    let orders = orders.into_string().unwrap();
    let (port, dir) = orders.split_once(' ').unwrap();
    let dir = Path::new(dir);
    let key = fs::read_to_string(dir.join("host.pub")).unwrap();
    let executor = SshExecutor::new("127.0.0.1")
        .port(port.parse().unwrap())
        .identity(dir.join("user"))
        .config_file("none")
        .host_key(HostKey::Pinned(key))
        .root(dir.join("root").to_str().unwrap())
        .grace(Duration::from_secs(1));
    let session = prepare(&executor, &[]).await.unwrap();
    let script = "sleep 86522 >/dev/null 2>&1 & setsid sleep 86523 & exec sleep 86524";
    let io = ExecIo::new(Output::discard(), CancellationToken::new());
    let _ = session.exec(&Command::sh(script), io).await;
}

#[tokio::test]
async fn a_killed_controller_ends_the_remote_tree() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    let dir = sshd.path("root");
    let orders = format!("{} {}", sshd.port, dir.parent().unwrap().display());
    let mut controller = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "controller"])
        .env(CONTROLLER, orders)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let words = ["sleep 86522", "sleep 86523", "sleep 86524"];
    until("the step", || words.iter().all(|words| runs(words))).await;
    controller.kill().unwrap();
    controller.wait().unwrap();
    until("the end of the tree", || {
        !words.iter().any(|words| runs(words))
    })
    .await;
    until("the removal", || sshd.sessions().is_empty()).await;
}

#[tokio::test]
async fn a_controller_that_is_silent_loses_its_lease() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    // A guard that is never fed, as behind a link that is dead without a word.
    let script = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/ssh/supervisor.sh"
    ));
    let root = sshd.path("root");
    let head = format!(
        "ci_mode=guard\nci_root={}\nci_run=run\nci_session=session\nci_grace=1\nci_lease=1\n",
        root.display()
    );
    let text = format!("{head}{}#end\n", script.unwrap());
    // Before the guard: the session lives for a moment only.
    let mut left = Process::new("sleep")
        .arg("86533")
        .env("CI_CORE_REMOTE", "run/session/1;")
        .spawn()
        .unwrap();
    let mut guard = Process::new("sh")
        .args(["-c", "ci_text=$(sed /^#end/q); eval \"$ci_text\""])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = guard.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    until("the end of what was left", || {
        left.try_wait().unwrap().is_some()
    })
    .await;
    assert!(!left.wait().unwrap().success());
    // The directories of a session go after its processes.
    until("the removal", || sshd.sessions().is_empty()).await;
    assert!(!guard.wait().unwrap().success());
}

#[tokio::test]
async fn the_environment_is_on_no_command_line() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    let secret = format!("secret-{}", sshd.port);
    let session = prepare(&sshd.executor(), &[("JOB", &secret)])
        .await
        .unwrap();
    let kept = Kept::default();
    let io = ExecIo::new(kept.output(), CancellationToken::new());
    let command = Command::sh("echo \"$JOB $STEP\"; until [ -e go ]; do sleep 0.1; done")
        .env("STEP", format!("{secret}-too"));
    let looking = async {
        until("the step", || kept.text().contains("-too")).await;
        let lines = command_lines();
        assert!(
            lines.iter().any(|line| line.contains("supervisor")),
            "{lines:?}"
        );
        let shown: Vec<_> = lines.iter().filter(|line| line.contains(&secret)).collect();
        fs::write(Path::new(&session.info().work_dir).join("go"), "").unwrap();
        assert!(shown.is_empty(), "{shown:?}");
    };
    let (status, ()) = tokio::join!(session.exec(&command, io), looking);
    assert_eq!(status.unwrap(), ExitStatus::Code(0));
    assert_eq!(kept.text(), format!("{secret} {secret}-too\n"));
    session.teardown().await.unwrap();
    assert!(sshd.sessions().is_empty());
}

#[tokio::test]
async fn what_a_dead_guard_left_is_reaped_and_what_lives_is_not() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    let executor = sshd.executor();
    let living = prepare(&executor, &[]).await.unwrap();
    // As after a power failure: directories, and no guard.
    let dead = sshd.path("root").join("dead-run/dead-session");
    fs::create_dir_all(dead.join("state")).unwrap();
    let report = executor.reap(&ReapScope::Abandoned).await.unwrap();
    assert_eq!(report.removed.len(), 1, "{report:?}");
    assert!(
        report.removed[0].contains("dead-run/dead-session"),
        "{report:?}"
    );
    assert_eq!(sshd.sessions().len(), 1);
    let io = ExecIo::new(Output::discard(), CancellationToken::new());
    assert_eq!(
        living.exec(&Command::sh("true"), io).await.unwrap(),
        ExitStatus::Code(0)
    );
    living.teardown().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_session_lives_on() {
    let Some(sshd) = Sshd::with_small_disk().filter(|_| !support::machines::sshd::missing()) else {
        return;
    };
    let session = prepare(&sshd.executor(), &[]).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("large"), vec![7; 4 << 20]).unwrap();
    let tree = pack_stream(vec![PackRoot::new("", dir.path())]).unwrap();
    let error = session.copy_in(tree, "in").await.unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Other, "{error}");
    // Not every tar says why it could not write.
    assert!(error.to_string().contains("large"), "{error}");
    let kept = Kept::default();
    let run = async |script: &str| {
        let io = ExecIo::new(kept.output(), CancellationToken::new());
        session.exec(&Command::sh(script), io).await.unwrap()
    };
    assert_eq!(
        run("cat /dev/zero >rest || exit 7").await,
        ExitStatus::Code(7)
    );
    assert!(kept.text().contains("No space left"), "{}", kept.text());
    // Another job is told why it cannot begin.
    let error = prepare(&sshd.executor(), &[]).await.err().unwrap();
    assert_eq!(kind(&error), SshErrorKind::Machine, "{error}");
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!(run("rm -r rest in && echo x >y").await, ExitStatus::Code(0));
    session.teardown().await.unwrap();
    let again = prepare(&sshd.executor(), &[]).await.unwrap();
    again.teardown().await.unwrap();
}

/// Counts what it is given.
#[derive(Debug, Default, Clone)]
struct Counted(Arc<AtomicU64>);

impl LogSink for Counted {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        let length = u64::try_from(chunk.bytes.len()).unwrap();
        self.0.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }
}

/// The most memory that this process has had, in KiB.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.map_or(0, |number| number.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_of_output_comes_whole_and_is_not_kept() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    let session = prepare(&sshd.executor(), &[]).await.unwrap();
    let counted = Counted::default();
    let options = OutputOptions::new(Arc::default(), Clock::system());
    let output = Output::new(&options, Box::new(counted.clone()));
    let (before, began) = (most_memory(), Instant::now());
    let script = "yes \"$(printf '%0999d' 7)\" | head -c 1000000000";
    let io = ExecIo::new(output, CancellationToken::new());
    let status = session.exec(&Command::sh(script), io).await.unwrap();
    let took = began.elapsed();
    assert_eq!(status, ExitStatus::Code(0));
    assert_eq!(counted.0.load(Ordering::Relaxed), 1_000_000_000);
    let grown = most_memory() - before;
    assert!(grown < 64 * 1024, "{grown} KiB");
    assert!(took < Duration::from_mins(4), "{took:?}");
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn a_step_with_an_image_of_its_own_is_refused() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    let session = prepare(&sshd.executor(), &[]).await.unwrap();
    let mut command = Command::sh("true");
    command.image = Some("alpine:3".to_owned());
    let io = ExecIo::new(Output::discard(), CancellationToken::new());
    let error = session.exec(&command, io).await.unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Refused);
    assert!(error.to_string().contains("`alpine:3`"), "{error}");
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn a_job_without_a_checkout_works_on_a_copy_of_the_project() {
    if support::machines::sshd::missing() {
        return;
    }
    let sshd = Sshd::start();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "of the project").unwrap();
    let env = BTreeMap::new();
    for (start, script) in [
        (None, "grep project file"),
        (Some("sub/dir"), "grep project ../../file"),
        (Some("~/own"), "[ ! -e file ] && [ ! -e ../work/file ]"),
    ] {
        let job = JobSpec::new("job").with(|it| it.working_dir = start.map(ToOwned::to_owned));
        let mut request = PrepareRequest::new(RunId::new(), &job, &env);
        request.project_dir = Some(dir.path().to_owned());
        let session = sshd.executor().prepare(request).await.unwrap();
        let command = Command::sh(script).dir(start.unwrap_or("."));
        let io = ExecIo::new(Output::discard(), CancellationToken::new());
        let status = session.exec(&command, io).await.unwrap();
        assert_eq!(status, ExitStatus::Code(0), "{start:?}");
        session.teardown().await.unwrap();
    }
}
