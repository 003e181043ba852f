//! The example pipeline on an EC2 instance, and `ci e2c` in four shells. moto speaks for EC2, the real
//! `aws` starts and stops, the instance is a real OpenSSH server. What the instance would fetch from
//! elsewhere (uv) is a stand-in on it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use crate::machines::moto::{Moto, tool};
use crate::machines::sshd;
use crate::machines::turner::{Machines, Turner};
use crate::support::{Done, Project, ci_path, job};

const IMAGE: &str = "lenie-ai-server:latest";

/// A project, EC2, and a directory with the keys and the programs of the instance.
struct Place {
    project: Project,
    _turner: Turner,
    moto: Arc<Moto>,
    box_dir: tempfile::TempDir,
    instance: String,
}

impl Place {
    fn new() -> Option<Self> {
        let moto = Moto::start().filter(|_| !sshd::missing())?;
        let box_dir = tempfile::tempdir().expect("a directory");
        programs(&box_dir.path().join("bin"))?;
        let search = format!(
            "PATH={}:{}",
            box_dir.path().join("bin").display(),
            std::env::var("PATH").expect("a path")
        );
        let machines = Arc::clone(&moto) as Arc<dyn Machines>;
        let turner = Turner::start(machines, box_dir.path(), &search);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/pipelines/ec2");
        let config = std::fs::read_to_string(source.join(".circleci/config.yml"));
        let project = Project::of_vendor(".circleci/config.yml", &config.expect("a pipeline"));
        crate::quickstart::copy(&source, project.path());
        let instance = moto.launch(&[("Name", "runner")]);
        moto.ask("StopInstances", &[("InstanceId.1", &instance)]);
        let place = Self {
            project,
            _turner: turner,
            moto,
            box_dir,
            instance,
        };
        place.settings();
        place.project.commit(".");
        Some(place)
    }

    fn path(&self, name: &str) -> String {
        self.box_dir.path().join(name).display().to_string()
    }

    /// Those of the example, with the addresses of this place.
    fn settings(&self) {
        let key = std::fs::read_to_string(self.path("host.pub")).expect("a key");
        let settings = self.project.read(".ci/settings.yml");
        let more = format!(
            "host_key: {key}      ssh_config: {}\n      identity: {}\n      root: {}\n      \
             state: {}\n      endpoint: {}\n      region: eu-north-1\n      poll: 100ms",
            self.path("ssh_config"),
            self.path("user"),
            self.path("root"),
            self.path("state"),
            self.moto.endpoint(),
        );
        let settings = settings.replace("user: ubuntu", &more);
        let settings = settings.replace("i-0123456789abcdef0", &self.instance);
        self.project.write(".ci/settings.yml", &settings);
    }

    fn command(&self, args: &[&str]) -> Command {
        let tools = tool("aws").expect("it was looked for before");
        let search = format!(
            "{}:{}",
            tools.parent().expect("a directory").display(),
            std::env::var("PATH").expect("a path")
        );
        let mut command = self.project.command(args);
        command
            .env("PATH", search)
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-nobody")
            .env("AWS_DEFAULT_REGION", "eu-north-1")
            .env("AWS_ENDPOINT_URL", self.moto.endpoint());
        command
    }

    fn ci(&self, args: &[&str]) -> Done {
        Done::new(args, self.command(args).output().expect("ci starts"))
    }

    fn run(&self, config: &str) -> Done {
        let instance = format!("INSTANCE_ID={}", self.instance);
        let endpoint = format!("AWS_ENDPOINT_URL={}", self.moto.endpoint());
        self.ci(&[
            "run",
            "--format",
            "json",
            "--branch",
            "main",
            "--config",
            config,
            "--var",
            &instance,
            "--var",
            &endpoint,
            "--var",
            "AWS_DEFAULT_REGION=eu-north-1",
            "--var",
            "AWS_ACCESS_KEY_ID=key",
            "--var",
            "AWS_SECRET_ACCESS_KEY=secret-of-nobody",
        ])
    }
}

/// The programs of the instance; nothing where the tools of the tests are missing, which is said.
fn programs(bin: &Path) -> Option<()> {
    let python = tool("python")?;
    tool("aws")?;
    let engine = crate::docker::engine()?;
    std::fs::create_dir_all(bin).expect("created");
    let write = |name: &str, script: &str| {
        let path: PathBuf = bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("runs");
    };
    let python = python.display();
    write("curl", "echo :");
    // The packages are those of the tests' own tools.
    write(
        "uv",
        &format!(
            "case $1 in\n\
             venv) exec {python} -m venv --without-pip \"$2\" ;;\n\
             *) to=$(python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))') &&\n\
             {python} -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))' >\"$to/tools.pth\" ;;\n\
             esac"
        ),
    );
    write(
        "docker",
        &format!(
            "[ \"$1\" = build ] || exec echo docker \"$@\"\nshift\n\
             DOCKER_BUILDKIT=0 exec {} --host {engine} build --label ci-core-test=ec2 \"$@\"",
            docker().display()
        ),
    );
    Some(())
}

fn docker() -> PathBuf {
    let search = std::env::var_os("PATH").expect("a path");
    let mut found = std::env::split_paths(&search).map(|dir| dir.join("docker"));
    found.find(|path| path.is_file()).expect("docker")
}

/// Takes the image away that a test has built.
struct Image;

impl Drop for Image {
    fn drop(&mut self) {
        if let Some(engine) = crate::docker::engine() {
            let mut docker = Command::new("docker");
            let _ = docker.args(["--host", engine, "rmi", "-f", IMAGE]).output();
        }
    }
}

#[test]
fn the_pipeline_of_the_example_runs_and_stops_the_instance() {
    let Some(place) = Place::new() else { return };
    let _image = Image;
    let done = place.run(".circleci/config.yml").ok();
    let finished = done.finished();
    for name in [
        "start-ec2",
        "run-job-on-ec2",
        "run-job-on-ec2-docker",
        "stop-ec2",
    ] {
        assert_eq!(job(&finished, name)["outcome"], "success", "{finished}");
    }
    assert!(!place.moto.is_running(&place.instance));
    // The tests ran on the instance, and their report came back.
    let events = done.events();
    let results = events.iter().find(|event| event["type"] == "test_results");
    assert_eq!(results.expect("a report")["counts"]["passed"], 2);
    let log = place.ci(&["logs", "last", "run-job-on-ec2"]).ok().stdout;
    assert!(log.contains("2 passed"), "{log}");
    assert_eq!(
        std::fs::read_dir(place.path("root")).map_or(0, Iterator::count),
        0
    );
}

#[test]
fn the_vendors_file_leaves_the_instance_running_and_the_mended_one_does_not() {
    let Some(place) = Place::new() else { return };
    let _image = Image;
    // Where nothing comes from elsewhere, `uv` cannot be installed.
    std::fs::write(place.path("bin/uv"), "#!/bin/sh\nexit 1\n").expect("written");
    let done = place.run(".circleci/config.yml").exits(1);
    let finished = done.finished();
    assert_eq!(job(&finished, "run-job-on-ec2")["outcome"], "failed");
    assert_eq!(job(&finished, "stop-ec2")["outcome"], "not_run");
    assert!(place.moto.is_running(&place.instance));
    let done = place.run(".circleci/mended.yml").exits(1);
    let finished = done.finished();
    assert_eq!(job(&finished, "run-job-on-ec2")["outcome"], "failed");
    assert_eq!(
        job(&finished, "stop-ec2")["outcome"],
        "success",
        "{finished}"
    );
    assert!(!place.moto.is_running(&place.instance));
}

#[test]
fn a_job_of_gitlab_has_one_machine_in_four_shells() {
    let Some(place) = Place::new() else { return };
    place.moto.template("arm", "");
    let key = std::fs::read_to_string(place.path("user")).expect("a key");
    place.project.write("key", &key);
    let mut base64 = Command::new("base64");
    let encoded = output(
        base64
            .args(["-w0", "key"])
            .current_dir(place.project.path()),
    );
    let shell = |words: &[&str]| {
        let mut all = vec!["e2c"];
        all.extend(words);
        let mut command = place.command(&all);
        command
            .env("CI_JOB_ID", "4711")
            .env("E2C_INSTANCE_STRATEGY", "template")
            .env("E2C_LAUNCH_TEMPLATE_ID", "arm")
            .env("E2C_SSH_PRIVATE_KEY", &encoded)
            .env("E2C_SSH_CONFIG", place.path("ssh_config"))
            .env("E2C_BUILD_DIR", place.path("builds"))
            .env("E2C_STATE_DIR", place.path("state"))
            .env("E2C_POLL", "100ms")
            .env("CI_REGISTRY", "registry.example")
            .env("CI_REGISTRY_USER", "robot")
            .env("CI_REGISTRY_PASSWORD", "passw0rd-of-the-registry");
        Done::new(&all, command.output().expect("ci starts"))
    };
    shell(&["setup"]).ok();
    assert_eq!(place.moto.live().len(), 1);
    let state = place.project.read(".e2c_instance_state_4711");
    assert!(
        state.contains("E2C_INSTANCE_STRATEGY=template\n"),
        "{state}"
    );
    let built = shell(&[
        "build",
        "--platform=linux/arm64",
        "--target=all",
        "--bake-file=docker-bake-production.hcl",
    ]);
    let built = built.ok();
    let words =
        "docker buildx bake --file docker-bake-production.hcl --set *.platform=linux/arm64 --push";
    assert!(built.stdout.contains(words), "{built:?}");
    assert!(!format!("{built:?}").contains("passw0rd"), "{built:?}");
    shell(&["cleanup"]).ok();
    let _ = std::fs::remove_file(place.project.path().join(".e2c_instance_state_4711"));
    shell(&["teardown"]).ok();
    assert_eq!(place.moto.live(), Vec::<String>::new());
    let reaped = place.ci(&["reap", "--aws", "--format", "json"]).ok().json();
    assert_eq!(reaped["left"], serde_json::json!([]));
}

fn output(command: &mut Command) -> String {
    let done = command.output().expect("it starts");
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).expect("text")
}

#[test]
fn what_is_missing_is_said_in_one_message() {
    let project = Project::new("");
    let options = "{type: ec2, options: {template: builders, region: eu-north-1}}";
    project.write(
        ".ci/settings.yml",
        &format!("version: 1\nexecutors: {{arm: {options}}}\n"),
    );
    let ci = |args: &[&str]| {
        let mut command = Command::new(ci_path());
        command.args(args).current_dir(project.path()).env_clear();
        command
            .env("HOME", project.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_COLOR", "1");
        Done::new(args, command.output().expect("ci starts"))
    };
    for words in [["ec2", "check"], ["reap", "--aws"]] {
        let done = ci(&words).exits(3);
        let said = &done.stderr;
        assert_eq!(
            said.matches("no credentials of AWS were found").count(),
            1,
            "{said}"
        );
        assert!(said.contains("hint: set `AWS_ACCESS_KEY_ID`"), "{said}");
        assert!(said.lines().count() <= 3, "{said}");
    }
    let done = ci(&["e2c", "setup"]).exits(2);
    assert!(done.stderr.contains("`CI_JOB_ID` is not set"), "{done:?}");
    let policy = ci(&["ec2", "policy"]).ok().json();
    assert_eq!(policy["Version"], "2012-10-17");
    let schema = ci(&["schema", "settings"]).ok().json();
    let options = &schema["$defs"]["Ec2Options"]["properties"];
    assert!(options["template"]["description"].is_string());
    let cases = schema["$defs"]["ExecutorSettings"]["allOf"].as_array();
    let of_ec2 = |case: &&Value| case["if"]["properties"]["type"]["const"] == "ec2";
    let case = cases
        .and_then(|cases| cases.iter().find(of_ec2))
        .expect("a case");
    let options = &case["then"]["properties"]["options"];
    assert_eq!(options["$ref"], "#/$defs/Ec2Options");
}
