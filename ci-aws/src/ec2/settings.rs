//! The options of an EC2 executor as they stand in a settings file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ci_core::executor::{ExecutorError, ExecutorErrorKind, read_options};
use ci_core::units::parse_duration;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::api::Spot;
use super::options::{Address, Ec2Options, Launch, Strategy, Trust, price};

pub(super) fn unusable(
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ExecutorError {
    ExecutorError::new(ExecutorErrorKind::Unsupported, "the options cannot be used")
        .with_source(source)
}

/// What `executors.NAME.options` of the settings may say of an executor of the type `ec2`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Ec2Options")]
pub(super) struct Settings {
    /// A profile of the AWS configuration files.
    profile: Option<String>,
    /// The region, such as `eu-north-1`; by default that of the environment or the profile.
    region: Option<String>,
    /// An address of EC2 in place of the region's.
    endpoint: Option<String>,
    /// How many sessions it can have at once.
    limit: Option<std::num::NonZeroUsize>,
    /// An instance that is there, by its id. It is started if it is stopped, and stopped after if it was.
    instance: Option<String>,
    /// The launch template of new instances, by its id or name. They are terminated after.
    template: Option<String>,
    /// The version of the template: a number, `$Default` or `$Latest`; `$Default` by default.
    version: Option<String>,
    /// Instance types in place of the template's, the best first.
    types: Vec<String>,
    /// Availability zones, the best first.
    zones: Vec<String>,
    /// Subnets, the best first.
    subnets: Vec<String>,
    /// Whether spot instances are tried first; `false` by default.
    spot: SpotSetting,
    /// Whether an instance on demand will do where there is no spot instance; `true` by default.
    fall_back: Option<bool>,
    /// Under which address it is reached: `public`, `private`, or an address or name of your own; `public` by default.
    address: Option<String>,
    /// The port, in place of what the `ssh` configuration says.
    port: Option<u16>,
    /// The user, in place of what the `ssh` configuration says.
    user: Option<String>,
    /// The file of the private key. A new instance gets a key of its own if there is none.
    identity: Option<PathBuf>,
    /// The socket of an agent that has the private key.
    agent: Option<PathBuf>,
    /// The `ssh` configuration file, in place of the user's; `none` is no file.
    ssh_config: Option<PathBuf>,
    /// How an existing instance proves that it is the right one: `console` (the key that it printed when it started), `known` (your known hosts), `accept-new`, or a public key; `console` by default.
    host_key: Option<String>,
    /// The file in which `accept-new` keeps the key.
    known_hosts: Option<PathBuf>,
    /// The directory on the machine for the directories of jobs, absolute.
    root: Option<String>,
    /// Where the machine asks for notices of its end, a URL.
    notices: Option<String>,
    /// Who rents it; a word for its tags. `ci-core` by default.
    owner: Option<String>,
    /// The directory of the journal of launches; by default in the user's state directory.
    state: Option<PathBuf>,
    /// How many jobs share a machine at the same time; 1 by default.
    jobs: Option<std::num::NonZeroUsize>,
    /// How long processes may take to end after they were asked to, such as `10s`.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    grace: Option<Duration>,
    /// How long to try to get a machine at all; `5m` by default.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    launch_deadline: Option<Duration>,
    /// How long a machine may take until it lets us in; `5m` by default.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    boot_deadline: Option<Duration>,
    /// How long giving it back may take; `3m` by default.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    teardown_deadline: Option<Duration>,
    /// How often EC2 is asked for a state that is waited for; `3s` by default.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    poll: Option<Duration>,
    /// After how long without a sign of life of this process a machine is up for being cleaned away; `15m` by default.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    lease: Option<Duration>,
    /// After how long a launched machine ends itself, whatever happens; `6h` by default.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    time_limit: Option<Duration>,
    /// How long a launched machine is kept for the next job of the same run; by default not at all.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    keep: Option<Duration>,
    /// How much machine time a run may launch, each machine counted with its whole time limit.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<String>")]
    machine_time: Option<Duration>,
}

/// Whether spot instances are asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum SpotSetting {
    /// Whether at all.
    Plain(bool),
    /// At this price at most.
    Priced {
        /// The most to pay for an hour, in US dollars, such as `0.10`.
        max_price: String,
    },
}

impl Default for SpotSetting {
    fn default() -> Self {
        Self::Plain(false)
    }
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| parse_duration(&text).map_err(serde::de::Error::custom))
        .transpose()
}

impl Settings {
    /// Reads the options.
    ///
    /// # Errors
    /// For an option that there is not, and a value of the wrong kind.
    pub(super) fn read(
        options: &BTreeMap<String, serde_json::Value>,
    ) -> Result<Self, ExecutorError> {
        read_options(options)
    }

    /// Where EC2 is, and as whom to speak to it.
    #[cfg(feature = "sdk")]
    pub(super) fn access(self) -> super::sdk::Access {
        super::sdk::Access {
            profile: self.profile,
            region: self.region,
            endpoint: self.endpoint,
            keys: None,
        }
    }

    pub(super) fn options(self) -> Result<Ec2Options, String> {
        let mut options = Ec2Options::new(self.strategy()?);
        let trust = self.trust()?;
        let reach = &mut options.reach;
        reach.trust = trust;
        reach.address = match self.address.as_deref() {
            None | Some("public") => Address::Public,
            Some("private") => Address::Private,
            Some(other) => Address::Fixed(other.to_owned()),
        };
        reach.port = self.port;
        reach.user = self.user;
        reach.identity = self.identity;
        reach.agent = self.agent;
        reach.config = self.ssh_config;
        reach.root = self.root;
        set(&mut reach.notices, self.notices);
        set(&mut reach.grace, self.grace);
        set(&mut options.owner, self.owner);
        set(&mut options.state, self.state);
        set(
            &mut options.jobs,
            self.jobs.map(std::num::NonZeroUsize::get),
        );
        options.limit = self.limit.map(std::num::NonZeroUsize::get);
        set(&mut options.launch_deadline, self.launch_deadline);
        set(&mut options.boot_deadline, self.boot_deadline);
        set(&mut options.teardown_deadline, self.teardown_deadline);
        set(&mut options.poll, self.poll);
        set(&mut options.lease, self.lease);
        set(&mut options.time_limit, self.time_limit);
        set(&mut options.keep, self.keep);
        options.machine_time = self.machine_time;
        Ok(options)
    }

    fn strategy(&self) -> Result<Strategy, String> {
        let spot = match &self.spot {
            SpotSetting::Plain(false) => None,
            SpotSetting::Plain(true) => Some(Spot::default()),
            SpotSetting::Priced { max_price } => Some(Spot {
                max_price: Some(price(max_price)?),
            }),
        };
        match (&self.instance, &self.template) {
            (Some(instance), None) => Ok(Strategy::Existing(instance.clone())),
            (None, Some(template)) => {
                let mut launch = Launch::new(template);
                set(&mut launch.template.version, self.version.clone());
                launch.types.clone_from(&self.types);
                launch.zones.clone_from(&self.zones);
                launch.subnets.clone_from(&self.subnets);
                launch.spot = spot;
                set(&mut launch.fall_back, self.fall_back);
                Ok(Strategy::Template(launch))
            }
            _ => Err("one of `instance` and `template` has to be set, and not both".to_owned()),
        }
    }

    fn trust(&self) -> Result<Trust, String> {
        match (self.host_key.as_deref(), &self.known_hosts) {
            (None | Some("console"), None) => Ok(Trust::Console),
            (Some("known"), None) => Ok(Trust::Known),
            (Some("accept-new"), Some(file)) => Ok(Trust::AcceptNew(file.clone())),
            (Some("accept-new"), None) => {
                Err("`host_key: accept-new` needs `known_hosts`, a file to keep the key in".into())
            }
            (Some(key), None) if key.split_whitespace().count() >= 2 => {
                Ok(Trust::Pinned(key.to_owned()))
            }
            (Some(other), None) => Err(format!(
                "`host_key` is `{other}`; it can be `console`, `known`, `accept-new` or a public key"
            )),
            (_, Some(_)) => Err("`known_hosts` goes with `host_key: accept-new`".to_owned()),
        }
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}
