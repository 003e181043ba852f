//! Registries for the tests: real ones, on loopback ports, each with a directory of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test without its registry has failed"
)]
#![expect(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ci_docker::registry::ImageName;

/// Who may use a registry with a lock, and the password in the form of htpasswd (bcrypt).
pub const USER: (&str, &str) = ("ci", "open sesame");
const HTPASSWD: &str = "ci:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n";

/// A registry that ends with the test.
#[derive(Debug)]
pub struct TestRegistry {
    child: Child,
    dir: tempfile::TempDir,
    /// `127.0.0.1:PORT`.
    pub host: String,
}

impl TestRegistry {
    /// A registry for everybody.
    pub fn open() -> Self {
        Self::start(false)
    }

    /// A registry for [`USER`] alone.
    pub fn with_lock() -> Self {
        Self::start(true)
    }

    fn start(locked: bool) -> Self {
        // Another process may take the free port first: then the registry ends, and another is tried.
        let started = (0..5).find_map(|_| Self::listen(locked));
        started.expect("a registry that starts")
    }

    fn listen(locked: bool) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let host = format!("127.0.0.1:{port}");
        let passwords = dir.path().join("htpasswd");
        std::fs::write(&passwords, HTPASSWD).unwrap();
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
        std::fs::write(&file, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry, of Debian's package of that name");
        let mut registry = Self { child, dir, host };
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if registry.child.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(&registry.host).is_ok() {
                return Some(registry);
            }
            assert!(Instant::now() < deadline, "the registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// An image in it.
    pub fn image(&self, name: &str) -> ImageName {
        format!("{}/{name}", self.host).parse().unwrap()
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What skopeo, as an independent reader, finds: its raw manifest.
pub fn skopeo_raw(image: &ImageName) -> serde_json::Value {
    let text = skopeo(&[
        "inspect",
        "--raw",
        "--tls-verify=false",
        &format!("docker://{image}"),
    ]);
    serde_json::from_str(&text).unwrap()
}

/// The digest that skopeo computes.
pub fn skopeo_digest(image: &ImageName) -> String {
    let name = format!("docker://{image}");
    let words = [
        "inspect",
        "--tls-verify=false",
        "--override-os=linux",
        "--override-arch=amd64",
    ];
    let text = skopeo(&[&words[..], &["--format", "{{.Digest}}", &name]].concat());
    text.trim().to_owned()
}

/// Runs skopeo and gives what it prints.
pub fn skopeo(words: &[&str]) -> String {
    let done = Command::new("skopeo")
        .args(words)
        .output()
        .expect("skopeo, of Debian's package");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "skopeo {words:?}: {said}");
    String::from_utf8(done.stdout).unwrap()
}

/// Puts blobs and a manifest by plain requests, as no other client would let us, and gives the digest.
pub async fn put_raw(
    image: &ImageName,
    blobs: &[&[u8]],
    media_type: &str,
    manifest: Vec<u8>,
) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let base = format!("http://{}/v2/{}", image.registry(), image.repository());
    for blob in blobs {
        let begun = client
            .post(format!("{base}/blobs/uploads/"))
            .send()
            .await
            .unwrap();
        let location = begun.headers()["location"].to_str().unwrap().to_owned();
        let separator = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{separator}digest={}", sha256(blob));
        let put = client.put(url).body(blob.to_vec()).send().await.unwrap();
        assert!(put.status().is_success(), "{}", put.status());
    }
    let digest = sha256(&manifest);
    let name = image.digest().or(image.tag()).unwrap();
    let put = client
        .put(format!("{base}/manifests/{name}"))
        .header("content-type", media_type)
        .body(manifest)
        .send()
        .await
        .unwrap();
    assert!(
        put.status().is_success(),
        "{}",
        put.text().await.unwrap_or_default()
    );
    digest
}

/// The digest of some bytes.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    let digest = sha2::Sha256::digest(bytes);
    let mut text = "sha256:".to_owned();
    for byte in digest {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Puts an image with one layer for a platform, made by hand; `mark` makes it differ from others.
pub async fn put_image(image: &ImageName, platform: &str, mark: &str) -> String {
    let (os, architecture) = platform.split_once('/').unwrap();
    let config = serde_json::json!({
        "architecture": architecture, "os": os, "config": { "Labels": { "mark": mark } },
        "rootfs": { "type": "layers", "diff_ids": [sha256(mark.as_bytes())] },
    });
    let config = serde_json::to_vec(&config).unwrap();
    let layer = mark.as_bytes();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256(&config), "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": sha256(layer), "size": layer.len() }],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    put_raw(image, &[&config, layer], media_type, manifest).await
}
