//! The executor against moto, a stand-in for EC2 that somebody else made: whether our own stand-in and
//! we only agree with ourselves. The machines are real OpenSSH servers.
#![cfg(all(unix, feature = "testing", feature = "sdk"))]
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ci_aws::e2c::{BuildRequest, E2c, StateFile, Variables};
use ci_aws::ec2::{
    Ec2ErrorKind, Ec2Executor, Ec2Options, Launch, Reaper, Scope, Spot, Strategy, check, tags,
};
use ci_core::executor::{Executor, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_core::session::{Command, ExecIo, ExitStatus, Output, Session};
use tokio_util::sync::CancellationToken;

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;
use support::cloud::{connect, options};
use support::machines::moto::Moto;
use support::machines::turner::{Machines, Turner};

struct Cloud {
    _turner: Turner,
    moto: Arc<Moto>,
    dir: tempfile::TempDir,
}

impl Cloud {
    fn start() -> Option<Self> {
        let moto = Moto::start().filter(|_| !support::machines::sshd::missing())?;
        let dir = tempfile::tempdir().unwrap();
        let machines = Arc::clone(&moto) as Arc<dyn Machines>;
        Some(Self {
            _turner: Turner::start(machines, dir.path(), ""),
            moto,
            dir,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn options(&self, strategy: Strategy) -> Ec2Options {
        options(self.dir.path(), strategy)
    }

    async fn executor(&self, strategy: Strategy) -> Ec2Executor {
        let api = connect(&self.moto.endpoint()).await;
        Ec2Executor::new(Arc::new(api), self.options(strategy)).unwrap()
    }
}

async fn prepare(executor: &Ec2Executor) -> Box<dyn Session> {
    let (job, env) = (JobSpec::new("job"), BTreeMap::new());
    let request = PrepareRequest::new(RunId::new(), &job, &env);
    executor.prepare(request).await.unwrap()
}

async fn sh(session: &dyn Session, script: &str) -> ExitStatus {
    let io = ExecIo::new(Output::discard(), CancellationToken::new());
    session.exec(&Command::sh(script), io).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_on_a_new_machine_that_is_gone_after() {
    let Some(cloud) = Cloud::start() else { return };
    let script = BASE64.encode("#!/bin/sh\necho of the template\n");
    cloud.moto.template("builders", &script);
    let mut launch = Launch::new("builders");
    launch.types = vec!["c7g.xlarge".to_owned()];
    launch.spot = Some(Spot::default());
    let executor = cloud.executor(Strategy::Template(launch)).await;
    let session = prepare(&executor).await;
    let live = cloud.moto.live();
    assert_eq!(live.len(), 1);
    let data = BASE64
        .decode(cloud.moto.user_data(&live[0]).unwrap())
        .unwrap();
    let data = String::from_utf8(data).unwrap();
    for part in [
        "shutdown -P +360",
        "ssh_deletekeys: true",
        "echo of the template",
    ] {
        assert!(data.contains(part), "{data}");
    }
    let told = cloud
        .moto
        .ask("DescribeInstances", &[("InstanceId.1", &live[0])]);
    for words in [tags::RUN, tags::EXPIRES, "c7g.xlarge", "spot"] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(sh(session.as_ref(), "exit 7").await, ExitStatus::Code(7));
    session.teardown().await.unwrap();
    assert_eq!(cloud.moto.live(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_machine_is_left_as_it_was_found() {
    let Some(cloud) = Cloud::start() else { return };
    for was_running in [true, false] {
        let id = cloud.moto.launch(&[("Name", "box")]);
        if !was_running {
            cloud.moto.ask("StopInstances", &[("InstanceId.1", &id)]);
        }
        let executor = cloud.executor(Strategy::Existing(id.clone())).await;
        let session = prepare(&executor).await;
        assert!(cloud.moto.is_running(&id));
        assert_eq!(sh(session.as_ref(), "true").await, ExitStatus::Code(0));
        session.teardown().await.unwrap();
        assert_eq!(cloud.moto.is_running(&id), was_running);
        let told = cloud
            .moto
            .ask("DescribeInstances", &[("InstanceId.1", &id)]);
        assert!(!told.contains("ci-core:"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_run_left_is_ended_and_nothing_else() {
    let Some(cloud) = Cloud::start() else { return };
    let foreign = cloud.moto.launch(&[("Name", "of somebody else")]);
    let future = u32::MAX.to_string();
    let ours = |expires| [(tags::RUN, "run"), (tags::EXPIRES, expires)];
    let dead = cloud.moto.launch(&ours("1"));
    let alive = cloud.moto.launch(&ours(&future));
    let locked = cloud
        .moto
        .launch(&[(tags::LOCK, "run/1"), (tags::STARTED, "run")]);
    let guarded = cloud.moto.launch(&ours("1"));
    let protect = |value| {
        let parameters = [
            ("InstanceId", guarded.as_str()),
            ("DisableApiTermination.Value", value),
        ];
        cloud.moto.ask("ModifyInstanceAttribute", &parameters);
    };
    protect("true");
    let api = Arc::new(connect(&cloud.moto.endpoint()).await);
    let reaper = Reaper::new(api)
        .confirm(Duration::from_millis(100))
        .poll(Duration::from_millis(50))
        .deadline(Duration::from_mins(1));
    let reaped = reaper.reap(&Scope::Expired).await.unwrap();
    assert_eq!(reaped.removed.len(), 2, "{reaped:?}");
    assert!(
        reaped.left.len() == 1 && reaped.left[0].contains(&guarded),
        "{reaped:?}"
    );
    for (id, lives) in [
        (&foreign, true),
        (&dead, false),
        (&alive, true),
        (&locked, false),
    ] {
        assert_eq!(cloud.moto.is_running(id), lives, "{id}");
    }
    protect("false");
    let reaped = reaper.reap(&Scope::Expired).await.unwrap();
    assert_eq!(
        (reaped.removed.len(), reaped.left.len()),
        (1, 0),
        "{reaped:?}"
    );
    assert!(!cloud.moto.is_running(&guarded));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_in_the_settings_is_said_with_the_words_of_ec2() {
    let Some(cloud) = Cloud::start() else { return };
    let (job, env) = (JobSpec::new("job"), BTreeMap::new());
    for (strategy, words) in [
        (Strategy::Template(Launch::new("nowhere")), "NotFound"),
        (
            Strategy::Existing("i-0123456789abcdef0".into()),
            "i-0123456789abcdef0",
        ),
    ] {
        let executor = cloud.executor(strategy).await;
        let request = PrepareRequest::new(RunId::new(), &job, &env);
        let error = executor.prepare(request).await.err().unwrap();
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(cloud.moto.live(), Vec::<String>::new());
    cloud.moto.template("builders", "");
    let options = cloud.options(Strategy::Template(Launch::new("builders")));
    let api = connect(&cloud.moto.endpoint()).await;
    let found = check(&api, &options).await.unwrap();
    let launch = found.iter().find(|it| it.action == "ec2:RunInstances");
    assert_eq!(launch.unwrap().allowed, Some(true), "{found:?}");
    assert_eq!(cloud.moto.live(), Vec::<String>::new());
}

/// A `docker` that writes down what it is asked, and knows nothing that is called `all`.
fn docker(dir: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let bin = dir.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *--print*) exit 1 ;; esac\necho \"$*\" >>{}\n",
        dir.join("log").display()
    );
    std::fs::write(bin.join("docker"), script).unwrap();
    let runs = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bin.join("docker"), runs).unwrap();
    bin
}

#[tokio::test(flavor = "multi_thread")]
async fn four_shells_have_one_machine() {
    let Some(cloud) = Cloud::start() else { return };
    cloud.moto.template("lt", "");
    let existing = cloud.moto.launch(&[]);
    cloud
        .moto
        .ask("StopInstances", &[("InstanceId.1", &existing)]);
    let path = |name: &str| cloud.path(name).to_str().unwrap().to_owned();
    let search = format!(
        "{}:{}",
        docker(cloud.dir.path()).display(),
        std::env::var("PATH").unwrap()
    );
    std::fs::create_dir(cloud.path("project")).unwrap();
    let key = BASE64.encode(std::fs::read(cloud.path("user")).unwrap());
    let host_key = std::fs::read_to_string(cloud.path("host.pub")).unwrap();
    for strategy in ["template", "existing"] {
        let variables = [
            ("CI_JOB_ID", "4711"),
            ("E2C_INSTANCE_STRATEGY", strategy),
            ("E2C_LAUNCH_TEMPLATE_ID", "lt"),
            ("E2C_INSTANCE_ID", &existing),
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
        let shell = async || {
            let api = Arc::new(connect(&cloud.moto.endpoint()).await);
            let variables = Variables::read(&variables.clone().into()).unwrap();
            let (output, cancel) = (Output::discard(), CancellationToken::new());
            E2c::new(api, variables, cloud.path("project"), output, cancel)
        };
        let state = shell().await.setup().await.unwrap();
        assert_eq!(cloud.moto.live(), std::slice::from_ref(&state.instance));
        let request = BuildRequest::new("linux/arm64", "all", "bake.hcl");
        let status = shell().await.build(&request).await.unwrap();
        assert_eq!(status, ExitStatus::Code(0));
        shell().await.cleanup().await.unwrap();
        assert!(!cloud.path("builds/4711").exists());
        // The file of another job: its machine is not ours, and stays.
        let stranger = cloud.moto.launch(&[]);
        let file = StateFile::path(&cloud.path("project"), "4711");
        let mut other = state.clone();
        other.instance.clone_from(&stranger);
        other.write(&file).unwrap();
        let error = shell().await.teardown().await.unwrap_err();
        assert_eq!(error.kind(), Ec2ErrorKind::State, "{error}");
        assert!(cloud.moto.is_running(&stranger));
        std::fs::remove_file(&file).unwrap();
        cloud
            .moto
            .ask("TerminateInstances", &[("InstanceId.1", &stranger)]);
        shell().await.teardown().await.unwrap();
        assert_eq!(cloud.moto.live(), Vec::<String>::new());
    }
    let log = std::fs::read_to_string(cloud.path("log")).unwrap();
    assert_eq!(
        log.matches("buildx bake --file bake.hcl").count(),
        2,
        "{log}"
    );
}
