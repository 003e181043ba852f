//! A job's container as the task of a swarm's service, in the words of the engine.

use std::collections::HashMap;

use bollard::models::{
    Limit, Mount, MountTmpfsOptions, MountType, MountVolumeOptions, NetworkAttachmentConfig,
    Platform, ResourceObject, ServiceSpec, ServiceSpecMode, ServiceSpecModeReplicated,
    TaskSpec as Template, TaskSpecContainerSpec, TaskSpecContainerSpecDnsConfig,
    TaskSpecContainerSpecFile, TaskSpecContainerSpecSecrets, TaskSpecLogDriver, TaskSpecPlacement,
    TaskSpecResources, TaskSpecRestartPolicy, TaskSpecRestartPolicyConditionEnum,
};

use super::create::{ContainerSpec, some, ulimits};
use crate::labels;

/// How long a container may take to end after its input has: nothing runs in it any more.
const END: i64 = 2_000_000_000;

/// How large the directory of the scripts may become.
const SCRATCH: i64 = 16 << 20;

/// What to make a service of.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskSpec {
    pub(crate) container: ContainerSpec,
    /// Which nodes may take it, in Docker's words.
    pub(crate) constraints: Vec<String>,
    pub(crate) secrets: Vec<SecretFile>,
    /// Names of hosts, as `name:address`, beside those of the options.
    pub(crate) hosts: Vec<String>,
}

/// A secret of a swarm as a file below `/run/secrets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretFile {
    pub(crate) id: String,
    /// As the swarm knows it.
    pub(crate) name: String,
    pub(crate) file: String,
}

/// The service. It has one replica that is never repeated: so its end is told, it goes without a trace
/// on every engine, and a node that is lost shows.
pub(super) fn service(spec: &TaskSpec) -> ServiceSpec {
    let container = &spec.container;
    let networks = container
        .network
        .iter()
        .map(|network| NetworkAttachmentConfig {
            target: Some(network.clone()),
            ..NetworkAttachmentConfig::default()
        });
    let networks: Vec<_> = networks.collect();
    ServiceSpec {
        name: Some(container.name.clone()),
        labels: Some(container.labels.clone()),
        mode: Some(ServiceSpecMode {
            replicated: Some(ServiceSpecModeReplicated { replicas: Some(1) }),
            ..ServiceSpecMode::default()
        }),
        task_template: Some(Template {
            container_spec: Some(container_spec(spec)),
            resources: Some(resources(container)),
            restart_policy: Some(TaskSpecRestartPolicy {
                condition: Some(TaskSpecRestartPolicyConditionEnum::NONE),
                ..TaskSpecRestartPolicy::default()
            }),
            placement: Some(TaskSpecPlacement {
                constraints: some(&spec.constraints),
                platforms: container.platform.as_deref().map(|it| vec![platform(it)]),
                ..TaskSpecPlacement::default()
            }),
            networks: some(&networks),
            // Output comes from the commands themselves; logs of swarms lose data.
            log_driver: Some(TaskSpecLogDriver {
                name: Some("none".to_owned()),
                options: None,
            }),
            ..Template::default()
        }),
        ..ServiceSpec::default()
    }
}

fn container_spec(spec: &TaskSpec) -> TaskSpecContainerSpec {
    let container = &spec.container;
    let options = &container.options;
    let secrets = spec
        .secrets
        .iter()
        .map(|secret| TaskSpecContainerSpecSecrets {
            secret_id: Some(secret.id.clone()),
            secret_name: Some(secret.name.clone()),
            file: Some(TaskSpecContainerSpecFile {
                name: Some(secret.file.clone()),
                uid: Some("0".to_owned()),
                gid: Some("0".to_owned()),
                // Commands run as whoever the image or the options say.
                mode: Some(0o444),
            }),
        });
    let secrets: Vec<_> = secrets.collect();
    // Docker's own words for it are those of /etc/hosts.
    let hosts = options.extra_hosts.iter().chain(&spec.hosts);
    let hosts: Vec<String> = hosts
        .filter_map(|line| line.split_once(':'))
        .map(|(name, address)| format!("{address} {name}"))
        .collect();
    TaskSpecContainerSpec {
        image: Some(container.image.clone()),
        // What the API calls the command of a task is the entry point.
        command: container.entrypoint.clone(),
        args: container.command.clone(),
        env: some(&container.env),
        labels: Some(container.labels.clone()),
        user: options.user.clone(),
        groups: some(&container.groups),
        read_only: options.read_only.then_some(true),
        mounts: Some(mounts(container)),
        stop_grace_period: Some(END),
        hosts: some(&hosts),
        dns_config: some(&options.dns).map(|servers| TaskSpecContainerSpecDnsConfig {
            nameservers: Some(servers),
            ..TaskSpecContainerSpecDnsConfig::default()
        }),
        secrets: some(&secrets),
        // Ends orphans' entries in the process table, and passes the end on.
        init: Some(true),
        capability_add: some(&options.cap_add),
        capability_drop: some(&options.cap_drop),
        ulimits: some(&ulimits(options)),
        ..TaskSpecContainerSpec::default()
    }
}

/// What a job gets it also reserves: two jobs never share what each of them may use.
fn resources(container: &ContainerSpec) -> TaskSpecResources {
    let nano_cpus = container
        .cpu_milli
        .map(|milli| i64::from(milli) * 1_000_000);
    let memory_bytes = container.memory_mib.map(|mib| i64::from(mib) << 20);
    TaskSpecResources {
        limits: Some(Limit {
            nano_cpus,
            memory_bytes,
            pids: container.options.pids,
        }),
        reservations: Some(ResourceObject {
            nano_cpus,
            memory_bytes,
            ..ResourceObject::default()
        }),
        ..TaskSpecResources::default()
    }
}

fn mounts(container: &ContainerSpec) -> Vec<Mount> {
    let mut mounts = Vec::new();
    if let Some(scratch) = &container.scratch {
        mounts.push(in_memory(scratch, Some(SCRATCH), 0o1777));
    }
    for (dir, options) in &container.options.tmpfs {
        let (size, mode) = memory_options(options);
        mounts.push(in_memory(dir, size, mode));
    }
    for bind in &container.binds {
        let mut parts = bind.splitn(3, ':');
        let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
            continue;
        };
        let is_volume = !source.starts_with('/');
        let labels: HashMap<String, String> = if source == container.name {
            container.labels.clone()
        } else {
            labels::of_cache()
        };
        mounts.push(Mount {
            typ: Some(if is_volume {
                MountType::VOLUME
            } else {
                MountType::BIND
            }),
            source: Some(source.to_owned()),
            target: Some(target.to_owned()),
            read_only: (parts.next() == Some("ro")).then_some(true),
            volume_options: is_volume.then(|| MountVolumeOptions {
                labels: Some(labels),
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        });
    }
    mounts
}

fn in_memory(dir: &str, size: Option<i64>, mode: i64) -> Mount {
    Mount {
        typ: Some(MountType::TMPFS),
        target: Some(dir.to_owned()),
        tmpfs_options: Some(MountTmpfsOptions {
            size_bytes: size,
            mode: Some(mode),
            // Engines before API 1.46 know no options, and refuse no word that they do not know.
            options: Some(vec![vec!["exec".to_owned()]]),
        }),
        ..Mount::default()
    }
}

/// Size in bytes and mode of a directory in memory, of the options of tmpfs(5).
fn memory_options(options: &str) -> (Option<i64>, i64) {
    let (mut size, mut mode) = (None, 0o1777);
    for option in options.split(',') {
        match option.split_once('=') {
            Some(("size", value)) => {
                let unit = value.trim_start_matches(|it: char| it.is_ascii_digit());
                let number = value[..value.len() - unit.len()].parse::<i64>().ok();
                let shift = match unit.to_ascii_lowercase().as_str() {
                    "k" => 10,
                    "m" => 20,
                    "g" => 30,
                    _ => 0,
                };
                size = number.and_then(|number| number.checked_mul(1 << shift));
            }
            Some(("mode", value)) => mode = i64::from_str_radix(value, 8).unwrap_or(mode),
            _ => {}
        }
    }
    (size, mode)
}

/// A platform as `os[/processor[/variant]]`.
fn platform(text: &str) -> Platform {
    let mut parts = text.split('/').map(str::to_owned);
    Platform {
        os: parts.next(),
        // Nodes tell their processors in the words of the kernel; swarms know both.
        architecture: parts.next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> TaskSpec {
        TaskSpec {
            container: ContainerSpec {
                name: "job".to_owned(),
                image: "i".to_owned(),
                cpu_milli: Some(1500),
                memory_mib: Some(64),
                scratch: Some("/scratch".to_owned()),
                binds: vec!["job:/work".into(), "cache:/c".into(), "/h:/t:ro".into()],
                platform: Some("linux/arm64/v8".to_owned()),
                labels: HashMap::from([("ci-core.run".to_owned(), "1".to_owned())]),
                ..ContainerSpec::default()
            },
            constraints: vec!["node.labels.ci==true".to_owned()],
            secrets: vec![SecretFile {
                id: "s".into(),
                name: "n".into(),
                file: "TOKEN".into(),
            }],
            hosts: vec!["db:127.0.0.1".to_owned()],
        }
    }

    #[test]
    fn a_job_is_one_task_that_is_never_repeated() {
        let made = service(&spec());
        assert_eq!(made.mode.unwrap().replicated.unwrap().replicas, Some(1));
        let task = made.task_template.unwrap();
        let none = TaskSpecRestartPolicyConditionEnum::NONE;
        assert_eq!(task.restart_policy.unwrap().condition, Some(none));
        assert_eq!(task.log_driver.unwrap().name.as_deref(), Some("none"));
        let placement = task.placement.unwrap();
        assert_eq!(placement.constraints.unwrap(), ["node.labels.ci==true"]);
        let platforms = placement.platforms.unwrap();
        assert_eq!(platforms[0].architecture.as_deref(), Some("arm64"));
        let resources = task.resources.unwrap();
        let (limits, reserved) = (resources.limits.unwrap(), resources.reservations.unwrap());
        assert_eq!(limits.nano_cpus, Some(1_500_000_000));
        assert_eq!(limits.memory_bytes, reserved.memory_bytes);
        let container = task.container_spec.unwrap();
        assert_eq!(container.hosts.unwrap(), ["127.0.0.1 db"]);
        assert_eq!(
            container.secrets.unwrap()[0].secret_id.as_deref(),
            Some("s")
        );
    }

    #[test]
    fn a_volume_of_the_job_has_its_labels_and_a_cache_has_not() {
        let mounts = mounts(&spec().container);
        let of = |index: usize| {
            mounts[index]
                .volume_options
                .clone()
                .and_then(|it| it.labels)
        };
        assert_eq!(mounts[0].typ, Some(MountType::TMPFS));
        assert!(of(1).unwrap().contains_key("ci-core.run"));
        assert!(!of(2).unwrap().contains_key("ci-core.run"));
        assert_eq!(of(3), None);
        assert_eq!(
            (mounts[3].typ, mounts[3].read_only),
            (Some(MountType::BIND), Some(true))
        );
    }

    #[test]
    fn sizes_of_directories_in_memory_are_read() {
        assert_eq!(
            memory_options("rw,exec,mode=755,size=2m"),
            (Some(2 << 20), 0o755)
        );
        assert_eq!(memory_options(""), (None, 0o1777));
        assert_eq!(memory_options("size=12"), (Some(12), 0o1777));
    }
}
