//! Who is told how a run ends: a mail server and a webhook's receiver of other makers, and servers that
//! are not there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Project, python};

/// A mail server (aiosmtpd) and a receiver that verifies signatures (standardwebhooks). What they get
/// stands in a file, a line each, before they answer.
const SERVERS: &str = r#"
import asyncio, http.server, json, ssl, sys, threading
from aiosmtpd.controller import UnthreadedController
from standardwebhooks import Webhook

lock = threading.Lock()
def record(kind, **what):
    with lock, open(sys.argv[1], "a") as file:
        file.write(json.dumps({"kind": kind, **what}) + "\n")

class Mail:
    async def handle_DATA(self, server, session, envelope):
        record("mail", sender=envelope.mail_from, to=envelope.rcpt_tos, text=envelope.content.decode())
        return "250 taken"

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        verified = False
        try:
            Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").verify(body, dict(self.headers.items()))
            verified = True
        except Exception as problem:
            print(problem, file=sys.stderr)
        record("post", path=self.path, verified=verified, body=json.loads(body))
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass

tls = None
if len(sys.argv) > 2:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(sys.argv[2])

loop = asyncio.new_event_loop()
asks = {"tls_context": tls, "require_starttls": True} if tls else {}
mail = UnthreadedController(Mail(), hostname="127.0.0.1", port=0, loop=loop, **asks)
mail.begin()
other = UnthreadedController(Mail(), hostname="127.0.0.1", port=0, loop=loop, ssl_context=tls)
other.begin()
threading.Thread(target=loop.run_forever, daemon=True).start()
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if tls:
    web.socket = tls.wrap_socket(web.socket, server_side=True)
ports = [it.server.sockets[0].getsockname()[1] for it in (mail, other)]
print(json.dumps([*ports, web.server_port]), flush=True)
web.serve_forever()
"#;

struct Servers {
    process: Child,
    mail: u64,
    /// The one that is encrypted from its first byte, where servers are encrypted.
    other: u64,
    web: u64,
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Servers {
    fn start(project: &Project) -> Self {
        Self::with(project, &[])
    }

    /// Servers that are encrypted, if a file with a key and its certificate is given.
    fn with(project: &Project, certificate: &[&Path]) -> Self {
        let mut process = Command::new(python())
            .args(["-c", SERVERS])
            .arg(project.path().join("got.jsonl"))
            .args(certificate)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("read");
        let ports: Vec<u64> = serde_json::from_str(&line).expect("three ports");
        Self {
            process,
            mail: ports[0],
            other: ports[1],
            web: ports[2],
        }
    }
}

const WORKFLOW: &str = "version: 1\nname: build\njobs:\n  test: {steps: [run: 'test -f good']}\n";

fn got(project: &Project) -> Vec<Value> {
    let text = project.read("got.jsonl");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn mail_chat_and_webhook_hear_of_changes() {
    let project = Project::new(WORKFLOW);
    let servers = Servers::start(&project);
    project.write(
        ".ci/settings.yml",
        &format!(
            "version: 1
notify:
  run_url: https://ci.example.org/{{run}}
  channels:
    mail: {{email: {{server: 127.0.0.1, port: {}, security: none, from: ci@example.org, to: [team@example.org]}}}}
    team: {{chat: {{webhook: $TEAM_HOOK}}}}
    ops: {{webhook: {{url: 'http://127.0.0.1:{}/ops', secret: $ops/SIGNING_KEY}}}}
  rules:
    - {{to: [mail, team], changed: true}}
    - {{to: [ops], jobs: ['*'], outcomes: [failed]}}
",
            servers.mail, servers.web
        ),
    );
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    project.write("contexts.yml", &format!("ops: {{SIGNING_KEY: {key}}}\n"));
    let run = |code: i32| {
        let mut command = project.command(&["run", "-q", "--context", "contexts.yml"]);
        let hook = format!("http://127.0.0.1:{}/team", servers.web);
        let output = command.env("TEAM_HOOK", hook).output().expect("ci");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(!said.contains("notify:"), "{said}");
    };
    run(1);
    let first = got(&project);
    assert_eq!(first.len(), 3, "{first:?}");
    let of = |kind: &str, path: Option<&str>| {
        let fits = |it: &&Value| it["kind"] == kind && path.is_none_or(|path| it["path"] == path);
        first.iter().find(fits).expect("it came").clone()
    };
    let mail = of("mail", None);
    assert_eq!(mail["to"][0], "team@example.org");
    let text = mail["text"].as_str().expect("a text");
    assert!(text.contains("Subject: build failed"), "{text}");
    assert!(text.contains("job test: exit code 1"), "{text}");
    assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
    let chat = of("post", Some("/team"));
    let text = chat["body"]["text"].as_str().expect("a text");
    assert!(text.contains("|build failed"), "{text}");
    let hook = of("post", Some("/ops"));
    assert_eq!(hook["verified"], true, "{hook}");
    assert_eq!(hook["body"]["notices"][0]["what"]["job"]["name"], "test");
    // The same again is no change; a success is one.
    run(1);
    assert_eq!(got(&project).len(), 4, "only the webhook");
    project.write("good", "");
    run(0);
    let all = got(&project);
    assert_eq!(all.len(), 6);
    let again = |it: &Value| it.to_string().contains("build succeeded again");
    assert!(all[4..].iter().all(again), "{all:?}");
}

/// A certificate for this machine from an authority of its own: `ca.pem`, and `server.pem` with its key.
fn authority(dir: &Path) {
    let openssl = |words: &[&str]| {
        let done = Command::new("openssl")
            .args(words)
            .current_dir(dir)
            .output();
        let done = done.expect("openssl");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{words:?}: {said}");
    };
    let key = ["-newkey", "rsa:2048", "-nodes"];
    let ca = [
        "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30",
    ];
    openssl(&[&["req", "-subj", "/CN=own"], &key[..], &ca[..]].concat());
    let ask = ["-keyout", "server.key", "-out", "server.csr"];
    openssl(&[&["req", "-subj", "/CN=127.0.0.1"], &key[..], &ask[..]].concat());
    let names = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n";
    std::fs::write(dir.join("names"), names).expect("written");
    let sign = [
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "30",
    ];
    let files = [
        "-in",
        "server.csr",
        "-out",
        "server.crt",
        "-extfile",
        "names",
    ];
    openssl(&[&["x509", "-req"], &sign[..], &files[..]].concat());
    let both = ["server.key", "server.crt"].map(|it| std::fs::read(dir.join(it)).expect("read"));
    std::fs::write(dir.join("server.pem"), both.concat()).expect("written");
}

#[test]
fn mail_and_forges_of_an_own_authority_are_trusted_if_asked() {
    let project = Project::new(WORKFLOW);
    project.write("good", "");
    authority(project.path());
    let servers = Servers::with(&project, &[&project.path().join("server.pem")]);
    let settings = |ca_file: &str| {
        let mail = |port: u64, security: &str| {
            format!(
                "{{email: {{server: 127.0.0.1, port: {port}, security: {security}, from: ci@example.org, to: [team@example.org]}}, attempts: 1}}"
            )
        };
        let text = format!(
            "version: 1
notify:
  {ca_file}
  channels:
    starttls: {}
    tls: {}
    forge: {{status: {{forge: gitea, api: 'https://127.0.0.1:{}/api/v1', repository: a/b, token: $TOKEN}}, attempts: 1}}
  rules: [{{to: [starttls, tls, forge], outcomes: [success]}}]
",
            mail(servers.mail, "starttls"),
            mail(servers.other, "tls"),
            servers.web
        );
        project.write(".ci/settings.yml", &text);
    };
    let run = || {
        let mut command = project.command(&["run", "-q"]);
        let output = command
            .env("TOKEN", "t0ken-of-the-forge")
            .output()
            .expect("ci");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    project.git(&["init", "-q"]);
    project.git(&["add", "."]);
    project.git(&["commit", "-q", "-m", "one"]);
    settings("");
    let said = run();
    for channel in ["starttls", "tls", "forge"] {
        let told = format!("a notice did not reach `{channel}`");
        assert!(said.contains(&told), "{said}");
    }
    assert!(!project.path().join("got.jsonl").exists());
    settings("ca_file: ca.pem");
    let said = run();
    assert!(!said.contains("notify:"), "{said}");
    let got = got(&project);
    let mails = got.iter().filter(|it| it["kind"] == "mail").count();
    assert_eq!((mails, got.len()), (2, 3), "{got:?}");
    let status = got
        .iter()
        .find(|it| it["kind"] == "post")
        .expect("a status");
    let path = status["path"].as_str().expect("a path");
    assert!(path.starts_with("/api/v1/repos/a/b/statuses/"), "{path}");
    settings("ca_file: none.pem");
    assert!(run().contains("of `ca_file`"));
}

#[test]
fn who_cannot_be_told_changes_nothing_and_is_named() {
    let project = Project::new(WORKFLOW);
    project.write("good", "");
    // Nobody listens on the port of a server that has ended.
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    project.write(
        ".ci/settings.yml",
        "version: 1
notify:
  channels:
    gone: {chat: {webhook: $GONE}, attempts: 1}
    unset: {status: {forge: github, repository: a/b, token: $NOT_SET_ANYWHERE}}
  rules: [{to: [gone, unset]}]
",
    );
    let mut command = project.command(&["run", "-q", "--format", "json"]);
    let hook = format!("http://127.0.0.1:{port}/secret-part");
    let output = command.env("GONE", hook).output().expect("ci");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("notify: a notice did not reach `gone`"),
        "{said}"
    );
    assert!(
        said.contains("`unset`: the variable `$NOT_SET_ANYWHERE` is not set"),
        "{said}"
    );
    assert!(!said.contains("secret-part"), "{said}");
    // Its output for programs ends with the run as ever.
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        stdout
            .trim_end()
            .lines()
            .last()
            .expect("events")
            .contains("run_finished")
    );
}

#[test]
fn a_secret_in_the_settings_is_refused_and_not_repeated() {
    let project = Project::new(WORKFLOW);
    project.write(
        ".ci/settings.yml",
        "version: 1\nnotify:\n  channels:\n    team: {chat: {webhook: 'https://chat.example.org/hunter22'}}\n",
    );
    let done = project.ci(&["run"]).exits(2);
    assert!(done.stderr.contains("settings.yml:4:"), "{}", done.stderr);
    assert!(!done.stderr.contains("hunter22"), "{}", done.stderr);
}
