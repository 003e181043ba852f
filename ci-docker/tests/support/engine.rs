//! Docker Engines of the tests' own, each in a network namespace of its own: they can be killed,
//! started again, and joined to swarms, and nobody else notices.
#![expect(clippy::unwrap_used, reason = "a test without its engine has failed")]
#![expect(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bollard::Docker;

use crate::support::{Place, busybox, import, say, variable};

/// How long an engine may take to start: test machines are busy.
const START: Duration = Duration::from_mins(2);

/// The image of the tests in these engines.
pub const IMAGE: &str = "ci-core-base";

/// An engine that ends with the test.
#[derive(Debug)]
pub struct OwnEngine {
    child: Option<Child>,
    dir: tempfile::TempDir,
    words: Vec<String>,
    net: Net,
}

/// Where an engine has its network.
#[derive(Debug, Clone)]
pub enum Net {
    /// In a namespace that is gone with it, with loopback and nothing else.
    Own,
    /// In a namespace that has this name for `ip netns`.
    Named(String),
}

impl OwnEngine {
    /// An engine in a network of its own. None, and it is said so, where this is not possible.
    ///
    /// # Panics
    /// If it is not possible although `CI` is set, or if it does not start.
    pub fn start() -> Option<Self> {
        Self::with(Net::Own, &[])
    }

    /// An engine with a disk of so many MiB.
    pub fn with_disk(size: u32) -> Option<Self> {
        Self::make(Net::Own, &[], Some(size))
    }

    /// An engine with more options.
    pub fn with(net: Net, words: &[&str]) -> Option<Self> {
        Self::make(net, words, None)
    }

    fn make(net: Net, words: &[&str], disk: Option<u32>) -> Option<Self> {
        let may = Command::new("unshare")
            .args(["--net", "true"])
            .stderr(Stdio::null())
            .status();
        let is_there = Command::new("dockerd")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        let fine = [may, is_there]
            .into_iter()
            .all(|it| it.is_ok_and(|it| it.success()));
        if !fine {
            let text = "engines of the tests' own need `dockerd`, `unshare` and the rights of root";
            assert!(variable("CI").is_none(), "{text}");
            say(&format!("NOT TESTED: {text}"));
            return None;
        }
        let mut engine = Self {
            child: None,
            // The names of sockets are short.
            dir: tempfile::Builder::new()
                .prefix("ci")
                .tempdir_in("/tmp")
                .unwrap(),
            words: words.iter().map(|&word| word.to_owned()).collect(),
            net,
        };
        if let Some(size) = disk {
            let data = engine.dir.path().join("data");
            std::fs::create_dir(&data).unwrap();
            let mounted = Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={size}m"), "disk"])
                .arg(data)
                .status();
            assert!(mounted.unwrap().success());
        }
        engine.start_again();
        Some(engine)
    }

    /// As in `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("s").display())
    }

    /// Looks at the engine.
    pub fn client(&self) -> Docker {
        Docker::connect_with_host(&self.host()).unwrap()
    }

    /// The place of the tests on it, with the image.
    pub async fn place(&self) -> Place {
        let client = self.client();
        if client.inspect_image(IMAGE).await.is_err() {
            import(&client, IMAGE, busybox()).await;
        }
        Place {
            host: self.host(),
            image: IMAGE.to_owned(),
            client,
        }
    }

    /// Runs the docker client on it, and gives what it prints.
    pub fn docker(&self, words: &[&str]) -> String {
        let done = Command::new("docker")
            .args(["--host", &self.host()])
            .args(words)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "docker {words:?}: {said}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        // Its helper dies with it. Where nobody takes note of that, the next engine would wait for it.
        let note = self.dir.path().join("exec/containerd/containerd.pid");
        let pid = std::fs::read_to_string(&note).unwrap_or_default();
        let deadline = Instant::now() + START;
        while lives(pid.trim()) {
            assert!(Instant::now() < deadline, "the engine's helper lives on");
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = std::fs::remove_file(note);
    }

    /// Ends it as its machine would when it is shut down.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        signal(child.id(), "TERM");
        let deadline = Instant::now() + START;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts it (again), with all that it had.
    pub fn start_again(&mut self) {
        let dir = self.dir.path().to_owned();
        let at = |name: &str| dir.join(name).display().to_string();
        let _ = std::fs::remove_file(dir.join("pid"));
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join("log"))
            .unwrap();
        let mut words: Vec<String> = match &self.net {
            Net::Own => ["unshare", "--net", "sh", "-c"].map(str::to_owned).to_vec(),
            // Not `ip netns exec`: it hides the control groups.
            Net::Named(name) => {
                let net = format!("--net=/run/netns/{name}");
                ["nsenter", &net, "sh", "-c"].map(str::to_owned).to_vec()
            }
        };
        // The name of the loopback's program differs; busybox has one everywhere.
        words.push("busybox ip link set lo up 2>/dev/null; exec dockerd \"$@\"".to_owned());
        let socket = self.host();
        words.push("dockerd".to_owned());
        words.extend(["--host".to_owned(), socket]);
        for (option, name) in [
            ("--data-root", "data"),
            ("--exec-root", "exec"),
            ("--pidfile", "pid"),
        ] {
            words.extend([option.to_owned(), at(name)]);
        }
        words.extend(self.words.iter().cloned());
        let child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let deadline = Instant::now() + START;
        while !self.answers() {
            let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
            assert!(
                Instant::now() < deadline,
                "the engine does not start: {log}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn answers(&self) -> bool {
        Command::new("docker")
            .args(["--host", &self.host(), "version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|it| it.success())
    }

    /// Makes a swarm of it.
    pub fn init_swarm(&self, address: &str) {
        self.docker(&["swarm", "init", "--advertise-addr", address]);
    }

    /// A program in its network.
    pub fn inside(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.child.as_ref().unwrap().id();
        command
            .arg(format!("--net=/proc/{pid}/ns/net"))
            .arg(program);
        command
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        if self.child.is_none() && !std::thread::panicking() {
            // Only an engine ends the containers that it had when it was killed.
            self.start_again();
        }
        self.stop();
        // An engine that was killed leaves its helpers: they are known by its directory.
        let own = self.dir.path().display().to_string();
        for pid in processes_of(&own) {
            signal(pid, "KILL");
        }
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let mut points: Vec<PathBuf> = points
            .filter(|point| point.starts_with(&own))
            .map(PathBuf::from)
            .collect();
        points.reverse();
        for point in points {
            let _ = Command::new("umount").arg("-l").arg(point).status();
        }
    }
}

/// The processes whose command line names a directory.
fn processes_of(dir: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let own = std::process::id();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != own)
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(dir)
        })
        .collect()
}

/// Whether a process runs, which one that nobody has waited for does not.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit(')').next().unwrap_or_default();
    !pid.is_empty() && !rest.is_empty() && !rest.trim_start().starts_with(['Z', 'X'])
}

fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}
