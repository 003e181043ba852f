//! What an EC2 executor is told: which instance, how it is reached, how long it may live.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ci_core::executor::ExecutorError;

use super::api::{Spot, Template};
use super::settings::{Settings, unusable};

/// How machines of EC2 are had and used.
///
/// As options of the settings file they are one flat map, see [`Ec2Options::from_settings`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Ec2Options {
    /// Which instance.
    pub strategy: Strategy,
    /// How it is reached.
    pub reach: Reach,
    /// Who rents it; a word for its tags.
    pub owner: String,
    /// Where the journal of launches is.
    pub state: PathBuf,
    /// How long to try to get a machine at all.
    pub launch_deadline: Duration,
    /// How long a machine may take until it lets us in.
    pub boot_deadline: Duration,
    /// How long giving it back may take.
    pub teardown_deadline: Duration,
    /// How often EC2 is asked for a state that is waited for.
    pub poll: Duration,
    /// After how long without a sign of life of this process a machine is up for being cleaned away.
    pub lease: Duration,
    /// After how long a launched machine ends itself, whatever happens.
    pub time_limit: Duration,
    /// How many jobs share a machine at the same time.
    pub jobs: usize,
    /// How many sessions it can have at once.
    pub limit: Option<usize>,
    /// How long a launched machine is kept for the next job of the same run.
    pub keep: Duration,
    /// How much machine time a run may launch, each machine counted with its whole time limit.
    pub machine_time: Option<Duration>,
}

/// Which instance a job gets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// This one, which is started if it is stopped, and stopped after if it was.
    Existing(String),
    /// A new one, which is terminated after.
    Template(Launch),
}

/// How a new instance is launched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Launch {
    /// The launch template.
    pub template: Template,
    /// Types in place of the template's, the best first.
    pub types: Vec<String>,
    /// Zones, the best first.
    pub zones: Vec<String>,
    /// Subnets, the best first.
    pub subnets: Vec<String>,
    /// Spot instances first.
    pub spot: Option<Spot>,
    /// Whether an instance on demand will do where there is no spot instance.
    pub fall_back: bool,
}

impl Launch {
    /// The default version of a template, named by id or name, as it is.
    #[must_use]
    pub fn new(template: impl Into<String>) -> Self {
        Self {
            template: Template {
                name: template.into(),
                version: "$Default".to_owned(),
            },
            types: Vec::new(),
            zones: Vec::new(),
            subnets: Vec::new(),
            spot: None,
            fall_back: true,
        }
    }
}

/// How an instance is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reach {
    /// Under which address.
    pub address: Address,
    /// The port, in place of what the `ssh` configuration says.
    pub port: Option<u16>,
    /// The user, in place of what the `ssh` configuration says.
    pub user: Option<String>,
    /// The file of the private key. A new instance gets a key of its own if there is none.
    pub identity: Option<PathBuf>,
    /// The socket of an agent that has the private key.
    pub agent: Option<PathBuf>,
    /// The `ssh` configuration file, in place of the user's; `none` is no file.
    pub config: Option<PathBuf>,
    /// How an existing instance proves that it is the right one. A new one gets its key with its user
    /// data.
    pub trust: Trust,
    /// How long processes may take to end after they were asked to.
    pub grace: Duration,
    /// The directory on the machine for the directories of jobs.
    pub root: Option<String>,
    /// Where the machine asks for notices of its end.
    pub notices: String,
}

/// Under which address an instance is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Address {
    /// Its public one.
    #[default]
    Public,
    /// Its private one.
    Private,
    /// This one, or a name in the `ssh` configuration: a tunnel, or a machine for tests.
    Fixed(String),
}

/// How an existing instance proves that it is the right one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Trust {
    /// By the key that it printed on its console when it started; else the user's known hosts.
    #[default]
    Console,
    /// The user's known hosts must have its key.
    Known,
    /// It must have this key.
    Pinned(String),
    /// The first key is taken, and kept in this file.
    AcceptNew(PathBuf),
}

impl Ec2Options {
    /// The usual times, and a journal in the user's state directory.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            reach: Reach {
                address: Address::Public,
                port: None,
                user: None,
                identity: None,
                agent: None,
                config: None,
                trust: Trust::Console,
                grace: Duration::from_secs(10),
                root: None,
                notices: "http://169.254.169.254".to_owned(),
            },
            owner: "ci-core".to_owned(),
            state: state_dir(),
            launch_deadline: Duration::from_mins(5),
            boot_deadline: Duration::from_mins(5),
            teardown_deadline: Duration::from_mins(3),
            poll: Duration::from_secs(3),
            lease: Duration::from_mins(15),
            time_limit: Duration::from_hours(6),
            jobs: 1,
            limit: None,
            keep: Duration::ZERO,
            machine_time: None,
        }
    }

    /// Reads the options of an executor of the settings file.
    ///
    /// # Errors
    /// For an option that there is not, a value of the wrong kind, and options that exclude each
    /// other.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// use ci_aws::ec2::{Ec2Options, Strategy};
    ///
    /// let options = BTreeMap::from([
    ///     ("template".to_owned(), "builders".into()),
    ///     ("types".to_owned(), vec!["c7g.large", "m7g.large"].into()),
    ///     ("spot".to_owned(), true.into()),
    ///     ("time_limit".to_owned(), "2h".into()),
    /// ]);
    /// let options = Ec2Options::from_settings(&options)?;
    /// let Strategy::Template(launch) = options.strategy else { unreachable!() };
    /// assert_eq!(launch.types, ["c7g.large", "m7g.large"]);
    /// # Ok::<(), ci_core::executor::ExecutorError>(())
    /// ```
    pub fn from_settings(
        options: &BTreeMap<String, serde_json::Value>,
    ) -> Result<Self, ExecutorError> {
        Settings::read(options)?.options().map_err(unusable)
    }

    /// The JSON schema of the options, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Settings).to_value()
    }
}

fn state_dir() -> PathBuf {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    from("XDG_STATE_HOME")
        .or_else(|| from("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(std::env::temp_dir)
        .join("ci-core/aws")
}

/// A price as EC2 wants it, in US dollars.
pub(crate) fn price(text: &str) -> Result<String, String> {
    match text.trim().parse::<f64>() {
        Ok(price) if price.is_finite() && price > 0.0 => Ok(text.trim().to_owned()),
        _ => Err(format!(
            "the price `{text}` is not an amount such as `0.10`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(options: serde_json::Value) -> Result<Ec2Options, String> {
        let options: BTreeMap<_, _> = serde_json::from_value(options).unwrap();
        Ec2Options::from_settings(&options).map_err(|error| {
            let source = std::error::Error::source(&error);
            source.map(ToString::to_string).unwrap_or_default()
        })
    }

    #[test]
    fn options_are_read() {
        let options = read(json!({
            "template": "lt-1", "version": "3", "types": ["c7g.large"], "spot": {"max_price": "0.10"},
            "address": "private", "user": "admin", "lease": "90s", "jobs": 4, "region": "eu-north-1",
        }))
        .unwrap();
        let Strategy::Template(launch) = &options.strategy else {
            panic!("{options:?}");
        };
        assert_eq!(launch.template.version, "3");
        let max_price = Some("0.10".to_owned());
        assert_eq!(launch.spot, Some(Spot { max_price }));
        assert_eq!(options.reach.address, Address::Private);
        assert_eq!(options.lease, Duration::from_secs(90));
        assert_eq!(options.jobs, 4);
    }

    #[test]
    fn what_cannot_be_is_said() {
        for (options, words) in [
            (json!({}), "one of `instance` and `template`"),
            (json!({"instance": "i-1", "template": "t"}), "and not both"),
            (
                json!({"instance": "i-1", "size": 3}),
                "unknown field `size`",
            ),
            (
                json!({"template": "t", "spot": {"max_price": "cheap"}}),
                "the price `cheap`",
            ),
            (
                json!({"instance": "i-1", "host_key": "off"}),
                "`host_key` is `off`",
            ),
            (
                json!({"instance": "i-1", "host_key": "accept-new"}),
                "needs `known_hosts`",
            ),
            (json!({"instance": "i-1", "lease": "soon"}), "soon"),
        ] {
            let error = read(options).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
