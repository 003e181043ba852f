//! A real OpenSSH server on a loopback port, with keys and a configuration of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that ends when this is dropped.
pub(crate) struct Sshd {
    dir: tempfile::TempDir,
    server: Child,
    pub(crate) port: u16,
}

/// Whether there is no server program. On a CI machine that is a failure; elsewhere it is said.
pub(crate) fn missing() -> bool {
    if program().is_some() {
        return false;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "there is no `sshd`; install openssh-server"
    );
    eprintln!("NOT TESTED: there is no `sshd` on this machine; install openssh-server");
    true
}

fn program() -> Option<PathBuf> {
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
    // The server starts itself anew for each connection, and wants its absolute path for that.
    places.iter().map(PathBuf::from).find(|path| path.is_file())
}

fn run(program: &str, args: &[&str]) {
    let done = Command::new(program).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "`{program}` failed: {said}");
}

impl Sshd {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for key in ["host", "other", "user"] {
            keygen(&dir.path().join(key));
        }
        Self::listen(dir, "", false)
    }

    /// With a disk of one megabyte below `root`. Nothing where nobody may mount one, which is said.
    pub(crate) fn with_small_disk() -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            eprintln!("NOT TESTED: only root can give a machine a small disk");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        for key in ["host", "user"] {
            keygen(&dir.path().join(key));
        }
        Some(Self::listen(dir, "", true))
    }

    /// With a private host key, for the public keys of users; sessions get the variables, `NAME=VALUE`.
    pub(crate) fn with_keys(host: &str, users: &str, variables: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("host"), host).unwrap();
        fs::write(dir.path().join("user.pub"), users).unwrap();
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(dir.path().join("host"), private).unwrap();
        Self::listen(dir, variables, false)
    }

    fn listen(dir: tempfile::TempDir, variables: &str, is_small: bool) -> Self {
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        if rustix::process::getuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        // Another process may take the free port first: then the server ends, and another is tried.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            if let Some(server) = serve(dir.path(), port, variables, is_small) {
                return Self { dir, server, port };
            }
        }
        let log = fs::read_to_string(dir.path().join("log")).unwrap();
        panic!("the server does not start: {log}");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn public_key(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap()
    }

    /// The directories of sessions that exist.
    pub(crate) fn sessions(&self) -> Vec<PathBuf> {
        let inside = |path: PathBuf| -> Vec<PathBuf> {
            let entries = fs::read_dir(path).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path()).collect()
        };
        inside(self.path("root"))
            .into_iter()
            .flat_map(inside)
            .collect()
    }

    /// The number of the server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }
}

/// Makes a key pair.
pub(crate) fn keygen(file: &Path) {
    let file = file.to_str().unwrap();
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", file]);
}

fn serve(dir: &Path, port: u16, variables: &str, is_small: bool) -> Option<Child> {
    let at = dir.display();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nPidFile {at}/pid\n\
         AuthorizedKeysFile {at}/user.pub\nAuthenticationMethods publickey\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\n\
         PermitRootLogin prohibit-password\nMaxStartups 50:30:100\nMaxSessions 50\n\
         LogLevel VERBOSE\nSetEnv HOME={at}/home {variables}\n"
    );
    // The start-up files of whoever runs the tests may take their time, or wait for each other.
    fs::create_dir_all(dir.join("home")).unwrap();
    fs::write(dir.join("config"), config).unwrap();
    let log = fs::File::create(dir.join("log")).unwrap();
    let mut command = Command::new(program().unwrap());
    if is_small {
        let script = "mount -t tmpfs -o size=1m,mode=700 none \"$0\" && exec \"$@\"";
        fs::create_dir_all(dir.join("root")).unwrap();
        command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script]);
        command.arg(dir.join("root")).arg(program().unwrap());
    }
    let mut server = command
        .args(["-D", "-e", "-f"])
        .arg(dir.join("config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        if server.try_wait().unwrap().is_some() {
            return None;
        }
        // Only whoever has the port writes it; another server may have been faster.
        if dir.join("pid").exists() && TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(server);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = server.kill();
    let _ = server.wait();
    None
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
