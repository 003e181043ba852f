//! Making containers, in the words of the engine.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointSettings, HealthConfig, HostConfig,
    HostConfigLogConfig, NetworkingConfig, ResourcesUlimits,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;

use super::client::Engine;
use super::explain::explain;
use crate::error::DockerError;
use crate::options::{ContainerOptions, Gpus, Ulimit};

/// How often the health of a service is asked for, in nanoseconds: the engine's own half a minute is
/// a long wait for a job.
const HEALTH_INTERVAL: i64 = 1_000_000_000;

/// How large the log of a service may become.
const LOG_SIZE: &str = "10m";

/// The option of security that a docker client has, and no engine: nothing of `/proc` and `/sys` is hidden.
const ALL_PATHS: &str = "systempaths=unconfined";

/// What to make a container of.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContainerSpec {
    pub(crate) name: String,
    pub(crate) image: String,
    /// What replaces the image's entry point.
    pub(crate) entrypoint: Option<Vec<String>>,
    /// What replaces the image's command.
    pub(crate) command: Option<Vec<String>>,
    /// As `NAME=value`.
    pub(crate) env: Vec<String>,
    pub(crate) labels: HashMap<String, String>,
    pub(crate) platform: Option<String>,
    /// In thousandths of a processor.
    pub(crate) cpu_milli: Option<u32>,
    pub(crate) memory_mib: Option<u32>,
    /// Whether it lives only as long as its standard input is held open, and is removed at its end.
    pub(crate) tethered: bool,
    /// A directory in memory that everybody in the container may write to.
    pub(crate) scratch: Option<String>,
    /// The network by name, or how else it is connected, in Docker's words.
    pub(crate) network: Option<String>,
    /// The names under which it is reached in the network.
    pub(crate) aliases: Vec<String>,
    /// Directories and volumes as `source:target`.
    pub(crate) binds: Vec<String>,
    /// The container whose volumes it has, too.
    pub(crate) volumes_from: Option<String>,
    /// Groups beside the user's own.
    pub(crate) groups: Vec<String>,
    pub(crate) options: ContainerOptions,
}

impl Engine {
    /// Makes a container, and gives its id.
    pub(crate) async fn create(&self, spec: ContainerSpec) -> Result<String, DockerError> {
        let options = CreateContainerOptionsBuilder::default().name(&spec.name);
        let options = match &spec.platform {
            Some(platform) => options.platform(platform),
            None => options,
        };
        let what = format!("could not make a container of the image `{}`", spec.image);
        let made = self
            .client
            .create_container(Some(options.build()), body(spec));
        let made = made.await.map_err(|error| explain(what, error))?;
        Ok(made.id)
    }
}

fn body(spec: ContainerSpec) -> ContainerCreateBody {
    let host_config = host_config(&spec);
    let endpoint = |aliases: Vec<String>| EndpointSettings {
        aliases: Some(aliases),
        ..EndpointSettings::default()
    };
    let networking = spec.network.filter(|_| !spec.aliases.is_empty());
    let health = HealthConfig {
        interval: Some(HEALTH_INTERVAL),
        ..HealthConfig::default()
    };
    ContainerCreateBody {
        image: Some(spec.image),
        // The command of the image is for its own entry point.
        cmd: match (&spec.entrypoint, spec.command) {
            (Some(_), None) => Some(Vec::new()),
            (_, command) => command,
        },
        entrypoint: spec.entrypoint,
        env: Some(spec.env),
        user: spec.options.user,
        labels: Some(spec.labels),
        open_stdin: Some(spec.tethered),
        stdin_once: Some(spec.tethered),
        attach_stdin: Some(spec.tethered),
        healthcheck: (!spec.tethered).then_some(health),
        host_config: Some(host_config),
        networking_config: networking.map(|network| NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network, endpoint(spec.aliases))])),
        }),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec) -> HostConfig {
    let options = &spec.options;
    let memory = spec.memory_mib.map(|mib| i64::from(mib) << 20);
    let mut tmpfs: HashMap<String, String> = options.tmpfs.clone().into_iter().collect();
    if let Some(scratch) = &spec.scratch {
        tmpfs.insert(scratch.clone(), "rw,mode=1777,size=16m".into());
    }
    let log = |driver: &str, options: &[(&str, &str)]| HostConfigLogConfig {
        typ: Some(driver.to_owned()),
        config: Some(
            options
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        ),
    };
    let (all_paths, security): (Vec<String>, Vec<String>) =
        (options.security.iter().cloned()).partition(|option| option == ALL_PATHS);
    let no_paths = (!all_paths.is_empty()).then(Vec::new);
    HostConfig {
        // Ends orphans' entries in the process table, and passes the end of the input on.
        init: spec.tethered.then_some(true),
        auto_remove: Some(spec.tethered),
        tmpfs: Some(tmpfs),
        memory,
        // No swap beside it: a job that needs more ends soon instead of crawling.
        memory_swap: memory,
        nano_cpus: spec.cpu_milli.map(|milli| i64::from(milli) * 1_000_000),
        // Nothing is read from the engine's own log of a job; that of a service tells why it failed.
        log_config: Some(if spec.tethered {
            log("none", &[])
        } else {
            log("json-file", &[("max-size", LOG_SIZE)])
        }),
        network_mode: spec.network.clone(),
        binds: some(&spec.binds),
        volumes_from: spec.volumes_from.clone().map(|from| vec![from]),
        group_add: some(&spec.groups),
        pids_limit: options.pids,
        ulimits: some(&ulimits(options)),
        cap_add: some(&options.cap_add),
        cap_drop: some(&options.cap_drop),
        devices: some(&devices(options)),
        device_requests: options.gpus.as_ref().map(|gpus| vec![gpu_request(gpus)]),
        privileged: options.privileged.then_some(true),
        readonly_rootfs: options.read_only.then_some(true),
        shm_size: options
            .shm_size
            .map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
        dns: some(&options.dns),
        extra_hosts: some(&options.extra_hosts),
        security_opt: some(&security),
        masked_paths: no_paths.clone(),
        readonly_paths: no_paths,
        ..HostConfig::default()
    }
}

/// Nothing is said to the engine of what is empty.
pub(super) fn some<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}

pub(super) fn ulimits(options: &ContainerOptions) -> Vec<ResourcesUlimits> {
    let limits = options.ulimits.iter();
    limits
        .map(|(name, limit)| {
            let (soft, hard) = match limit {
                Ulimit::Both(both) => (*both, *both),
                Ulimit::Each { soft, hard } => (*soft, *hard),
            };
            ResourcesUlimits {
                name: Some(name.clone()),
                soft: Some(soft),
                hard: Some(hard),
            }
        })
        .collect()
}

/// Devices as `/dev/here[:/dev/there[:rwm]]`.
fn devices(options: &ContainerOptions) -> Vec<DeviceMapping> {
    let devices = options.devices.iter();
    devices
        .map(|device| {
            let mut parts = device.splitn(3, ':');
            let here = parts.next().unwrap_or_default().to_owned();
            let there = parts.next().map_or_else(|| here.clone(), str::to_owned);
            DeviceMapping {
                path_on_host: Some(here),
                path_in_container: Some(there),
                cgroup_permissions: Some(parts.next().unwrap_or("rwm").to_owned()),
            }
        })
        .collect()
}

fn gpu_request(gpus: &Gpus) -> DeviceRequest {
    let (count, ids) = match gpus {
        Gpus::Count(count) => (Some(i64::from(*count)), None),
        // All of them, in the words of the API.
        Gpus::All => (Some(-1), None),
        Gpus::Ids(ids) => (None, Some(ids.clone())),
    };
    DeviceRequest {
        count,
        device_ids: ids,
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_the_engines_words() {
        let mut spec = ContainerSpec {
            image: "i".to_owned(),
            memory_mib: Some(64),
            tethered: true,
            ..ContainerSpec::default()
        };
        spec.options.devices = vec!["/dev/a".into(), "/dev/b:/dev/c:r".into()];
        spec.options.gpus = Some(Gpus::All);
        spec.options.security = vec!["seccomp=unconfined".into(), ALL_PATHS.into()];
        spec.options
            .ulimits
            .insert("nofile".into(), Ulimit::Each { soft: 1, hard: 2 });
        let made = host_config(&spec);
        let devices = made.devices.unwrap();
        assert_eq!(devices[0].path_in_container.as_deref(), Some("/dev/a"));
        assert_eq!(devices[1].cgroup_permissions.as_deref(), Some("r"));
        assert_eq!(made.device_requests.unwrap()[0].count, Some(-1));
        let limit = &made.ulimits.unwrap()[0];
        assert_eq!((limit.soft, limit.hard), (Some(1), Some(2)));
        assert_eq!(made.memory_swap, Some(64 << 20));
        assert_eq!((made.privileged, made.cap_add), (None, None));
        assert_eq!(made.security_opt.unwrap(), ["seccomp=unconfined"]);
        assert_eq!(made.readonly_paths, Some(Vec::new()));
    }
}
