//! Engines that are not behind a plain socket: over TLS with certificates, and over `ssh`.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails has failed"
)]

#[path = "support/engine.rs"]
mod engine;
mod support;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use ci_core::executor::{Executor, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{Command, CopyRoot, ExitStatus, TreeSelection};
use ci_docker::{DockerErrorKind, DockerExecutor, DockerOptions};
use engine::{Net, OwnEngine};
use serde_json::json;
use support::Log;

const PATIENCE: Duration = Duration::from_mins(1);

fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn executor(options: serde_json::Value) -> DockerExecutor {
    let options: BTreeMap<_, _> = serde_json::from_value(options).unwrap();
    DockerExecutor::with_options(DockerOptions::from_settings(&options).unwrap())
        .grace(support::GRACE)
}

/// Runs a job with output, input and files on an engine, and sees to it that nothing is left.
async fn works(executor: &DockerExecutor, place: &support::Place) {
    let (run, job, env) = (RunId::new(), JobSpec::new("far"), BTreeMap::new());
    let mut request = PrepareRequest::new(run, &job, &env);
    let project = tempfile::tempdir().unwrap();
    std::fs::write(project.path().join("file"), "of the project\n").unwrap();
    request.project_dir = Some(project.path().to_owned());
    let session = executor.prepare(request).await.unwrap();
    let log = Log::default();
    let script = "cat file; echo made >out; yes | head -c 1000000 | wc -c; exit 7";
    let ended = session.exec(&Command::sh(script), log.io()).await.unwrap();
    let selection = TreeSelection::default().root(CopyRoot::new("", ".").include("out"));
    let mut tree = session.copy_out(&selection).await.unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut tree, &mut bytes).map(|_| bytes)
    });
    let bytes = read.await.unwrap().unwrap();
    session.teardown().await.unwrap();
    assert_eq!(ended, ExitStatus::Code(7));
    assert_eq!(log.text(), "of the project\n1000000\n");
    assert!(bytes.windows(5).any(|it| it == b"made\n"));
    executor.settle(run).await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}

/// Makes an authority, and certificates of it for a server on loopback and for a client.
fn certificates(dir: &Path) {
    let openssl = |words: &str| {
        let done = Process::new("openssl")
            .args(words.split(' '))
            .current_dir(dir)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success(), "openssl {words}");
    };
    std::fs::write(
        dir.join("server.ext"),
        "subjectAltName=IP:127.0.0.1,DNS:localhost\n",
    )
    .unwrap();
    std::fs::write(dir.join("client.ext"), "extendedKeyUsage=clientAuth\n").unwrap();
    let new = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "{new} -x509 -days 2 -subj /CN=test-ca -keyout ca-key.pem -out ca.pem"
    ));
    for (name, key) in [("server", "server-key.pem"), ("client", "key.pem")] {
        openssl(&format!(
            "{new} -subj /CN={name} -keyout {key} -out {name}.csr"
        ));
        let out = if name == "client" {
            "cert.pem"
        } else {
            "server.pem"
        };
        openssl(&format!(
            "x509 -req -days 2 -in {name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -extfile {name}.ext -out {out}"
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_behind_tls_takes_who_has_a_certificate_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (dir.path().join("own"), dir.path().join("other"));
    for dir in [&own, &other] {
        std::fs::create_dir(dir).unwrap();
        certificates(dir);
    }
    let at = |name: &str| own.join(name).display().to_string();
    let words = [
        "--host",
        TLS,
        "--tlsverify",
        "--tlscacert",
        &at("ca.pem"),
        "--tlscert",
        &at("server.pem"),
        "--tlskey",
        &at("server-key.pem"),
    ];
    let Some(engine) = OwnEngine::with(Net::Own, &words) else {
        return;
    };
    engine.place().await;
    // Loopback is that of the engine's own network: the rest of the test goes there.
    let done = engine
        .inside(&std::env::current_exe().unwrap())
        .args(["--exact", "behind_tls", "--ignored", "--nocapture"])
        .env("CI_DOCKER_TEST_TLS", dir.path())
        .env("CI_DOCKER_TEST_SOCKET", engine.host())
        .status();
    assert!(done.unwrap().success());
}

/// Where the engine of the test above listens, in its own network.
const TLS: &str = "tcp://127.0.0.1:2376";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the inner half of the test above"]
async fn behind_tls() {
    let dir = std::path::PathBuf::from(std::env::var_os("CI_DOCKER_TEST_TLS").unwrap());
    let socket = std::env::var("CI_DOCKER_TEST_SOCKET").unwrap();
    let place = support::Place {
        client: bollard::Docker::connect_with_host(&socket).unwrap(),
        host: socket,
        image: engine::IMAGE.to_owned(),
    };
    let options = json!({
        "host": TLS, "image": place.image, "pull": "never", "certificates": dir.join("own"),
    });
    works(&executor(options.clone()), &place).await;
    let mut wrong = options.clone();
    wrong["certificates"] = json!(dir.join("other"));
    let error = executor(wrong).engine_version().await.unwrap_err();
    assert_eq!(error.kind(), DockerErrorKind::Unreachable, "{error}");
    let mut missing = options;
    missing["certificates"] = json!(dir.join("nowhere"));
    let error = executor(missing).engine_version().await.unwrap_err();
    assert_eq!(error.kind(), DockerErrorKind::Unreachable, "{error}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("key.pem"), "{source}");
}

/// A server of logins that ends with the test.
struct Sshd {
    child: Child,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sshd(dir: &Path, docker_host: &str) -> Sshd {
    for name in ["host", "user"] {
        let done = Process::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(dir.join(name))
            .status()
            .unwrap();
        assert!(done.success());
    }
    std::fs::create_dir_all("/run/sshd").unwrap();
    // Another process may take the free port first: then the server ends, and another is tried.
    let started = (0..5).find_map(|_| listen(dir, port(), docker_host));
    started.unwrap()
}

fn listen(dir: &Path, port: u16, docker_host: &str) -> Option<Sshd> {
    let at = |name: &str| dir.join(name).display().to_string();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nSetEnv DOCKER_HOST={docker_host}\n",
        at("host"),
        at("user.pub"),
    );
    std::fs::write(dir.join("sshd_config"), config).unwrap();
    let program = ["/usr/sbin/sshd", "/usr/bin/sshd"];
    let program = program
        .into_iter()
        .find(|it| Path::new(it).exists())
        .unwrap();
    let child = Process::new(program)
        .args(["-D", "-e", "-f", &at("sshd_config")])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut sshd = Sshd { child, port };
    let began = Instant::now();
    loop {
        if sshd.child.try_wait().unwrap().is_some() {
            return None;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(sshd);
        }
        assert!(began.elapsed() < PATIENCE, "sshd does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_of_another_machine_is_reached_over_ssh() {
    let Some(place) = support::place().await else {
        return;
    };
    // Short: the name of a socket is made of it.
    let dir = tempfile::Builder::new()
        .prefix("ci")
        .tempdir_in("/tmp")
        .unwrap();
    let sshd = sshd(dir.path(), &place.host);
    // The program's own options, which no option of ours can give: a wrapper in front of it.
    let wrapper = format!(
        "#!/bin/sh\nexec /usr/bin/ssh -i {0}/user -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile={0}/known \"$@\"\n",
        dir.path().display(),
    );
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("ssh"), wrapper).unwrap();
    std::fs::set_permissions(
        bin.join("ssh"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    // Variables of a process with threads are changed in a new one.
    let done = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "over_ssh", "--ignored", "--nocapture"])
        .env("PATH", path)
        .env(
            "CI_DOCKER_TEST_SSH",
            format!("ssh://root@127.0.0.1:{}", sshd.port),
        )
        .status();
    drop(sshd);
    assert!(done.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the inner half of the test above"]
async fn over_ssh() {
    let place = support::place().await.unwrap();
    let host = std::env::var("CI_DOCKER_TEST_SSH").unwrap();
    let options = json!({"host": host, "image": place.image, "pull": "never"});
    let executor = executor(options);
    works(&executor, &place).await;
    let nobody = json!({"host": "ssh://root@127.0.0.1:1"});
    let options: BTreeMap<_, _> = serde_json::from_value(nobody).unwrap();
    let nobody = DockerExecutor::with_options(DockerOptions::from_settings(&options).unwrap());
    let error = nobody.engine_version().await.unwrap_err();
    assert_eq!(error.kind(), DockerErrorKind::Unreachable, "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
}
