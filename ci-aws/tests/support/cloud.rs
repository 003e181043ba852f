//! A stand-in for EC2 whose instances are real OpenSSH servers on this machine.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

#[cfg(feature = "sdk")]
use ci_aws::ec2::{Access, SdkEc2};
use ci_aws::ec2::{Ec2Api, Ec2Options, InstanceState, Strategy, Trust};
use ci_aws::testing::{FakeEc2, host_key_of};

use super::GRACE;
use super::machines::turner::{Machine, Machines, Turner};

/// The stand-in, and what turns its instances into servers.
pub(crate) struct Cloud {
    turner: Turner,
    pub(crate) ec2: Arc<FakeEc2>,
    pub(crate) dir: tempfile::TempDir,
    /// While this is set, no machine gets its server.
    pub(crate) late: Arc<AtomicBool>,
}

impl Machines for FakeEc2 {
    fn machines(&self) -> Vec<Machine> {
        let machine = |instance: ci_aws::ec2::Instance| Machine {
            is_running: instance.state == InstanceState::Running,
            id: instance.id,
            address: instance.public_ip,
        };
        self.instances().into_iter().map(machine).collect()
    }

    fn host_key(&self, id: &str) -> Option<String> {
        self.user_data(id).as_deref().and_then(host_key_of)
    }
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let ec2 = Arc::new(FakeEc2::start().await.unwrap());
        let dir = tempfile::tempdir().unwrap();
        let machines = Arc::clone(&ec2) as Arc<dyn Machines>;
        let turner = Turner::start(machines, dir.path(), "");
        Self {
            late: Arc::clone(&turner.late),
            turner,
            ec2,
            dir,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Options that reach the machines of this cloud.
    pub(crate) fn options(&self, strategy: Strategy) -> Ec2Options {
        options(&self.path(""), strategy)
    }

    /// EC2 as the SDK sees it.
    #[cfg(feature = "sdk")]
    pub(crate) async fn api(&self) -> Arc<dyn Ec2Api> {
        Arc::new(connect(&self.ec2.endpoint()).await)
    }

    /// EC2 without the SDK between.
    #[cfg(not(feature = "sdk"))]
    pub(crate) async fn api(&self) -> Arc<dyn Ec2Api> {
        self.ec2.api()
    }

    /// Kills the server of an instance and everything that runs below it.
    pub(crate) fn power_off(&self, id: &str) {
        self.turner.power_off(id);
    }
}

/// Options that reach the machines of the cloud in `dir`.
pub(crate) fn options(dir: &std::path::Path, strategy: Strategy) -> Ec2Options {
    let mut options = Ec2Options::new(strategy);
    let key = fs::read_to_string(dir.join("host.pub")).unwrap();
    options.reach.trust = Trust::Pinned(key);
    options.reach.identity = Some(dir.join("user"));
    options.reach.config = Some(dir.join("ssh_config"));
    options.reach.root = Some(dir.join("root").to_str().unwrap().to_owned());
    options.reach.grace = GRACE;
    options.state = dir.join("state");
    options.poll = Duration::from_millis(50);
    options.boot_deadline = Duration::from_mins(1);
    options.launch_deadline = Duration::from_mins(1);
    options.teardown_deadline = Duration::from_mins(1);
    options
}

/// A client of the stand-in, through the SDK.
#[cfg(feature = "sdk")]
pub(crate) async fn connect(endpoint: &str) -> SdkEc2 {
    let mut access = Access::default();
    access.region = Some("eu-north-1".to_owned());
    access.endpoint = Some(endpoint.to_owned());
    access.keys = Some(("key".to_owned(), "secret".to_owned()));
    SdkEc2::connect(&access).await
}
