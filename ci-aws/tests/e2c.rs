//! One machine over four commands, each with a client of its own as in four shells. EC2 is a stand-in
//! that the real SDK talks to, the machine a real OpenSSH server; `docker` is a script that records.
#![cfg(all(unix, feature = "testing"))]
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use ci_aws::e2c::{BuildRequest, E2c, StateFile, Variables};
use ci_aws::ec2::{Ec2ErrorKind, InstanceState, tags};
use ci_core::clock::Clock;
use ci_core::session::{ExitStatus, LogSink, Output, OutputChunk, OutputOptions};
use tokio_util::sync::CancellationToken;

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;
use support::cloud::Cloud;

#[derive(Debug, Default, Clone)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl LogSink for Kept {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(&chunk.bytes);
        Ok(())
    }
}

struct Bench {
    cloud: Cloud,
    project: PathBuf,
    variables: BTreeMap<String, String>,
    shown: Kept,
}

impl Bench {
    async fn new(strategy: &str) -> Self {
        let cloud = Cloud::start().await;
        let (project, bin) = (cloud.path("project"), cloud.path("bin"));
        fs::create_dir_all(&project).unwrap();
        fs::create_dir_all(&bin).unwrap();
        fs::write(project.join("bake.hcl"), "target \"default\" {}\n").unwrap();
        let record = cloud.path("docker.log");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in *--print*) grep -q '\"all\"' bake.hcl; exit ;; esac\n\
             {{ echo \"$*\"; [ \"$1\" != login ] || {{ printf 'stdin: '; cat; echo; }}; }} >>{}\n\
             echo \"docker $1\"\n[ \"$1\" != login ] || echo x >\"$DOCKER_CONFIG/config.json\"\n\
             [ \"$1\" != buildx ] || [ -f bake.hcl ]\n",
            record.display()
        );
        fs::write(bin.join("docker"), script).unwrap();
        fs::set_permissions(bin.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
        let key = fs::read(cloud.path("user")).unwrap();
        let key = base64::engine::general_purpose::STANDARD.encode(key);
        let id = cloud.ec2.add(InstanceState::Stopped);
        let path = |name: &str| cloud.path(name).display().to_string();
        let host_key = fs::read_to_string(cloud.path("host.pub")).unwrap();
        let search = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let variables = [
            ("CI_JOB_ID", "4711"),
            ("CI_REGISTRY", "registry.example"),
            ("CI_REGISTRY_USER", "robot"),
            ("CI_REGISTRY_PASSWORD", "passw0rd-of-the-registry"),
            ("E2C_INSTANCE_STRATEGY", strategy),
            ("E2C_INSTANCE_ID", &id),
            ("E2C_LAUNCH_TEMPLATE_ID", "lt-1"),
            ("E2C_SSH_PRIVATE_KEY", &key),
            ("E2C_SSH_HOST_KEY", &host_key),
            ("E2C_SSH_CONFIG", &path("ssh_config")),
            ("E2C_BUILD_DIR", &path("builds")),
            ("E2C_STATE_DIR", &path("state")),
            ("E2C_POLL", "50ms"),
            ("E2C_PASS", "PATH"),
            ("PATH", &search),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            project,
            variables: variables.into(),
            shown: Kept::default(),
            cloud,
        }
    }

    /// As a new shell would have it.
    async fn shell(&self) -> E2c {
        let variables = Variables::read(&self.variables).unwrap();
        let options = OutputOptions::new(Arc::new(variables.secrets()), Clock::system());
        let output = Output::new(&options, Box::new(self.shown.clone()));
        let cancel = CancellationToken::new();
        E2c::new(
            self.cloud.api().await,
            variables,
            &self.project,
            output,
            cancel,
        )
    }

    fn state(&self) -> PathBuf {
        StateFile::path(&self.project, "4711")
    }

    /// Waits until nothing runs or is about to stop: a machine that was told to stop takes its time.
    async fn nothing_lives(&self) {
        let end = tokio::time::Instant::now() + Duration::from_secs(20);
        while !self.cloud.ec2.live().is_empty() && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(self.cloud.ec2.live(), []);
    }

    fn docker(&self) -> String {
        fs::read_to_string(self.cloud.path("docker.log")).unwrap_or_default()
    }
}

fn request() -> BuildRequest {
    BuildRequest::new("linux/arm64", "all", "bake.hcl")
}

#[tokio::test(flavor = "multi_thread")]
async fn four_shells_have_one_machine() {
    for strategy in ["template", "existing"] {
        let bench = Bench::new(strategy).await;
        bench
            .cloud
            .ec2
            .delay(ci_aws::testing::Delays::all(Duration::from_millis(100)));
        bench.shell().await.setup().await.unwrap();
        let machine = bench.cloud.ec2.live().remove(0);
        let text = fs::read_to_string(bench.state()).unwrap();
        let address = machine.public_ip.clone().unwrap();
        assert_eq!(
            text,
            format!(
                "TARGET_INSTANCE_ID={}\nE2C_PUBLIC_IP={address}\nE2C_INSTANCE_STRATEGY={strategy}\n",
                machine.id
            )
        );
        let dir = bench.cloud.path("builds/4711");
        assert!(dir.join("bake.hcl").exists());
        // In the same shell or in another one, a second setup changes nothing.
        bench.shell().await.setup().await.unwrap();
        assert_eq!(bench.cloud.ec2.live().len(), 1);
        let status = bench.shell().await.build(&request()).await.unwrap();
        assert_eq!(status, ExitStatus::Code(0));
        let docker = bench.docker();
        let expected = "login --username robot --password-stdin registry.example\n\
                        stdin: passw0rd-of-the-registry\n\
                        buildx bake --file bake.hcl --set *.platform=linux/arm64 --push\n";
        assert_eq!(docker, expected);
        assert!(dir.join(".e2c-docker/config.json").exists());
        fs::write(dir.join("bake.hcl"), "group \"all\" { targets = [] }\n").unwrap();
        bench.shell().await.build(&request()).await.unwrap();
        assert!(
            bench.docker().ends_with("--push all\n"),
            "a group of its own"
        );
        fs::create_dir_all(bench.cloud.path("builds/4712")).unwrap();
        bench.shell().await.cleanup().await.unwrap();
        assert!(!dir.exists());
        assert!(bench.cloud.path("builds/4712").exists());
        assert!(bench.docker().contains("logout registry.example"));
        bench.shell().await.teardown().await.unwrap();
        assert!(!bench.state().exists());
        bench.nothing_lives().await;
        // Once more does no harm.
        assert_eq!(
            bench.shell().await.teardown().await.unwrap(),
            Vec::<String>::new()
        );
        let shown = String::from_utf8(bench.shown.0.lock().unwrap().clone()).unwrap();
        assert!(shown.contains("docker buildx"), "{shown}");
        assert!(!shown.contains("passw0rd"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_file_the_machine_is_found_by_its_tags() {
    for strategy in ["template", "existing"] {
        let bench = Bench::new(strategy).await;
        bench.shell().await.setup().await.unwrap();
        let whole = fs::read_to_string(bench.state()).unwrap();
        fs::write(bench.state(), &whole[..whole.len() / 2]).unwrap();
        let status = bench.shell().await.build(&request()).await.unwrap();
        assert_eq!(status, ExitStatus::Code(0));
        fs::remove_file(bench.state()).unwrap();
        let given = bench.shell().await.teardown().await.unwrap();
        assert_eq!(given.len(), 1);
        bench.nothing_lives().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_another_job_ends_no_machine() {
    let bench = Bench::new("template").await;
    let stranger = bench.cloud.ec2.add(InstanceState::Running);
    let text = format!(
        "TARGET_INSTANCE_ID={stranger}\nE2C_PUBLIC_IP=198.51.100.9\nE2C_INSTANCE_STRATEGY=template\n"
    );
    fs::write(bench.state(), text).unwrap();
    let error = bench.shell().await.teardown().await.unwrap_err();
    assert_eq!(error.kind(), Ec2ErrorKind::State, "{error}");
    assert_eq!(bench.cloud.ec2.live().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_that_fails_leaves_nothing() {
    let mut bench = Bench::new("template").await;
    bench
        .cloud
        .late
        .store(true, std::sync::atomic::Ordering::Relaxed);
    bench
        .variables
        .insert("E2C_BOOT_TIMEOUT".into(), "1s".into());
    let error = bench.shell().await.setup().await.unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
    assert_eq!(bench.cloud.ec2.live(), []);
    assert!(!bench.state().exists());
    let ended = bench.cloud.ec2.instances();
    assert!(ended.iter().any(|it| it.tags.contains_key(tags::RUN)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_sends_what_has_changed() {
    let bench = Bench::new("template").await;
    let long_ago = std::time::SystemTime::now() - Duration::from_hours(1);
    let write = |name: &str, text: &str, time| {
        let path = bench.project.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(time)
            .unwrap();
    };
    for file in 0..2000 {
        let text = format!("{file}\n").repeat(200);
        write(&format!("src/{}/{file}.txt", file % 40), &text, long_ago);
    }
    write("bake.hcl", "target \"default\" {}\n", long_ago);
    write("src/[odd] *.txt", "odd", long_ago);
    write("old", "old", long_ago);
    bench.shell().await.setup().await.unwrap();
    let there = bench.cloud.path("builds/4711");
    assert_eq!(fs::read(there.join("src/[odd] *.txt")).unwrap(), b"odd");
    let later = long_ago + Duration::from_mins(1);
    write("src/[odd] *.txt", "new", later);
    write("src/7/added.txt", "added", later);
    fs::remove_file(bench.project.join("old")).unwrap();
    bench.shell().await.setup().await.unwrap();
    assert_eq!(fs::read(there.join("src/[odd] *.txt")).unwrap(), b"new");
    assert_eq!(fs::read(there.join("src/7/added.txt")).unwrap(), b"added");
    assert!(!there.join("old").exists());
    // Nobody has changed it on the machine either, and if somebody does it is mended.
    fs::write(there.join("src/7/7.txt"), "changed there").unwrap();
    bench.shell().await.setup().await.unwrap();
    assert!(
        fs::read_to_string(there.join("src/7/7.txt"))
            .unwrap()
            .starts_with("7\n7\n")
    );
    let shown = String::from_utf8(bench.shown.0.lock().unwrap().clone()).unwrap();
    assert!(
        shown.contains("copied 2 changed files, removed 1"),
        "{shown}"
    );
    assert!(
        shown.contains("copied 1 changed files, removed 0"),
        "{shown}"
    );
    bench.shell().await.teardown().await.unwrap();
}
