//! The options of the executors as a settings file has them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use ci_core::executor::{ExecutorError, read_options};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What `executors.NAME.options` of the settings may say of an executor of the type `docker`.
///
/// ```
/// use std::collections::BTreeMap;
/// use ci_docker::{DockerExecutor, DockerOptions};
///
/// let options = BTreeMap::from([
///     ("image".to_owned(), "debian:stable-slim".into()),
///     ("container".to_owned(), serde_json::json!({"pids": 500, "read_only": true})),
/// ]);
/// let executor = DockerExecutor::with_options(DockerOptions::from_settings(&options)?);
/// # Ok::<(), ci_core::executor::ExecutorError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct DockerOptions {
    /// What an executor on a swarm has, too.
    #[serde(flatten)]
    pub common: CommonOptions,
    /// How the project gets into the container; `copy` by default.
    pub workspace: Workspace,
    /// What jobs that build images get of the engine; `none` by default. A job that gets it gets no
    /// service that is an engine (`docker:dind`).
    pub docker: DockerAccess,
}

/// What executors on one engine and on a swarm have in common.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct CommonOptions {
    /// The engine, as `unix://<path>`, `tcp://<host>:<port>` or `ssh://<user>@<host>`; by default that
    /// of `DOCKER_HOST`. For a swarm a manager of it.
    pub host: Option<String>,
    /// The directory of `ca.pem`, `cert.pem` and `key.pem`, which makes `tcp` connections TLS ones; by
    /// default what `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` say.
    pub certificates: Option<PathBuf>,
    /// How many sessions it can have at once.
    pub limit: Option<NonZeroUsize>,
    /// The image of jobs that name none.
    pub image: Option<String>,
    /// When images are pulled; `missing` by default. The nodes of a swarm pull those of jobs by
    /// themselves.
    pub pull: PullPolicy,
    /// The directory of `config.json` with the credentials of registries; by default that of
    /// `DOCKER_CONFIG`, or `~/.docker`.
    pub config: Option<PathBuf>,
    /// The directory of the container that jobs work in, absolute; `/work` by default.
    pub work_dir: Option<String>,
    /// Files of the project that are not copied into the container, as globs.
    pub exclude: Vec<String>,
    /// How many seconds processes may take to end after they were asked to; 10 by default.
    pub grace: Option<u64>,
    /// How many seconds a service may take to become ready; 120 by default.
    pub service_timeout: Option<u64>,
    /// What happens to a job that asks for what there is not: a GPU, a device, a platform, a swarm's
    /// node that can take it; `fail` by default.
    pub unmet: Unmet,
    /// Whether the job's own `extra.docker` may ask for what gives power over the machine:
    /// `privileged`, `devices`, `cap_add`, `binds`, `security`, and the network `host`. Off by default.
    pub trust_jobs: bool,
    /// The containers of all jobs. A swarm knows no `devices`, `gpus`, `privileged`, `shm_size` and
    /// `security`.
    pub container: ContainerOptions,
    /// The containers of services, such as `privileged: true`, which `docker:dind` needs. Their names of
    /// hosts and name servers come on top of those of the job; they have no `network` but the job's.
    #[serde(deserialize_with = "of_services")]
    pub services: ContainerOptions,
}

/// Options of a container: for those of all jobs under `container` of the executor's options, for one
/// job's under `extra.docker` of the job, and for those of services under `services`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ContainerOptions {
    /// Who commands run as (`user`, `uid` or `uid:gid`) instead of the image's own user.
    pub user: Option<String>,
    /// Whether only the working directory, the home, `/tmp` and volumes can be written to.
    pub read_only: bool,
    /// Processor cores, where neither the job nor its resource class says.
    #[schemars(range(min = 0.01))]
    pub cpus: Option<f64>,
    /// Memory, such as `2GiB`, where neither the job nor its resource class says.
    #[serde(deserialize_with = "size")]
    #[schemars(with = "Option<String>")]
    pub memory: Option<u64>,
    /// How many processes there may be at once.
    pub pids: Option<i64>,
    /// Limits of processes by name, such as `nofile: 1024`.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Capabilities that are added to the usual ones, such as `NET_ADMIN`.
    pub cap_add: Vec<String>,
    /// Capabilities that are taken away; `ALL` is all of them.
    pub cap_drop: Vec<String>,
    /// Devices, as `/dev/here[:/dev/there[:rwm]]`.
    pub devices: Vec<String>,
    /// GPUs: a number, `all`, or a list of their ids.
    pub gpus: Option<Gpus>,
    /// Whether the container has all rights on the machine.
    pub privileged: bool,
    /// Directories in memory, with their options, such as `/scratch: size=64m`.
    pub tmpfs: BTreeMap<String, String>,
    /// The size of `/dev/shm`, such as `256MiB`.
    #[serde(deserialize_with = "size")]
    #[schemars(with = "Option<String>")]
    pub shm_size: Option<u64>,
    /// Name servers.
    pub dns: Vec<String>,
    /// Names of hosts, as `name:address`.
    pub extra_hosts: Vec<String>,
    /// The network: `none` for none, else the name of one; by default the engine's own, and one of the
    /// job's own where it has services.
    pub network: Option<String>,
    /// Volumes that stay between jobs, by their directory, such as `/root/.cargo: cargo`.
    pub volumes: BTreeMap<String, String>,
    /// Directories of the engine's machine, as `/here:/there[:ro]`.
    pub binds: Vec<String>,
    /// Options of security, such as `seccomp=unconfined` and `systempaths=unconfined`.
    pub security: Vec<String>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PullPolicy {
    /// If the engine does not have it.
    #[default]
    #[serde(rename = "missing")]
    IfMissing,
    /// Before every job.
    Always,
    /// Never: an image that the engine does not have is an error.
    Never,
}

/// How the project gets into the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Workspace {
    /// It is copied: what the job writes is gone with the container.
    #[default]
    Copy,
    /// The directory of this machine is the working directory of the container: what the job writes
    /// stays, and belongs to the owner of the directory. Commands run as that owner if nothing else is
    /// said. Jobs that check out work in a directory of the container all the same.
    Bind,
}

/// What a job gets of the engine that it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DockerAccess {
    /// Nothing.
    #[default]
    None,
    /// The engine's socket, which gives all power over its machine. What the job makes with the labels
    /// in `CI_CORE_DOCKER_LABELS` is removed with the job.
    Socket,
    /// A socket that leads to the engine and lets the job touch only what it made itself: that gets its
    /// labels, and is removed with the job. Images stay, as the cache of later builds. What gives power
    /// over the machine is refused: privileged containers, its directories, devices and namespaces.
    /// Builds may pull, push and run commands; with `BuildKit` they may use the machine's network. A job
    /// can give an image the name of another one, which then is what later jobs find under it.
    Filtered,
}

/// What happens to a job that asks for what the machine does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unmet {
    /// It fails.
    #[default]
    Fail,
    /// It is skipped.
    Skip,
    /// It waits until the machine has it, or the job's time is over.
    Wait,
}

/// A limit of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Ulimit {
    /// The soft and the hard limit.
    Both(i64),
    /// Each of them.
    Each {
        /// What holds until a process changes it.
        soft: i64,
        /// The most it can change it to.
        hard: i64,
    },
}

/// The GPUs of a container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Gpus {
    /// So many.
    Count(u32),
    /// Those with these ids.
    Ids(Vec<String>),
    /// All there are: the word `all`.
    #[serde(deserialize_with = "all")]
    #[schemars(with = "String")]
    All,
}

fn all<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "all" => Ok(()),
        other => Err(D::Error::custom(format!("`{other}` is not `all`"))),
    }
}

fn of_services<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ContainerOptions, D::Error> {
    let options = ContainerOptions::deserialize(deserializer)?;
    if options.network.is_some() {
        let text = "services are in the network of their job, which is `container.network`";
        return Err(D::Error::custom(text));
    }
    Ok(options)
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| ci_core::units::parse_size(&text).map_err(D::Error::custom))
        .transpose()
}

impl DockerOptions {
    /// Reads the options.
    ///
    /// # Errors
    /// For an option that there is not, or a value of the wrong kind.
    pub fn from_settings(
        options: &BTreeMap<String, serde_json::Value>,
    ) -> Result<Self, ExecutorError> {
        read_options(options)
    }

    /// The JSON schema of the options, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

impl ContainerOptions {
    /// These options with what a job asks for over them: its lists are added, its values win.
    #[must_use]
    pub(crate) fn with(&self, job: Self) -> Self {
        let list = |ours: &[String], theirs: Vec<String>| -> Vec<String> {
            ours.iter().cloned().chain(theirs).collect()
        };
        let mut all = self.clone();
        all.ulimits.extend(job.ulimits);
        all.tmpfs.extend(job.tmpfs);
        all.volumes.extend(job.volumes);
        Self {
            user: job.user.or(all.user),
            read_only: all.read_only || job.read_only,
            cpus: job.cpus.or(all.cpus),
            memory: job.memory.or(all.memory),
            pids: job.pids.or(all.pids),
            ulimits: all.ulimits,
            cap_add: list(&all.cap_add, job.cap_add),
            cap_drop: list(&all.cap_drop, job.cap_drop),
            devices: list(&all.devices, job.devices),
            gpus: job.gpus.or(all.gpus),
            privileged: all.privileged || job.privileged,
            tmpfs: all.tmpfs,
            shm_size: job.shm_size.or(all.shm_size),
            dns: list(&all.dns, job.dns),
            extra_hosts: list(&all.extra_hosts, job.extra_hosts),
            network: job.network.or(all.network),
            volumes: all.volumes,
            binds: list(&all.binds, job.binds),
            security: list(&all.security, job.security),
        }
    }

    /// What of it gives power over the machine.
    pub(crate) fn powers(&self) -> Vec<&'static str> {
        let has_host = |it: &str| it == "host" || it.starts_with("container:");
        [
            (self.privileged, "privileged"),
            (!self.devices.is_empty(), "devices"),
            (!self.cap_add.is_empty(), "cap_add"),
            (!self.binds.is_empty(), "binds"),
            // A volume is named; a path would be a directory of the machine.
            (
                self.volumes.values().any(|name| name.contains('/')),
                "volumes",
            ),
            (!self.security.is_empty(), "security"),
            (self.network.as_deref().is_some_and(has_host), "network"),
        ]
        .into_iter()
        .filter_map(|(asked, name)| asked.then_some(name))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(options: serde_json::Value) -> Result<DockerOptions, String> {
        let options: BTreeMap<_, _> = serde_json::from_value(options).unwrap();
        DockerOptions::from_settings(&options).map_err(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            source.unwrap_or_default()
        })
    }

    #[test]
    fn options_are_read_and_what_there_is_not_is_named() {
        let options = read(json!({
            "pull": "never",
            "workspace": "bind",
            "docker": "socket",
            "unmet": "skip",
            "services": {"privileged": true, "volumes": {"/var/lib/docker": "layers"}},
            "container": {
                "memory": "1GiB",
                "gpus": "all",
                "ulimits": {"nofile": 9, "core": {"soft": 0, "hard": 1}},
            },
        }))
        .unwrap();
        assert_eq!(options.common.pull, PullPolicy::Never);
        assert!(options.common.services.privileged && !options.common.container.privileged);
        assert_eq!(options.common.container.memory, Some(1 << 30));
        assert_eq!(options.common.container.gpus, Some(Gpus::All));
        assert_eq!(options.common.container.ulimits["nofile"], Ulimit::Both(9));
        for wrong in [
            json!({"pul": "never"}),
            json!({"container": {"gpus": "some"}}),
            json!({"container": {"memory": "much"}}),
            json!({"limit": 0}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        let error = read(json!({"pul": "never"})).unwrap_err();
        assert!(error.contains("unknown field `pul`"), "{error}");
        let error = read(json!({"services": {"network": "none"}})).unwrap_err();
        assert!(error.contains("the network of their job"), "{error}");
    }

    #[test]
    fn a_jobs_options_go_over_those_of_all_jobs() {
        let ours = ContainerOptions {
            pids: Some(1),
            dns: vec!["a".into()],
            ..ContainerOptions::default()
        };
        let job = ContainerOptions {
            pids: Some(2),
            dns: vec!["b".into()],
            ..ContainerOptions::default()
        };
        let both = ours.with(job);
        assert_eq!((both.pids, both.dns.len()), (Some(2), 2));
        assert_eq!(ours.with(ContainerOptions::default()), ours);
    }

    #[test]
    fn powers_over_the_machine_are_known() {
        let plain: ContainerOptions = serde_json::from_value(json!({
            "user": "1", "pids": 3, "volumes": {"/c": "cache"}, "network": "none"
        }))
        .unwrap();
        assert!(plain.powers().is_empty());
        for (name, value) in [
            ("privileged", json!(true)),
            ("devices", json!(["/dev/kvm"])),
            ("cap_add", json!(["SYS_ADMIN"])),
            ("binds", json!(["/:/host"])),
            ("volumes", json!({"/host": "/"})),
            ("security", json!(["seccomp=unconfined"])),
            ("network", json!("host")),
        ] {
            let options: ContainerOptions = serde_json::from_value(json!({ name: value })).unwrap();
            assert_eq!(options.powers(), [name]);
        }
    }

    #[test]
    fn the_schema_knows_every_option() {
        let schema = DockerOptions::json_schema();
        assert!(schema["properties"]["services"].is_object());
        assert!(schema["$defs"]["ContainerOptions"]["properties"]["gpus"].is_object());
    }
}
