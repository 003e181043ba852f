//! The variables that say which machine, how it is reached, and what is built.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ci_core::secret::SecretSet;
use ci_core::units::parse_duration;

use crate::ec2::{Address, Ec2Error, Ec2ErrorKind, Ec2Options, Launch, Spot, Strategy, Trust};

/// How a machine is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StrategyName {
    /// One that is there is started, and stopped after.
    Existing,
    /// A new one is launched, and terminated after.
    Template,
}

impl StrategyName {
    /// The name in `E2C_INSTANCE_STRATEGY`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Existing => "existing",
            Self::Template => "template",
        }
    }

    /// The strategy of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Existing, Self::Template]
            .into_iter()
            .find(|it| it.as_str() == name)
    }
}

/// The variables `E2C_*` and those of the CI job.
#[derive(Clone)]
#[non_exhaustive]
pub struct Variables {
    /// `CI_JOB_ID`: letters, digits, `-` and `_`. Within a run of this engine, which says so by
    /// `CI_CORE_RUN` and `CI_CORE_JOB`, with those behind it.
    pub job: String,
    /// `E2C_INSTANCE_STRATEGY`.
    pub strategy: StrategyName,
    /// `E2C_BUILD_DIR`, by default `~/builds`.
    pub build_dir: String,
    /// `E2C_SSH_PRIVATE_KEY`, decoded; by default the keys of the user's agent.
    pub(super) key: Option<String>,
    /// What must not be shown.
    pub(super) secrets: Vec<String>,
    /// What the build may know: `CI_REGISTRY*`, `CI_COMMIT_*`, `CI_PROJECT_*` and those that `E2C_PASS`
    /// names.
    pub(super) passed: BTreeMap<String, String>,
    /// Everything else about the machine.
    pub options: Ec2Options,
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables")
            .field("job", &self.job)
            .field("strategy", &self.strategy)
            .field("build_dir", &self.build_dir)
            .finish_non_exhaustive()
    }
}

fn wrong(text: impl Into<String>) -> Ec2Error {
    Ec2Error::new(Ec2ErrorKind::Options, text)
}

impl Variables {
    /// Reads them from an environment.
    ///
    /// # Errors
    /// For one that is missing or says what cannot be; the message names it.
    pub fn read(environment: &BTreeMap<String, String>) -> Result<Self, Ec2Error> {
        let get = |name: &str| {
            environment
                .get(name)
                .map(|it| it.trim())
                .filter(|it| !it.is_empty())
        };
        let need = |name: &str| {
            get(name).ok_or_else(|| {
                wrong(format!("the variable `{name}` is not set"))
                    .with_hint("`ci e2c --help` lists the variables")
            })
        };
        let mut job = need("CI_JOB_ID")?.to_owned();
        let is_plain = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        if !job.chars().all(is_plain) {
            return Err(wrong(format!(
                "`CI_JOB_ID` is `{job}`; it becomes the name of a file and may have letters, digits, `-` and `_`"
            )));
        }
        // An engine on somebody's own machine numbers no jobs: there it is the same for all of them.
        if let (Some(run), Some(name)) = (get("CI_CORE_RUN"), get("CI_CORE_JOB")) {
            let plain = |it: char| if is_plain(it) { it } else { '-' };
            job.extend(format!("-{run}-{name}").chars().map(plain));
        }
        let name = need("E2C_INSTANCE_STRATEGY")?;
        let strategy = StrategyName::parse(name).ok_or_else(|| {
            wrong(format!(
                "`E2C_INSTANCE_STRATEGY` is `{name}`; it can be `existing` or `template`"
            ))
        })?;
        let machine = match strategy {
            StrategyName::Existing => Strategy::Existing(need("E2C_INSTANCE_ID")?.to_owned()),
            StrategyName::Template => {
                let mut launch = Launch::new(need("E2C_LAUNCH_TEMPLATE_ID")?);
                if let Some(version) = get("E2C_LAUNCH_TEMPLATE_VERSION") {
                    version.clone_into(&mut launch.template.version);
                }
                let list = |name| words(get(name).unwrap_or_default());
                launch.types = list("E2C_INSTANCE_TYPES");
                launch.zones = list("E2C_ZONES");
                launch.subnets = list("E2C_SUBNETS");
                launch.spot = spot(get("E2C_USE_SPOT"), get("E2C_SPOT_MAX_PRICE"))?;
                Strategy::Template(launch)
            }
        };
        let mut options = Ec2Options::new(machine);
        options.owner = format!("e2c-{job}");
        // Nothing renews a lease between the commands: it is as long as the machine may live.
        let limit = time(get("E2C_TIME_LIMIT"), "E2C_TIME_LIMIT")?;
        options.time_limit = limit.unwrap_or(Duration::from_hours(3));
        options.lease = options.time_limit;
        if let Some(time) = time(get("E2C_BOOT_TIMEOUT"), "E2C_BOOT_TIMEOUT")? {
            options.boot_deadline = time;
        }
        if let Some(time) = time(get("E2C_LAUNCH_TIMEOUT"), "E2C_LAUNCH_TIMEOUT")? {
            options.launch_deadline = time;
        }
        if let Some(time) = time(get("E2C_POLL"), "E2C_POLL")? {
            options.poll = time;
        }
        if let Some(state) = get("E2C_STATE_DIR") {
            options.state = PathBuf::from(state);
        }
        let reach = &mut options.reach;
        reach.user = get("E2C_SSH_USER").map(ToOwned::to_owned);
        reach.config = get("E2C_SSH_CONFIG").map(PathBuf::from);
        reach.address = match get("E2C_ADDRESS") {
            None | Some("public") => Address::Public,
            Some("private") => Address::Private,
            Some(other) => Address::Fixed(other.to_owned()),
        };
        reach.port = get("E2C_SSH_PORT")
            .map(|port| {
                let bad = |_| wrong(format!("`E2C_SSH_PORT` is `{port}`, which is no port"));
                port.parse().map_err(bad)
            })
            .transpose()?;
        reach.trust = trust(get("E2C_SSH_HOST_KEY"), get("E2C_KNOWN_HOSTS"))?;
        let mut secrets = Vec::new();
        let key = get("E2C_SSH_PRIVATE_KEY").map(key).transpose()?;
        if let (Some(key), Some(encoded)) = (&key, get("E2C_SSH_PRIVATE_KEY")) {
            secrets.extend([key.clone(), encoded.to_owned()]);
        }
        secrets.extend(get("CI_REGISTRY_PASSWORD").map(ToOwned::to_owned));
        secrets.extend(get("AWS_SECRET_ACCESS_KEY").map(ToOwned::to_owned));
        Ok(Self {
            build_dir: build_dir(get("E2C_BUILD_DIR").unwrap_or("~/builds"))?,
            passed: passed(environment, &words(get("E2C_PASS").unwrap_or_default())),
            job,
            strategy,
            key,
            secrets,
            options,
        })
    }

    /// The directory of the job on the machine.
    #[must_use]
    pub fn job_dir(&self) -> String {
        format!("{}/{}", self.build_dir, self.job)
    }

    /// The run by which the machine is tagged.
    #[must_use]
    pub fn run(&self) -> String {
        format!("e2c-{}", self.job)
    }

    /// What must not be shown, in all its forms.
    #[must_use]
    pub fn secrets(&self) -> SecretSet {
        // One that is too short to be masked is no key and hardly a password.
        SecretSet::new(self.secrets.iter().map(|value| ("secret", value.as_str()))).0
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|it: char| it == ',' || it.is_whitespace())
        .filter(|it| !it.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

fn spot(wanted: Option<&str>, price: Option<&str>) -> Result<Option<Spot>, Ec2Error> {
    match wanted {
        Some("true" | "1" | "yes") => {}
        None | Some("false" | "0" | "no") => return Ok(None),
        Some(other) => {
            return Err(wrong(format!(
                "`E2C_USE_SPOT` is `{other}`; it can be `true` or `false`"
            )));
        }
    }
    let max_price = price
        .map(|price| {
            crate::ec2::price(price).map_err(|text| wrong(format!("`E2C_SPOT_MAX_PRICE`: {text}")))
        })
        .transpose()?;
    Ok(Some(Spot { max_price }))
}

fn time(text: Option<&str>, name: &str) -> Result<Option<Duration>, Ec2Error> {
    text.map(|text| parse_duration(text).map_err(|error| wrong(format!("`{name}`: {error}"))))
        .transpose()
}

fn trust(key: Option<&str>, known: Option<&str>) -> Result<Trust, Ec2Error> {
    match (key, known) {
        (None | Some("console"), _) => Ok(Trust::Console),
        (Some("known"), _) => Ok(Trust::Known),
        (Some("accept-new"), Some(file)) => Ok(Trust::AcceptNew(PathBuf::from(file))),
        (Some("accept-new"), None) => Err(wrong(
            "`E2C_SSH_HOST_KEY` is `accept-new`, which needs a file in `E2C_KNOWN_HOSTS`",
        )),
        (Some(key), _) => Ok(Trust::Pinned(key.to_owned())),
    }
}

/// The private key: base64 of the file, as the variable has it.
fn key(encoded: &str) -> Result<String, Ec2Error> {
    let joined: String = encoded.split_whitespace().collect();
    let bytes = BASE64.decode(joined).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    match text {
        Some(text) if text.contains("PRIVATE KEY-----") => Ok(text.trim_end().to_owned() + "\n"),
        // The value itself shows nowhere.
        _ => Err(
            wrong("`E2C_SSH_PRIVATE_KEY` is not the base64 of a private key")
                .with_hint("`base64 -w0 < ~/.ssh/id_ed25519` makes it"),
        ),
    }
}

/// Below it the directory of a job is removed: it may not be the root, and has no `..`.
fn build_dir(text: &str) -> Result<String, Ec2Error> {
    let dir = text.trim_end_matches('/');
    let is_rooted = dir.starts_with('/') || dir.starts_with("~/");
    if !is_rooted || dir.split('/').any(|part| part == "..") || dir.len() < 2 {
        return Err(wrong(format!(
            "`E2C_BUILD_DIR` is `{text}`; it has to begin with `/` or `~/`, be more than that, and have no `..`"
        )));
    }
    Ok(dir.to_owned())
}

fn passed(environment: &BTreeMap<String, String>, named: &[String]) -> BTreeMap<String, String> {
    let is_passed = |name: &str| {
        ["CI_REGISTRY", "CI_COMMIT_", "CI_PROJECT_"]
            .iter()
            .any(|start| name.starts_with(start))
            || name == "CI_JOB_ID"
            || named.iter().any(|it| it == name)
    };
    environment
        .iter()
        .filter(|(name, _)| is_passed(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Variables, String> {
        let base = [
            ("CI_JOB_ID", "42"),
            ("E2C_INSTANCE_STRATEGY", "template"),
            ("E2C_LAUNCH_TEMPLATE_ID", "lt-08c7ea1a2658e52f7"),
        ];
        let all = base.iter().chain(pairs);
        let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Variables::read(&all.collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_variables_of_the_seed_are_read() {
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nsecretsecret\n-----END OPENSSH PRIVATE KEY-----\n";
        let encoded = BASE64.encode(key);
        let read = read(&[
            ("E2C_SSH_USER", "admin"),
            ("E2C_SSH_PRIVATE_KEY", &encoded),
            ("E2C_BUILD_DIR", "~/builds/"),
            ("E2C_USE_SPOT", "true"),
            ("E2C_SPOT_MAX_PRICE", "0.10"),
            ("CI_REGISTRY_PASSWORD", "p4ssw0rd-of-registry"),
            ("HOME", "/root"),
        ])
        .unwrap();
        assert_eq!(read.job_dir(), "~/builds/42");
        let Strategy::Template(launch) = &read.options.strategy else {
            panic!("{read:?}");
        };
        assert_eq!(
            launch.spot.as_ref().unwrap().max_price.as_deref(),
            Some("0.10")
        );
        assert_eq!(read.key.as_deref(), Some(key));
        assert!(!read.passed.contains_key("HOME"));
        let secrets = read.secrets();
        for text in [key, &encoded, "p4ssw0rd-of-registry"] {
            let masked = secrets.mask(text);
            assert!(
                !masked.contains("secretsecret") && masked != text,
                "{masked}"
            );
        }
        assert!(!format!("{read:?}").contains("secretsecret"));
    }

    #[test]
    fn jobs_of_a_run_here_have_machines_of_their_own() {
        let of = |name| {
            read(&[("CI_CORE_RUN", "01a2-b"), ("CI_CORE_JOB", name)])
                .unwrap()
                .job
        };
        assert_eq!(of("arm (1/2)"), "42-01a2-b-arm--1-2-");
        assert_ne!(of("arm64"), of("arm_v7"));
        assert_eq!(read(&[("CI_CORE_JOB", "alone")]).unwrap().job, "42");
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (name, value) in [
            ("CI_JOB_ID", "../1"),
            ("CI_JOB_ID", ""),
            ("E2C_INSTANCE_STRATEGY", "both"),
            ("E2C_LAUNCH_TEMPLATE_ID", ""),
            ("E2C_SSH_PRIVATE_KEY", "not base64!"),
            ("E2C_BUILD_DIR", "/"),
            ("E2C_BUILD_DIR", "~"),
            ("E2C_BUILD_DIR", "/a/../.."),
            ("E2C_BUILD_DIR", "builds"),
            ("E2C_USE_SPOT", "maybe"),
            ("E2C_TIME_LIMIT", "long"),
            ("E2C_SSH_PORT", "99999"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.contains(name), "{error}");
            assert!(!error.contains("not base64!"), "{error}");
        }
        let error = read(&[("E2C_USE_SPOT", "1"), ("E2C_SPOT_MAX_PRICE", "-1")]).unwrap_err();
        assert!(error.contains("E2C_SPOT_MAX_PRICE"), "{error}");
    }
}
