//! What to make for a job, decided before anything is: a pure function of the job and the options.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ci_core::executor::PrepareRequest;
use ci_core::job::ServiceSpec;
use ci_core::step::Action;

use crate::engine::{ContainerSpec, Facts, ImageFacts};
use crate::error::{DockerError, DockerErrorKind};
use crate::options::{CommonOptions, ContainerOptions, DockerAccess, DockerOptions, Workspace};
use crate::script;
use crate::service::ServicePlan;

/// The alias of a service that shares the network of the job's container.
const LOCALHOST: &str = "localhost";

/// The name under which a job finds its options for this executor in `extra`.
const EXTRA: &str = "docker";

/// Where the engine's socket is in a container that gets it.
const SOCKET: &str = "/var/run/docker.sock";

/// The home of users that have none. `read_only` keeps it in memory.
pub(crate) const SPARE_HOME: &str = "/home/ci-core";

/// What to make for a job.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) job: ContainerSpec,
    pub(crate) services: Vec<ServicePlan>,
    /// The network of the job's own, if it needs one, and whether nothing outside of it is reached.
    pub(crate) network: Option<(String, bool)>,
    /// The volume that is the working directory, if it has to be one.
    pub(crate) volume: Option<String>,
    /// The volumes that stay between jobs, by name.
    pub(crate) caches: Vec<String>,
    /// The variables that every command gets beside those of the job.
    pub(crate) env: Vec<(String, String)>,
    /// The directory of this machine that is the working directory, and who it belongs to.
    pub(crate) bound: Option<Bound>,
    /// Whether the project is copied into the working directory.
    pub(crate) copies_project: bool,
}

/// A directory of this machine that a job works in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) dir: PathBuf,
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// What a plan is made from beside the request.
pub(crate) struct Ground<'a> {
    pub(crate) options: &'a DockerOptions,
    pub(crate) work_dir: &'a str,
    /// The engine's address.
    pub(crate) host: &'a str,
    pub(crate) labels: HashMap<String, String>,
    /// The socket that the job gets of the engine, if it is one of its own.
    pub(crate) proxy: Option<&'a Path>,
    pub(crate) facts: &'a Facts,
    /// What the names of everything begin with.
    pub(crate) name: String,
}

/// The image of the job.
pub(crate) fn image<'a>(
    request: &'a PrepareRequest<'_>,
    options: &'a DockerOptions,
) -> Result<&'a str, DockerError> {
    let image = request.job.options.requires.image.as_ref();
    let image = image.or(options.common.image.as_ref());
    image
        .map(String::as_str)
        .filter(|image| !image.is_empty())
        .ok_or_else(|| {
            refused(format!("the job `{}` names no image", request.job.name))
                .with_hint("name an image in the job, or a default image for the executor")
        })
}

/// What to make. `images` is what is known of the images of the services, in their order.
pub(crate) fn plan(
    request: &PrepareRequest<'_>,
    ground: &Ground<'_>,
    images: Vec<ImageFacts>,
) -> Result<Plan, DockerError> {
    if !ground.work_dir.starts_with('/') {
        let text = format!("the directory `{}` is not absolute", ground.work_dir);
        return Err(refused(text));
    }
    let requires = &request.job.options.requires;
    let mut options = container_options(request, ground.options)?;
    let bound = bound(request, ground)?;
    if let (Some(bound), None) = (&bound, &options.user) {
        options.user = Some(format!("{}:{}", bound.user, bound.group));
    }
    if options.read_only {
        for dir in ["/tmp", SPARE_HOME] {
            let mode = "rw,exec,mode=1777".to_owned();
            options.tmpfs.entry(dir.to_owned()).or_insert(mode);
        }
    }
    let mut job = ContainerSpec {
        name: ground.name.clone(),
        image: image(request, ground.options)?.to_owned(),
        entrypoint: Some(script::DEADMAN.map(str::to_owned).to_vec()),
        labels: ground.labels.clone(),
        scratch: Some(script::PRIVATE.to_owned()),
        platform: requires.platform.clone(),
        tethered: true,
        network: options.network.clone(),
        ..ContainerSpec::default()
    };
    (job.cpu_milli, job.memory_mib) = limits(request, &options, ground.facts);
    let services = services(request, ground, &job, images);
    let network = own_network(&services, &options, &ground.name);
    if let Some((name, _)) = &network {
        job.network = Some(name.clone());
    }
    let mut binds = mounts(&options);
    let other_images = request.job.steps.iter().any(|step| match &step.action {
        Action::Run(command) => command.image.is_some(),
        _ => false,
    });
    // Only what is on a volume can be shared by containers, and written where nothing else can.
    let needs_volume = bound.is_none() && (options.read_only || other_images);
    let volume = needs_volume.then(|| ground.name.clone());
    if let Some(bound) = &bound {
        binds.push(format!("{}:{}", bound.dir.display(), ground.work_dir));
    } else if let Some(volume) = &volume {
        binds.push(format!("{volume}:{}", ground.work_dir));
    }
    let mut env = Vec::new();
    if ground.options.docker != DockerAccess::None {
        env.push(("DOCKER_HOST".to_owned(), format!("unix://{SOCKET}")));
    }
    if let Some(proxy) = ground.proxy {
        binds.push(format!("{}:{SOCKET}", proxy.display()));
    }
    if ground.options.docker == DockerAccess::Socket {
        let (bind, group) = socket(ground.host)?;
        binds.push(bind);
        job.groups.extend(group.map(|group| group.to_string()));
        let labels = ground.labels.iter();
        let mut labels: Vec<String> = labels
            .filter(|(_, value)| !value.contains(char::is_whitespace))
            .map(|(name, value)| format!("--label {name}={value}"))
            .collect();
        labels.sort_unstable();
        env.push(("CI_CORE_DOCKER_LABELS".to_owned(), labels.join(" ")));
    }
    job.binds = binds;
    let mut caches = kept_volumes(&options);
    if !requires.services.is_empty() {
        caches.extend(kept_volumes(&ground.options.common.services));
    }
    job.options = options;
    Ok(Plan {
        copies_project: bound.is_none() && wants_project(request, ground.work_dir),
        job,
        services,
        network,
        volume,
        caches,
        env,
        bound,
    })
}

/// Whether something limits processors: then a plan needs to know how many the machine has.
pub(crate) fn limits_processors(
    request: &PrepareRequest<'_>,
    options: &DockerOptions,
) -> Result<bool, DockerError> {
    let asked = request.job.options.requires.cpu_milli.or(request.cpu_milli);
    Ok(asked.is_some()
        || container_options(request, options)?.cpus.is_some()
        || service_options(&options.common).cpus.is_some())
}

/// The options of the job's container.
fn container_options(
    request: &PrepareRequest<'_>,
    options: &DockerOptions,
) -> Result<ContainerOptions, DockerError> {
    let Some(extra) = request.job.options.extra.get(EXTRA) else {
        return Ok(options.common.container.clone());
    };
    let name = &request.job.name;
    let own: ContainerOptions = serde_json::from_value(extra.clone()).map_err(|error| {
        refused(format!(
            "`extra.{EXTRA}` of the job `{name}` cannot be used"
        ))
        .with_source(error)
    })?;
    let powers = own.powers();
    if !powers.is_empty() && !options.common.trust_jobs {
        let powers = powers.join("`, `");
        let text = format!("the job `{name}` asks for `{powers}`, which jobs may not here");
        return Err(refused(text).with_hint(
            "`trust_jobs: true` in the executor's options lets jobs have power over the machine",
        ));
    }
    Ok(options.common.container.with(own))
}

/// Processor time in thousandths of a core, and memory in MiB: what the job reserves, or else what the
/// options say. An engine refuses more processors than it has.
fn limits(
    request: &PrepareRequest<'_>,
    options: &ContainerOptions,
    facts: &Facts,
) -> (Option<u32>, Option<u32>) {
    let requires = &request.job.options.requires;
    let (own_cpu, own_memory) = own_limits(options, facts);
    let cpu = requires.cpu_milli.or(request.cpu_milli);
    let cpu = cpu.map(|cpu| at_most(cpu, facts)).or(own_cpu);
    let memory = requires.memory_mib.or(request.memory_mib).or(own_memory);
    (cpu.filter(|cpu| *cpu > 0), memory.filter(|mib| *mib > 0))
}

/// The limits that options name, in thousandths of a core and in MiB.
fn own_limits(options: &ContainerOptions, facts: &Facts) -> (Option<u32>, Option<u32>) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the conversion saturates, as it should"
    )]
    let cpu = options.cpus.map(|cpus| (cpus * 1000.0) as u32);
    let memory = options
        .memory
        .map(|bytes| u32::try_from(bytes >> 20).unwrap_or(u32::MAX));
    let cpu = cpu.map(|cpu| at_most(cpu, facts));
    (cpu.filter(|cpu| *cpu > 0), memory.filter(|mib| *mib > 0))
}

/// No more thousandths of a core than there are.
fn at_most(cpu: u32, facts: &Facts) -> u32 {
    match facts.processors {
        0 => cpu,
        processors => cpu.min(processors.saturating_mul(1000)),
    }
}

/// The directories and volumes that options name, as `source:target`.
fn mounts(options: &ContainerOptions) -> Vec<String> {
    let volumes = options.volumes.iter();
    let volumes = volumes.map(|(dir, volume)| format!("{volume}:{dir}"));
    options.binds.iter().cloned().chain(volumes).collect()
}

/// The volumes that stay between jobs.
fn kept_volumes(options: &ContainerOptions) -> Vec<String> {
    let names = options.volumes.values();
    names.filter(|name| !name.contains('/')).cloned().collect()
}

/// The directory of this machine that the job works in, if it does.
fn bound(request: &PrepareRequest<'_>, ground: &Ground<'_>) -> Result<Option<Bound>, DockerError> {
    if ground.options.workspace != Workspace::Bind || !wants_project(request, ground.work_dir) {
        return Ok(None);
    }
    let Some(dir) = request.project_dir.clone() else {
        return Ok(None);
    };
    let owner = std::fs::metadata(&dir).map_err(|error| {
        refused(format!("the directory `{}` cannot be bound", dir.display())).with_source(error)
    })?;
    if dir.to_string_lossy().contains(':') || dir.to_str().is_none() {
        let text = format!(
            "the directory `{}` cannot be bound: Docker has no words for its name",
            dir.display()
        );
        return Err(refused(text));
    }
    Ok(Some(Bound {
        dir,
        user: owner.uid(),
        group: owner.gid(),
    }))
}

/// Whether the job works on the project as it is: it checks nothing out and does not work somewhere
/// else.
fn wants_project(request: &PrepareRequest<'_>, work_dir: &str) -> bool {
    let is_checkout = |action: &Action| matches!(action, Action::Checkout(_));
    let steps = &request.job.steps;
    let elsewhere = request
        .job
        .options
        .working_dir
        .as_deref()
        .is_some_and(|dir| {
            dir.starts_with('~') || (dir.starts_with('/') && !Path::new(dir).starts_with(work_dir))
        });
    request.project_dir.is_some()
        && !elsewhere
        && !steps.iter().any(|step| is_checkout(&step.action))
}

fn services(
    request: &PrepareRequest<'_>,
    ground: &Ground<'_>,
    job: &ContainerSpec,
    images: Vec<ImageFacts>,
) -> Vec<ServicePlan> {
    let services = request.job.options.requires.services.iter().zip(images);
    services
        .enumerate()
        .map(|(index, (service, image))| ServicePlan {
            shares_network: service.aliases.iter().any(|alias| alias == LOCALHOST),
            container: service_spec(index, service, ground, job),
            image,
        })
        .collect()
}

fn service_spec(
    index: usize,
    service: &ServiceSpec,
    ground: &Ground<'_>,
    job: &ContainerSpec,
) -> ContainerSpec {
    let words = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    let options = service_options(&ground.options.common);
    let (cpu_milli, memory_mib) = own_limits(&options, ground.facts);
    let aliases = service.aliases.iter().filter(|alias| !alias.is_empty());
    ContainerSpec {
        name: format!("{}-service-{index}", job.name),
        image: service.image.clone(),
        entrypoint: words(&service.entrypoint),
        command: words(&service.command),
        env: service
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        labels: ground.labels.clone(),
        network: Some(job.name.clone()),
        aliases: aliases.cloned().collect(),
        cpu_milli,
        memory_mib,
        binds: mounts(&options),
        options,
        ..ContainerSpec::default()
    }
}

/// The options of services. They find the hosts that the job finds.
fn service_options(common: &CommonOptions) -> ContainerOptions {
    let of_job = ContainerOptions {
        dns: common.container.dns.clone(),
        extra_hosts: common.container.extra_hosts.clone(),
        ..ContainerOptions::default()
    };
    of_job.with(common.services.clone())
}

/// The network that the job needs for itself: where a service is reached by name. Without a network for
/// the job nothing outside of it is reached.
fn own_network(
    services: &[ServicePlan],
    options: &ContainerOptions,
    name: &str,
) -> Option<(String, bool)> {
    let named = services.iter().any(|service| !service.shares_network);
    let internal = options.network.as_deref() == Some("none");
    named.then(|| (name.to_owned(), internal))
}

/// The bind of the engine's socket, and the group that may use it.
fn socket(host: &str) -> Result<(String, Option<u32>), DockerError> {
    let path = socket_path(host)?;
    let group = std::fs::metadata(path).ok().map(|found| found.gid());
    Ok((format!("{}:{SOCKET}", path.display()), group))
}

/// The engine's socket.
pub(crate) fn socket_path(host: &str) -> Result<&Path, DockerError> {
    let path = host.strip_prefix("unix://").map(Path::new);
    path.ok_or_else(|| {
        refused(format!(
            "the engine `{host}` has no socket that a job could get"
        ))
        .with_hint("`docker: socket` and `docker: filtered` need an engine on this machine")
    })
}

fn refused(text: String) -> DockerError {
    DockerError::new(DockerErrorKind::Refused, text)
}
