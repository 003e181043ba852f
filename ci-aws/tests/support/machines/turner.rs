//! Turns the instances of a stand-in for EC2 into real OpenSSH servers, as they come and go.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::sshd::{Sshd, keygen};

/// An address that no machine has yet refuses connections at once.
const NOBODY: &str = "Host *\n  HostName 127.0.0.1\n  Port 1\n";

/// The servers by instance, and the addresses that lead to them.
type Servers = Arc<Mutex<BTreeMap<String, (String, Sshd)>>>;

/// What a stand-in says of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) is_running: bool,
    pub(crate) address: Option<String>,
}

/// A stand-in.
pub(crate) trait Machines: Send + Sync {
    fn machines(&self) -> Vec<Machine>;
    /// The private host key in the user data of an instance.
    fn host_key(&self, id: &str) -> Option<String>;
}

/// A thread that looks after the servers. `dir` has the keys `user` and `host`, and `ssh_config`, by
/// which the addresses of the instances lead to their servers.
pub(crate) struct Turner {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    servers: Servers,
    /// While this is set, no machine gets its server.
    pub(crate) late: Arc<AtomicBool>,
}

struct Work {
    machines: Arc<dyn Machines>,
    dir: PathBuf,
    variables: String,
    servers: Servers,
    late: Arc<AtomicBool>,
}

impl Turner {
    /// Sessions get the variables, as `NAME=VALUE`.
    pub(crate) fn start(machines: Arc<dyn Machines>, dir: &Path, variables: &str) -> Self {
        keygen(&dir.join("user"));
        keygen(&dir.join("host"));
        fs::write(dir.join("ssh_config"), NOBODY).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let late = Arc::new(AtomicBool::new(false));
        let servers = Arc::new(Mutex::new(BTreeMap::new()));
        let work = Work {
            machines,
            dir: dir.to_owned(),
            variables: variables.to_owned(),
            servers: Arc::clone(&servers),
            late: Arc::clone(&late),
        };
        let end = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                work.turn();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self {
            over,
            thread: Some(thread),
            servers,
            late,
        }
    }

    /// Kills the server of an instance and everything that runs below it.
    pub(crate) fn power_off(&self, id: &str) {
        let server = self.servers.lock().unwrap().remove(id);
        kill_below(server.unwrap().1.pid());
    }
}

impl Work {
    fn turn(&self) {
        for machine in self.machines.machines() {
            // All the time, so that whoever powers a machine off finds it.
            let mut servers = self.servers.lock().unwrap();
            let known = servers.remove(&machine.id);
            if !machine.is_running {
                if let Some((_, server)) = known {
                    kill_below(server.pid());
                }
                continue;
            }
            let address = machine.address.clone().unwrap();
            let server = match known {
                // moto gives an instance that runs another address when it is started once more.
                Some((at, server)) if at == address => (at, server),
                Some((_, server)) => self.reachable(address, server),
                None if self.late.load(Ordering::Relaxed) => continue,
                None => self.reachable(address, self.server(&machine)),
            };
            servers.insert(machine.id, server);
        }
    }

    fn server(&self, machine: &Machine) -> Sshd {
        let host = self.machines.host_key(&machine.id);
        let host = host.unwrap_or_else(|| fs::read_to_string(self.dir.join("host")).unwrap());
        let users = fs::read_to_string(self.dir.join("user.pub")).unwrap();
        Sshd::with_keys(&host, &users, &self.variables)
    }

    /// Lets an address lead to a server.
    fn reachable(&self, address: String, server: Sshd) -> (String, Sshd) {
        let others = fs::read_to_string(self.dir.join("ssh_config")).unwrap();
        // The first that fits counts.
        let config = format!(
            "Host {address}\n  HostName 127.0.0.1\n  Port {}\n{others}",
            server.port
        );
        // In one piece: a client may read it at any time.
        fs::write(self.dir.join("ssh_config.new"), config).unwrap();
        fs::rename(self.dir.join("ssh_config.new"), self.dir.join("ssh_config")).unwrap();
        (address, server)
    }
}

impl Drop for Turner {
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
