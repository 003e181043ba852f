//! A stand-in for EC2 whose instances are real OpenSSH servers on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

#[cfg(feature = "sdk")]
use ci_aws::ec2::{Access, SdkEc2};
use ci_aws::ec2::{Ec2Api, Ec2Options, InstanceState, Strategy, Trust};
use ci_aws::testing::{FakeEc2, host_key_of};

use super::{GRACE, Sshd, keygen};

/// An address that no machine has yet refuses connections at once.
const NOBODY: &str = "Host *\n  HostName 127.0.0.1\n  Port 1\n";

/// The stand-in, and a thread that turns its instances into servers.
pub(crate) struct Cloud {
    pub(crate) ec2: Arc<FakeEc2>,
    pub(crate) dir: tempfile::TempDir,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    machines: Arc<Mutex<BTreeMap<String, Sshd>>>,
    /// While this is set, no machine gets its server.
    pub(crate) late: Arc<AtomicBool>,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let ec2 = Arc::new(FakeEc2::start().await.unwrap());
        let dir = tempfile::tempdir().unwrap();
        keygen(&dir.path().join("user"));
        keygen(&dir.path().join("host"));
        fs::write(dir.path().join("ssh_config"), NOBODY).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let late = Arc::new(AtomicBool::new(false));
        let machines = Arc::new(Mutex::new(BTreeMap::new()));
        let turner = Turner {
            ec2: Arc::clone(&ec2),
            dir: dir.path().to_owned(),
            machines: Arc::clone(&machines),
            late: Arc::clone(&late),
        };
        let end = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                turner.turn();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            ec2,
            dir,
            over,
            thread: Some(thread),
            machines,
            late,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Options that reach the machines of this cloud.
    pub(crate) fn options(&self, strategy: Strategy) -> Ec2Options {
        options(&self.path(""), strategy)
    }

    /// EC2 as the SDK sees it.
    #[cfg(feature = "sdk")]
    pub(crate) async fn api(&self) -> Arc<dyn Ec2Api> {
        Arc::new(connect(&self.ec2.endpoint()).await)
    }

    /// EC2 without the SDK between.
    #[cfg(not(feature = "sdk"))]
    pub(crate) async fn api(&self) -> Arc<dyn Ec2Api> {
        self.ec2.api()
    }

    /// Kills the server of an instance and everything that runs below it.
    pub(crate) fn power_off(&self, id: &str) {
        let machine = self.machines.lock().unwrap().remove(id);
        kill_below(machine.as_ref().unwrap().pid());
    }
}

/// Options that reach the machines of the cloud in `dir`.
pub(crate) fn options(dir: &std::path::Path, strategy: Strategy) -> Ec2Options {
    let mut options = Ec2Options::new(strategy);
    let key = fs::read_to_string(dir.join("host.pub")).unwrap();
    options.reach.trust = Trust::Pinned(key);
    options.reach.identity = Some(dir.join("user"));
    options.reach.config = Some(dir.join("ssh_config"));
    options.reach.root = Some(dir.join("root").to_str().unwrap().to_owned());
    options.reach.grace = GRACE;
    options.state = dir.join("state");
    options.poll = Duration::from_millis(50);
    options.boot_deadline = Duration::from_secs(60);
    options.launch_deadline = Duration::from_secs(60);
    options.teardown_deadline = Duration::from_secs(60);
    options
}

/// A client of the stand-in, through the SDK.
#[cfg(feature = "sdk")]
pub(crate) async fn connect(endpoint: &str) -> SdkEc2 {
    let mut access = Access::default();
    access.region = Some("eu-north-1".to_owned());
    access.endpoint = Some(endpoint.to_owned());
    access.keys = Some(("key".to_owned(), "secret".to_owned()));
    SdkEc2::connect(&access).await
}

struct Turner {
    ec2: Arc<FakeEc2>,
    dir: PathBuf,
    machines: Arc<Mutex<BTreeMap<String, Sshd>>>,
    late: Arc<AtomicBool>,
}

impl Turner {
    fn turn(&self) {
        for instance in self.ec2.instances() {
            let is_up = instance.state == InstanceState::Running;
            let has = self.machines.lock().unwrap().contains_key(&instance.id);
            if has && !is_up {
                let machine = self.machines.lock().unwrap().remove(&instance.id);
                kill_below(machine.as_ref().unwrap().pid());
            }
            if has || !is_up || self.late.load(Ordering::Relaxed) {
                continue;
            }
            let data = self.ec2.user_data(&instance.id);
            let host = data.as_deref().and_then(host_key_of);
            let host = host.unwrap_or_else(|| fs::read_to_string(self.dir.join("host")).unwrap());
            let users = fs::read_to_string(self.dir.join("user.pub")).unwrap();
            let machine = Sshd::with_keys(&host, &users);
            let others = fs::read_to_string(self.dir.join("ssh_config")).unwrap();
            // The first that fits counts.
            let config = format!(
                "Host {}\n  HostName 127.0.0.1\n  Port {}\n{others}",
                instance.public_ip.unwrap(),
                machine.port
            );
            // In one piece: a client may read it at any time.
            fs::write(self.dir.join("ssh_config.new"), config).unwrap();
            fs::rename(self.dir.join("ssh_config.new"), self.dir.join("ssh_config")).unwrap();
            self.machines.lock().unwrap().insert(instance.id, machine);
        }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Kills a process and all below it, at once.
fn kill_below(root: u32) {
    let mut all = vec![root];
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let rest = stat.rsplit_once(')')?.1;
            Some((pid, rest.split_whitespace().nth(1)?.parse().ok()?))
        })
        .collect();
    let mut at = 0;
    while let Some(&parent) = all.get(at) {
        all.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    for pid in all {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}
