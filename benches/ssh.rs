//! Jobs over SSH beside the plain client: trivial steps, a tree that is copied, and copied once more.
//!
//! The machine is a real OpenSSH server on a loopback port (`sshd` of openssh-server). The client has a
//! control master, as the executor has; `rsync` is measured where it is installed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant, SystemTime};

use ci_aws::ssh::{Mirror, Mirrored, SshSession, Way};
use ci_benches::measure::{Contender, asked_for, for_real, interleaved};
use ci_benches::table::{Table, note, ratio};
use ci_benches::{Error, engine};
use ci_core::executor::PrepareRequest;
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{Command, ExecIo, ExitStatus, Output, Session as _};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

#[path = "../ci-aws/tests/support/machines/sshd.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "it is shared with the tests of `ci-aws`"
)]
mod sshd;

/// After how much of its time a contender stands out.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is measured and how large it is.
struct Sizes {
    rounds: usize,
    steps: usize,
    files: usize,
}

/// The server, a session of ours on it, and a control master of the client.
struct Place {
    sshd: sshd::Sshd,
    runtime: Runtime,
    session: SshSession,
    master: Child,
    /// Where trees are copied from and to.
    dir: tempfile::TempDir,
}

fn main() -> Result<(), Error> {
    let sizes = if for_real() {
        Sizes {
            rounds: 10,
            steps: 100,
            files: 5000,
        }
    } else {
        Sizes {
            rounds: 1,
            steps: 2,
            files: 10,
        }
    };
    if sshd::missing() {
        return if for_real() {
            Err("there is no `sshd`".into())
        } else {
            Ok(())
        };
    }
    let mut place = Place::new(sizes.files)?;
    let measured = measured(&place, &sizes);
    place.end()?;
    let headings = ["", "ci-aws", "beside it", "ci-aws / beside it", "at most"];
    let mut table = Table::new(
        "Jobs over loopback SSH beside the client, least of all rounds",
        &headings,
    );
    for (name, most, ours, theirs) in measured? {
        table.row([
            name,
            format!("{ours:.1?}"),
            format!("{theirs:.1?}"),
            ratio(Some(ours), Some(theirs)),
            most.to_owned(),
        ]);
    }
    table.print();
    note("beside them: ssh, tar | ssh tar and rsync, all over one control master");
    Ok(())
}

type Row = (String, &'static str, Duration, Duration);

/// All that the command line asks for.
fn measured(place: &Place, sizes: &Sizes) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    let name = format!("{} steps", sizes.steps);
    if asked_for(&name) {
        let pair = vec![
            Contender::new("ours", || timed(|| place.steps(sizes.steps))),
            Contender::new("ssh", || {
                timed(|| (0..sizes.steps).try_for_each(|_| ended(place.ssh("true"))))
            }),
        ];
        let (ours, theirs) = two(&interleaved(pair, sizes.rounds, PATIENCE)?)?;
        rows.push((name, "1.5", ours, theirs));
    }
    let name = format!("{} files", sizes.files);
    if !asked_for(&name) && !asked_for("second") {
        return Ok(rows);
    }
    let first = vec![
        Contender::new("ours", || place.first("ours")),
        Contender::new("tar", || place.tar()),
    ];
    let (ours, theirs) = two(&interleaved(first, sizes.rounds, PATIENCE)?)?;
    rows.push((name, "1.2", ours, theirs));
    let mut second = vec![Contender::new("ours", || place.second())];
    if installed("rsync") {
        second.push(Contender::new("rsync", || place.plain_rsync()));
    } else {
        note("NOT MEASURED: `rsync` is not installed");
    }
    let times = interleaved(second, sizes.rounds, PATIENCE)?;
    for (name, time) in &times[1..] {
        let name = format!("one of them changed, beside {name}");
        rows.push((name, "", times[0].1, *time));
    }
    let name = "one of them changed, beside our first copy";
    rows.push((name.to_owned(), "0.2", times[0].1, ours));
    Ok(rows)
}

fn two(times: &[(&str, Duration)]) -> Result<(Duration, Duration), Error> {
    match times {
        [(_, ours), (_, theirs)] => Ok((*ours, *theirs)),
        _ => Err("two times were expected".into()),
    }
}

fn timed(once: impl FnOnce() -> Result<(), Error>) -> Result<Duration, Error> {
    let begun = Instant::now();
    once()?;
    Ok(begun.elapsed())
}

fn installed(program: &str) -> bool {
    let version = Process::new(program).arg("--version").output();
    version.is_ok_and(|done| done.status.success())
}

fn ended(mut process: Process) -> Result<(), Error> {
    let done = process.stdout(Stdio::null()).status()?;
    if done.success() {
        return Ok(());
    }
    Err(format!("{process:?} failed").into())
}

impl Place {
    fn new(files: usize) -> Result<Self, Error> {
        let sshd = sshd::Sshd::start();
        let dir = tempfile::tempdir()?;
        write_files(&dir.path().join("tree"), files)?;
        let runtime = engine::runtime()?;
        let executor = ci_aws::ssh::SshExecutor::new("127.0.0.1")
            .port(sshd.port)
            .identity(sshd.path("user"))
            .config_file("none")
            .host_key(ci_aws::ssh::HostKey::Pinned(sshd.public_key("host")))
            .root(sshd.path("root").display().to_string());
        let (job, env) = (JobSpec::new("measured"), BTreeMap::new());
        let request = PrepareRequest::new(RunId::new(), &job, &env);
        let session = runtime.block_on(executor.open(request))?;
        let mut master = options(&sshd);
        let master = master
            .args(["-M", "-N", "127.0.0.1"])
            .stdin(Stdio::null())
            .spawn()?;
        let place = Self {
            sshd,
            runtime,
            session,
            master,
            dir,
        };
        let end = Instant::now() + Duration::from_secs(10);
        while !place.sshd.path("control").exists() {
            if Instant::now() > end {
                return Err("the control master does not come up".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(place)
    }

    fn end(&mut self) -> Result<(), Error> {
        let ended = self.runtime.block_on(self.session.teardown());
        self.master.kill()?;
        self.master.wait()?;
        Ok(ended?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The client, through its control master.
    fn ssh(&self, script: &str) -> Process {
        let mut ssh = options(&self.sshd);
        ssh.args(["127.0.0.1", script]).stdin(Stdio::null());
        ssh
    }

    fn steps(&self, count: usize) -> Result<(), Error> {
        self.runtime.block_on(async {
            for _ in 0..count {
                let io = ExecIo::new(Output::discard(), CancellationToken::new());
                let ended = self.session.exec(&Command::sh("true"), io).await?;
                if ended != ExitStatus::Code(0) {
                    return Err(format!("`true` ended with {ended:?}").into());
                }
            }
            Ok(())
        })
    }

    fn mirror(&self, name: &str) -> Result<Mirrored, Error> {
        let to = self.path(name).display().to_string();
        let mirror = Mirror::new(self.path("tree"), to);
        Ok(self.runtime.block_on(self.session.mirror(&mirror))?)
    }

    /// Copies the tree to where nothing is.
    fn first(&self, name: &str) -> Result<Duration, Error> {
        remove(&self.path(name))?;
        let begun = Instant::now();
        let mirrored = self.mirror(name)?;
        let took = begun.elapsed();
        expect(mirrored.way == Way::Whole, &mirrored)?;
        Ok(took)
    }

    /// Changes a file and copies the tree to where it was.
    fn second(&self) -> Result<Duration, Error> {
        if !self.path("again").exists() {
            self.first("again")?;
        }
        self.change()?;
        let begun = Instant::now();
        let mirrored = self.mirror("again")?;
        let took = begun.elapsed();
        expect(
            mirrored.way == Way::Changes && mirrored.sent == Some(1),
            &mirrored,
        )?;
        let read = |dir: &str| std::fs::read(self.path(dir).join("d0/f0"));
        expect(read("tree")? == read("again")?, &mirrored)?;
        Ok(took)
    }

    fn change(&self) -> Result<(), Error> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(std::fs::write(
            self.path("tree/d0/f0"),
            format!("{now:?}\n"),
        )?)
    }

    fn tar(&self) -> Result<Duration, Error> {
        let to = self.path("tar");
        remove(&to)?;
        let (from, to) = (self.path("tree"), to.display().to_string());
        timed(|| {
            let mut tar = Process::new("tar")
                .arg("-C")
                .arg(from)
                .args(["-cf", "-", "."])
                .stdout(Stdio::piped())
                .spawn()?;
            let mut ssh = self.ssh(&format!("mkdir -p {to} && tar -C {to} -xf -"));
            let stream = tar.stdout.take().ok_or("`tar` has no output")?;
            ended_with(ssh.stdin(stream))?;
            if tar.wait()?.success() {
                return Ok(());
            }
            Err("`tar` failed".into())
        })
    }

    fn plain_rsync(&self) -> Result<Duration, Error> {
        let to = self.path("plain");
        let words: Vec<String> = {
            let ssh = options(&self.sshd);
            let words = ssh.get_args().map(|it| it.to_string_lossy().into_owned());
            std::iter::once("ssh".to_owned()).chain(words).collect()
        };
        let call = || {
            let mut rsync = Process::new("rsync");
            rsync.args(["-a", "--delete", "-e", &words.join(" ")]);
            rsync.arg(format!("{}/", self.path("tree").display()));
            rsync.arg(format!("127.0.0.1:{}/", to.display()));
            ended(rsync)
        };
        if !to.exists() {
            call()?;
        }
        self.change()?;
        timed(call)
    }
}

/// The client's options, up to the host.
fn options(sshd: &sshd::Sshd) -> Process {
    let mut ssh = Process::new("ssh");
    ssh.args(["-T", "-F", "none", "-p", &sshd.port.to_string()]);
    for option in [
        "BatchMode=yes",
        "LogLevel=ERROR",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        &format!("IdentityFile={}", sshd.path("user").display()),
        &format!("ControlPath={}", sshd.path("control").display()),
    ] {
        ssh.args(["-o", option]);
    }
    ssh
}

fn ended_with(process: &mut Process) -> Result<(), Error> {
    if process.stdout(Stdio::null()).status()?.success() {
        return Ok(());
    }
    Err(format!("{process:?} failed").into())
}

fn expect(so: bool, mirrored: &Mirrored) -> Result<(), Error> {
    so.then_some(())
        .ok_or_else(|| format!("copied otherwise: {mirrored:?}").into())
}

fn remove(dir: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Files as sources are: about a hundred a directory, a few kilobytes each, an hour old.
fn write_files(dir: &Path, count: usize) -> Result<(), Error> {
    let time = SystemTime::now() - Duration::from_hours(1);
    for number in 0..count {
        let folder = dir.join(format!("d{}", number % 50));
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("f{number}"));
        let text = format!("line of the file {number}\n").repeat(number % 200 + 1);
        std::fs::write(&path, text)?;
        std::fs::File::options()
            .append(true)
            .open(&path)?
            .set_modified(time)?;
    }
    Ok(())
}
