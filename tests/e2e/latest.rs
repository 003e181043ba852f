//! `ci latest` on every branch of its decision, against a real registry.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;

use crate::registry::{Registry, USER};
use crate::support::{Project, ci_path};

/// Nothing of the machine that runs the tests decides.
const VARIABLES: [&str; 12] = [
    "RELEASE_REGISTRY_IMAGE",
    "RELEASE_REGISTRY_USER",
    "RELEASE_REGISTRY_PASSWORD",
    "CI_REGISTRY",
    "CI_COMMIT_TAG",
    "UPDATE_LATEST_STRATEGY",
    "TAG_TYPE_OVERRIDE",
    "CI_API_V4_URL",
    "CI_PROJECT_ID",
    "GITLAB_TOKEN",
    "CI_JOB_TOKEN",
    "DOCKER_CONFIG",
];

/// A project with an annotated tag `1.8.7` and a lightweight one `1.8.8`, and a registry with `app`.
struct Place {
    project: Project,
    registry: Registry,
}

impl Place {
    fn new(versions: &[&str]) -> Self {
        let place = Self {
            project: Project::of_vendor(".gitlab-ci.yml", "a: {script: [\"true\"]}\n"),
            registry: Registry::open(),
        };
        for version in versions {
            place.registry.put(&format!("app:{version}"), version);
        }
        place
    }

    fn git(&self, words: &[&str]) {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(words);
        let done = command
            .current_dir(self.project.path())
            .status()
            .expect("git");
        assert!(done.success(), "git {words:?}");
    }

    fn command(&self, tag: &str, args: &[&str], env: &[(&str, &str)]) -> Command {
        let image = format!("{}/app", self.registry.host);
        let words = [
            "latest", "--format", "json", "--image", &image, "--tag", tag,
        ];
        let mut command = self.project.command(&[&words[..], args].concat());
        for name in VARIABLES {
            command.env_remove(name);
        }
        command.envs(env.iter().copied());
        command
    }

    /// What `ci latest` decides, with the reasons.
    fn latest(&self, tag: &str, args: &[&str], env: &[(&str, &str)]) -> (bool, Value) {
        let done = self.command(tag, args, env).output().expect("ci starts");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{tag} {args:?}: {said}");
        let document: Value = serde_json::from_slice(&done.stdout).expect("a document");
        (document["moves"] == true, document["steps"].clone())
    }

    /// Whether `latest` is this version now.
    fn is(&self, version: &str) -> bool {
        self.registry.same("app:latest", &format!("app:{version}"))
    }
}

fn why(steps: &Value, what: &str) -> String {
    let steps = steps.as_array().expect("steps");
    let step = steps
        .iter()
        .find(|step| step["what"] == what)
        .expect("that step");
    step["why"].as_str().expect("words").to_owned()
}

#[test]
fn force_always_moves_and_skip_never_does() {
    let place = Place::new(&["1.0.0", "0.1alpha"]);
    assert!(place.latest("0.1alpha", &["--strategy", "force"], &[]).0);
    assert!(place.is("0.1alpha"));
    assert!(!place.latest("1.0.0", &["--strategy", "skip"], &[]).0);
    let variable = [("UPDATE_LATEST_STRATEGY", "Force")];
    assert!(place.latest("1.0.0", &["--dry-run"], &variable).0);
    assert!(place.is("0.1alpha"), "nothing moves in a dry run");
    assert!(place.latest("1.0.0", &[], &variable).0);
    assert!(place.is("1.0.0"));
    let wrong = place
        .command("1.0.0", &[], &[("UPDATE_LATEST_STRATEGY", "maybe")])
        .output();
    let wrong = wrong.expect("ci starts");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("`force`, `skip`, `auto`"));
}

#[test]
fn the_kind_of_the_tag_is_found_in_the_order_of_the_sources() {
    let place = Place::new(&["1.8.6", "1.8.7", "1.8.8", "1.9.0", "1.9.1alpha"]);
    place.git(&["tag", "-a", "-m", "Release", "1.8.7"]);
    place.git(&["tag", "1.8.8"]);
    // There is no latest yet; git says annotated.
    let (moves, steps) = place.latest("1.8.7", &[], &[]);
    assert!(moves && place.is("1.8.7"));
    assert!(why(&steps, "tag kind").contains("its git object is a tag"));
    assert_eq!(why(&steps, "latest"), "there is none yet");
    // Git says lightweight, and a person says otherwise.
    let (moves, steps) = place.latest("1.8.8", &[], &[]);
    assert!(!moves && why(&steps, "tag kind").contains("its git object is no tag"));
    let said = [("TAG_TYPE_OVERRIDE", "annotated")];
    assert!(place.latest("1.8.8", &[], &said).0 && place.is("1.8.8"));
    assert!(
        !place
            .latest("1.9.0", &["--tag-type", "lightweight"], &said)
            .0
    );
    // Git does not know the tag: the forge does, with a message or without one.
    for (message, moves) in [
        ("null", false),
        ("\"\"", false),
        ("\"Release 1.9.0\"", true),
    ] {
        let forge = Forge::start(message);
        let env = [
            ("CI_API_V4_URL", forge.url.as_str()),
            ("CI_PROJECT_ID", "42"),
            ("CI_JOB_TOKEN", "t0ken"),
        ];
        let (moved, steps) = place.latest("1.9.0", &[], &env);
        assert_eq!(moved, moves, "{message}");
        assert!(
            why(&steps, "tag kind").contains("the forge knows"),
            "{steps}"
        );
        let request = forge.request();
        assert!(
            request.starts_with("GET /api/v4/projects/42/repository/tags/1.9.0 "),
            "{request}"
        );
        assert!(
            request.to_lowercase().contains("job-token: t0ken"),
            "{request}"
        );
    }
    assert!(place.is("1.9.0"));
    // Nobody knows: the name tells.
    let (moves, steps) = place.latest("1.9.1alpha", &[], &[]);
    assert!(!moves && why(&steps, "tag kind").contains("`alpha`"));
    let unreachable = [
        ("CI_API_V4_URL", "http://127.0.0.1:9/api/v4"),
        ("CI_PROJECT_ID", "42"),
    ];
    let (moves, steps) = place.latest("1.8.6", &[], &unreachable);
    assert!(
        !moves && why(&steps, "versions").contains("older than `1.9.0`"),
        "{steps}"
    );
}

#[test]
fn versions_are_compared_by_the_chosen_order() {
    let place = Place::new(&["1.8.7alpha", "1.8.7", "v1.2", "1.10"]);
    let annotated = ["--tag-type", "annotated"];
    let sort_v = ["--tag-type", "annotated", "--version-order", "sort-v"];
    place.registry.put("app:latest", "1.8.7alpha");
    assert!(
        !place.latest("1.8.7", &sort_v, &[]).0,
        "sort -V has the alpha above"
    );
    assert!(place.latest("1.8.7", &annotated, &[]).0);
    assert!(
        !place.latest("1.8.7", &annotated, &[]).0,
        "it is there already"
    );
    assert!(!place.latest("1.8.7alpha", &annotated, &[]).0);
    place.registry.put("app:latest", "v1.2");
    assert!(
        !place.latest("1.10", &sort_v, &[]).0,
        "sort -V has the v above"
    );
    assert!(place.latest("1.10", &annotated, &[]).0 && place.is("1.10"));
    // No version tag has the digest of latest.
    place.registry.put("app:latest", "by hand");
    let (moves, steps) = place.latest("1.8.7", &annotated, &[]);
    assert!(
        !moves && why(&steps, "latest").contains("`1.10`, stands in"),
        "{steps}"
    );
    assert!(place.latest("1.10", &annotated, &[]).0 && place.is("1.10"));
}

#[test]
fn releases_have_a_registry_and_credentials_of_their_own() {
    let project = Project::new("");
    let release = Registry::with_lock();
    release.put("public/app:1.0", "1.0");
    let image = format!("{}/public/app", release.host);
    let run = |env: &[(&str, &str)]| {
        let mut command = project.command(&["latest"]);
        for name in VARIABLES {
            command.env_remove(name);
        }
        command
            .env("HOME", project.path())
            .envs(env.iter().copied());
        command.output().expect("ci starts")
    };
    let mut env = vec![
        ("RELEASE_REGISTRY_IMAGE", image.as_str()),
        ("CI_COMMIT_TAG", "1.0"),
    ];
    let refused = run(&env);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("credentials"));
    env.extend([
        ("RELEASE_REGISTRY_USER", USER.0),
        ("RELEASE_REGISTRY_PASSWORD", USER.1),
    ]);
    let done = run(&env);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(said.contains("nothing is newer than `1.0`"), "{said}");
    assert!(release.same("public/app:latest", "public/app:1.0"));
    let nothing = run(&[("CI_COMMIT_TAG", "1.0")]);
    assert_eq!(nothing.status.code(), Some(2));
}

#[test]
fn of_two_releases_at_once_the_newer_is_latest_in_the_end() {
    let place = Place::new(&["1.8", "1.9", "1.10"]);
    for round in 0..4 {
        place.registry.put("app:latest", "1.8");
        // Both begin as nearly at once as processes can; which one is first changes.
        let mut tags = ["1.9", "1.10"];
        if round % 2 == 1 {
            tags.reverse();
        }
        let annotated = ["--tag-type", "annotated"];
        let both = tags.map(|tag| {
            let mut command = place.command(tag, &annotated, &[]);
            command.stdout(std::process::Stdio::piped());
            command.spawn().expect("ci starts")
        });
        let moves = both.map(|child| {
            let done = child.wait_with_output().expect("ended");
            assert!(done.status.success());
            let document: Value = serde_json::from_slice(&done.stdout).expect("a document");
            (document["tag"] == "1.10", document["moves"] == true)
        });
        // The newer one always moves it; the older one does, if it came first.
        assert!(moves.contains(&(true, true)), "round {round}: {moves:?}");
        assert!(place.is("1.10"), "round {round}: {moves:?}");
    }
    // They show up as runs, one after the other.
    let runs = place.project.ci(&["runs", "--format", "json"]).ok().json();
    assert_eq!(runs["total"], 8);
    assert!(ci_path().is_file());
}

/// A forge that knows one tag.
struct Forge {
    url: String,
    thread: std::thread::JoinHandle<String>,
}

impl Forge {
    fn start(message: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!(
            "http://{}/api/v4/",
            listener.local_addr().expect("an address")
        );
        let body = format!("{{\"name\":\"1.9.0\",\"message\":{message},\"protected\":false}}");
        let thread = std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("asked");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                connection.read_exact(&mut byte).expect("a request");
                request.push(byte[0]);
            }
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            connection.write_all(answer.as_bytes()).expect("answered");
            String::from_utf8(request).expect("text")
        });
        Self { url, thread }
    }

    /// What was asked.
    fn request(self) -> String {
        self.thread.join().expect("the forge")
    }
}
