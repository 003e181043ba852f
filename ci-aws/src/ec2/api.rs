//! What is asked of EC2, in types of our own: the seam between the rules and the SDK.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use super::codes::{self, Trouble};

/// The part of EC2 that this crate uses.
///
/// # Contract
/// Nothing is tried again inside: whoever calls decides, because a second launch may cost money.
#[async_trait]
pub trait Ec2Api: Send + Sync + fmt::Debug {
    /// Launches one instance (`RunInstances`).
    async fn launch(&self, request: &LaunchRequest) -> Result<Instance, ApiError>;

    /// The instances that a question finds, all pages of them (`DescribeInstances`). An instance that
    /// was made a moment ago may be missing.
    async fn describe(&self, question: &Question) -> Result<Vec<Instance>, ApiError>;

    /// Starts a stopped instance (`StartInstances`).
    async fn start(&self, id: &str) -> Result<(), ApiError>;

    /// Stops an instance (`StopInstances`).
    async fn stop(&self, id: &str) -> Result<(), ApiError>;

    /// Terminates an instance (`TerminateInstances`).
    async fn terminate(&self, id: &str) -> Result<(), ApiError>;

    /// Sets tags of an instance (`CreateTags`).
    async fn tag(&self, id: &str, tags: &BTreeMap<String, String>) -> Result<(), ApiError>;

    /// Removes a tag of an instance if it has this value (`DeleteTags`).
    async fn untag(&self, id: &str, name: &str, value: &str) -> Result<(), ApiError>;

    /// What the instance printed while it started, if there is something yet (`GetConsoleOutput`).
    async fn console(&self, id: &str) -> Result<Option<String>, ApiError>;

    /// The user data of a launch template, decoded (`DescribeLaunchTemplateVersions`).
    async fn template_user_data(&self, template: &Template) -> Result<Option<Vec<u8>>, ApiError>;

    /// Cancels a request for a spot instance (`CancelSpotInstanceRequests`).
    async fn cancel_spot(&self, request: &str) -> Result<(), ApiError>;

    /// Asks whether an action would be allowed (`DryRun`): `Ok` if it would.
    async fn rehearse(&self, rehearsal: &Rehearsal) -> Result<(), ApiError>;
}

/// A launch template and its version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Template {
    /// An id such as `lt-0123`, or a name.
    pub name: String,
    /// A number, `$Default` or `$Latest`.
    pub version: String,
}

impl Template {
    /// Whether it is named by its id.
    pub fn is_id(&self) -> bool {
        self.name.starts_with("lt-")
    }
}

/// How a spot instance is asked for: one-time, and terminated when it is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spot {
    /// The most to pay for an hour, in US dollars; by default the price of an on-demand instance.
    pub max_price: Option<String>,
}

/// A launch of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchRequest {
    /// Where everything comes from that is not said here.
    pub template: Template,
    /// The instance type, such as `c7g.large`.
    pub instance_type: Option<String>,
    /// The availability zone.
    pub zone: Option<String>,
    /// The subnet.
    pub subnet: Option<String>,
    /// Whether it is a spot instance.
    pub spot: Option<Spot>,
    /// Two calls with the same token make one instance.
    pub client_token: String,
    /// The tags of the instance, its volumes and its spot request, set in the same call.
    pub tags: BTreeMap<String, String>,
    /// The user data, before base64; none is that of the template.
    pub user_data: Option<Vec<u8>>,
}

/// Which instances to find.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// This one.
    Id(String),
    /// Those with this tag, whatever state they are in.
    Tag(String, String),
    /// Those that have a tag of this name, whatever its value.
    Tagged(String),
}

/// The state of an instance, see the *instance lifecycle* of the EC2 user guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InstanceState {
    /// On its way up.
    Pending,
    /// Up.
    Running,
    /// On its way to being stopped.
    Stopping,
    /// Stopped; only its volumes are billed.
    Stopped,
    /// On its way to its end.
    ShuttingDown,
    /// Gone for ever.
    Terminated,
}

impl InstanceState {
    /// The name that EC2 has for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Running,
            Self::Stopping,
            Self::Stopped,
            Self::ShuttingDown,
            Self::Terminated,
        ]
        .into_iter()
        .find(|state| state.as_str() == name)
    }

    /// Whether its hours are billed, or will be.
    #[must_use]
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Pending | Self::Running | Self::Stopping)
    }

    /// Whether it is gone, or cannot be kept from going.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What EC2 says of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Such as `i-0123456789abcdef0`.
    pub id: String,
    /// Its state when it was asked for.
    pub state: InstanceState,
    /// Why it is in that state: a code such as `Server.SpotInstanceTermination`.
    pub reason: Option<String>,
    /// The public IPv4 address; it comes late and goes when the instance stops.
    pub public_ip: Option<String>,
    /// The private IPv4 address.
    pub private_ip: Option<String>,
    /// Its type.
    pub instance_type: String,
    /// Its zone.
    pub zone: Option<String>,
    /// Whether it is a spot instance.
    pub is_spot: bool,
    /// The id of its spot request.
    pub spot_request: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Seconds since 1970 at which it was last launched or started.
    pub launched: Option<i64>,
}

/// A call that is only rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rehearsal {
    /// `RunInstances`.
    Launch(Box<LaunchRequest>),
    /// `DescribeInstances`.
    Describe,
    /// `StartInstances` of an instance.
    Start(String),
    /// `StopInstances` of an instance.
    Stop(String),
    /// `TerminateInstances` of an instance.
    Terminate(String),
    /// `CreateTags` of an instance.
    Tag(String),
    /// `DeleteTags` of an instance.
    Untag(String),
    /// `GetConsoleOutput` of an instance.
    Console(String),
    /// `DescribeLaunchTemplateVersions`.
    Template(Template),
}

impl Rehearsal {
    /// The name of the action in policies, such as `ec2:RunInstances`.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::Launch(_) => "ec2:RunInstances",
            Self::Describe => "ec2:DescribeInstances",
            Self::Start(_) => "ec2:StartInstances",
            Self::Stop(_) => "ec2:StopInstances",
            Self::Terminate(_) => "ec2:TerminateInstances",
            Self::Tag(_) => "ec2:CreateTags",
            Self::Untag(_) => "ec2:DeleteTags",
            Self::Console(_) => "ec2:GetConsoleOutput",
            Self::Template(_) => "ec2:DescribeLaunchTemplateVersions",
        }
    }
}

/// EC2 did not do what it was asked, or did not say whether it did.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", self.prefix())]
pub struct ApiError {
    code: Option<String>,
    message: String,
    trouble: Trouble,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ApiError {
    /// An answer with an error code and a status of HTTP.
    #[must_use]
    pub fn answer(code: impl Into<String>, status: u16, message: impl Into<String>) -> Self {
        let code = code.into();
        let trouble = codes::trouble(&code, status);
        Self {
            code: Some(code),
            message: message.into(),
            trouble,
            source: None,
        }
    }

    /// No answer, in words: whether anything was done is not known unless `trouble` says so.
    #[must_use]
    pub fn silence(trouble: Trouble, message: impl Into<String>) -> Self {
        Self {
            code: None,
            message: message.into(),
            trouble,
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The code that EC2 gave, such as `InsufficientInstanceCapacity`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What to make of it.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        self.trouble
    }

    fn prefix(&self) -> String {
        let code = self.code.as_deref();
        code.map_or_else(String::new, |code| format!("`{code}`: "))
    }
}
