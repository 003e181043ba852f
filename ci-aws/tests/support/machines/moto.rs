//! moto, a stand-in for EC2 in Python, on a loopback port.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_aws::testing::host_key_of;

use super::turner::{Machine, Machines};

/// A server that ends when this is dropped.
pub(crate) struct Moto {
    server: Child,
    port: u16,
    _log: tempfile::TempDir,
}

/// A program beside moto, such as `aws`. `tests/run.sh` installs them, and names their directory in
/// `CI_CORE_AWS_TOOLS`.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("CI_CORE_AWS_TOOLS").map(PathBuf::from);
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/aws-tools/bin");
    let found = dir.unwrap_or_else(built).join(name);
    if found.is_file() {
        return Some(found);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "there is no `{}`; tests/run.sh installs it",
        found.display()
    );
    eprintln!(
        "NOT TESTED: there is no `{}`; tests/run.sh installs it",
        found.display()
    );
    None
}

impl Moto {
    /// Nothing where it is not installed, which is said, and a failure on a CI machine.
    pub(crate) fn start() -> Option<Arc<Self>> {
        let program = tool("moto_server")?;
        // Another process may take the free port first: then the server ends, and another is tried.
        for _ in 0..5 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            if let Some(moto) = Self::listen(&program, port) {
                return Some(Arc::new(moto));
            }
        }
        panic!("`{}` does not start", program.display());
    }

    fn listen(program: &Path, port: u16) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let server = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut moto = Self {
            server,
            port,
            _log: dir,
        };
        let end = Instant::now() + Duration::from_mins(2);
        while Instant::now() < end {
            if moto.server.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(moto);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        None
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks in the query protocol of EC2, and gives the answer, which is XML.
    pub(crate) fn ask(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let mut body = format!("Action={action}&Version=2016-11-15");
        for (name, value) in parameters {
            body.push('&');
            body.push_str(name);
            body.push('=');
            for byte in value.bytes() {
                match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                        body.push(char::from(byte));
                    }
                    _ => write!(body, "%{byte:02X}").unwrap(),
                }
            }
        }
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        // It finds the service and the region there, and checks no signature.
        let scope = "Credential=key/20260101/eu-north-1/ec2/aws4_request";
        write!(
            stream,
            "POST / HTTP/1.0\r\nHost: ec2.eu-north-1.amazonaws.com\r\n\
             Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, xml) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.lines().next().unwrap().contains(" 200"),
            "`{action}` failed: {answer}"
        );
        xml.to_owned()
    }

    /// Launches an instance that nobody of ours knows, with tags.
    pub(crate) fn launch(&self, tags: &[(&str, &str)]) -> String {
        let mut parameters = vec![
            ("ImageId".to_owned(), "ami-12c6146b"),
            ("MinCount".to_owned(), "1"),
            ("MaxCount".to_owned(), "1"),
        ];
        if !tags.is_empty() {
            parameters.push(("TagSpecification.1.ResourceType".to_owned(), "instance"));
        }
        for (at, (name, value)) in tags.iter().enumerate() {
            let start = format!("TagSpecification.1.Tag.{}", at + 1);
            parameters.push((format!("{start}.Key"), name));
            parameters.push((format!("{start}.Value"), value));
        }
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        let answer = self.ask("RunInstances", &parameters);
        between(&answer, "<instanceId>", "</instanceId>").unwrap()
    }

    /// Makes a launch template with user data in base64.
    pub(crate) fn template(&self, name: &str, user_data: &str) {
        self.ask(
            "CreateLaunchTemplate",
            &[
                ("LaunchTemplateName", name),
                ("LaunchTemplateData.ImageId", "ami-12c6146b"),
                ("LaunchTemplateData.InstanceType", "c7g.large"),
                ("LaunchTemplateData.UserData", user_data),
            ],
        );
    }

    /// Whether an instance runs.
    pub(crate) fn is_running(&self, id: &str) -> bool {
        let machines = self.machines();
        machines.iter().any(|it| it.id == id && it.is_running)
    }

    /// The instances that cost money.
    pub(crate) fn live(&self) -> Vec<String> {
        let machines = self.machines().into_iter();
        machines
            .filter(|it| it.is_running)
            .map(|it| it.id)
            .collect()
    }

    /// The user data of an instance, in base64.
    pub(crate) fn user_data(&self, id: &str) -> Option<String> {
        let answer = self.ask(
            "DescribeInstanceAttribute",
            &[("InstanceId", id), ("Attribute", "userData")],
        );
        between(&answer, "<value>", "</value>")
    }
}

impl Machines for Moto {
    fn machines(&self) -> Vec<Machine> {
        let answer = self.ask("DescribeInstances", &[]);
        let parts = answer.split("<instanceId>").skip(1);
        parts
            .map(|part| {
                let state = part.split("<instanceState>").nth(1).unwrap_or_default();
                let state = between(state, "<name>", "</name>").unwrap_or_default();
                Machine {
                    id: part.split('<').next().unwrap_or_default().to_owned(),
                    is_running: matches!(state.as_str(), "running" | "pending"),
                    address: between(part, "<ipAddress>", "</ipAddress>"),
                }
            })
            .collect()
    }

    fn host_key(&self, id: &str) -> Option<String> {
        let data = self.user_data(id)?;
        let mut base64 = Command::new("base64")
            .arg("-d")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = base64.stdin.take().unwrap();
        stdin.write_all(data.as_bytes()).unwrap();
        drop(stdin);
        let decoded = base64.wait_with_output().unwrap().stdout;
        host_key_of(&String::from_utf8_lossy(&decoded))
    }
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once(start)?;
    let (found, _) = rest.split_once(end)?;
    Some(found.to_owned())
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
