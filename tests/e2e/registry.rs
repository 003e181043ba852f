//! Registries for the tests, and images for them made without an engine.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::until;

/// Who may use a registry with a lock, and the password in the form of htpasswd (bcrypt).
pub(crate) const USER: (&str, &str) = ("ci", "open sesame");
const HTPASSWD: &str = "ci:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n";

/// A registry that ends with the test.
pub(crate) struct Registry {
    child: Child,
    dir: tempfile::TempDir,
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
    locked: bool,
}

impl Registry {
    /// A registry for everybody.
    pub(crate) fn open() -> Self {
        Self::start(false)
    }

    /// A registry for [`USER`] alone.
    pub(crate) fn with_lock() -> Self {
        Self::start(true)
    }

    fn start(locked: bool) -> Self {
        // Another process may take the free port first: then the registry ends, and another is tried.
        let started = (0..5).find_map(|_| Self::listen(locked));
        started.expect("a registry that starts")
    }

    fn listen(locked: bool) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        drop(listener);
        let passwords = dir.path().join("htpasswd");
        std::fs::write(&passwords, HTPASSWD).expect("written");
        let auth = format!(
            "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            passwords.display()
        );
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{host}\"}}\n{}",
            dir.path().join("data").display(),
            if locked { auth.as_str() } else { "" },
        );
        let file = dir.path().join("config.yml");
        std::fs::write(&file, config).expect("written");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry, of Debian's package of that name");
        let mut registry = Self {
            child,
            dir,
            host,
            locked,
        };
        let mut has_ended = false;
        until("the registry answers", || {
            has_ended = registry.child.try_wait().expect("a child").is_some();
            has_ended || TcpStream::connect(&registry.host).is_ok()
        });
        (!has_ended).then_some(registry)
    }

    /// Puts an image with this mark in it.
    pub(crate) fn put(&self, name: &str, mark: &str) {
        let dir = self.dir.path().join("image");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("created");
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": { "Labels": { "mark": mark } },
            "rootfs": { "type": "layers", "diff_ids": [digest(mark.as_bytes())] },
        });
        let config = config.to_string().into_bytes();
        let kept = [config.as_slice(), mark.as_bytes()];
        for blob in kept {
            write(&dir, digest(blob).trim_start_matches("sha256:"), blob);
        }
        let [config, layer] =
            kept.map(|blob| json!({ "digest": digest(blob), "size": blob.len() }));
        let (mut config, mut layer) = (config, layer);
        config["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
        layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar");
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [layer],
        });
        write(&dir, "manifest.json", manifest.to_string().as_bytes());
        write(&dir, "version", b"Directory Transport Version: 1.1\n");
        let mut words = vec!["copy", "--dest-tls-verify=false"];
        let user = format!("{}:{}", USER.0, USER.1);
        if self.locked {
            words.extend(["--dest-creds", &user]);
        }
        let (from, to) = (
            format!("dir:{}", dir.display()),
            format!("docker://{}/{name}", self.host),
        );
        words.extend([from.as_str(), to.as_str()]);
        skopeo(&words);
    }

    /// The raw manifest that skopeo reads; nothing if there is none.
    pub(crate) fn raw(&self, name: &str) -> Option<Value> {
        let name = format!("docker://{}/{name}", self.host);
        let user = format!("{}:{}", USER.0, USER.1);
        let mut command = Command::new("skopeo");
        command.args(["inspect", "--raw", "--tls-verify=false"]);
        if self.locked {
            command.args(["--creds", &user]);
        }
        let done = command.arg(name).output().expect("skopeo");
        serde_json::from_slice(&done.stdout).ok()
    }

    /// Whether both names are the same image.
    pub(crate) fn same(&self, one: &str, other: &str) -> bool {
        let one = self.raw(one);
        one.is_some() && one == self.raw(other)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(dir: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(dir.join(name), bytes).expect("written");
}

fn skopeo(words: &[&str]) {
    let done = Command::new("skopeo").args(words).output();
    let done = done.expect("skopeo, of Debian's package of that name");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "skopeo {words:?}: {said}");
}

fn digest(bytes: &[u8]) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum");
    let mut input = child.stdin.take().expect("an input");
    input.write_all(bytes).expect("written");
    drop(input);
    let output = child.wait_with_output().expect("ended").stdout;
    let text = String::from_utf8(output).expect("text");
    format!(
        "sha256:{}",
        text.split_whitespace().next().expect("a digest")
    )
}
