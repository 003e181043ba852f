//! What the stand-in knows and does: a state machine without I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::ec2::{Instance, InstanceState, LaunchRequest, Question};

/// How long things take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delays {
    /// From `pending` to `running`.
    pub pending: Duration,
    /// From `stopping` to `stopped`, and from `shutting-down` to `terminated`.
    pub ending: Duration,
    /// Until a new instance can be seen.
    pub invisible: Duration,
}

impl Delays {
    /// Everything takes this long.
    #[must_use]
    pub fn all(time: Duration) -> Self {
        Self {
            pending: time,
            ending: time,
            invisible: time,
        }
    }
}

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is answered with this code and this HTTP status, and nothing is done.
    Error(String, u16),
    /// It is done, and the reply is lost.
    LostReply,
    /// It is lost, and nothing is done.
    LostCall,
}

impl Fault {
    /// An error code with its usual HTTP status.
    #[must_use]
    pub fn code(code: &str) -> Self {
        let status = match code {
            "InsufficientInstanceCapacity" => 500,
            "RequestLimitExceeded" => 503,
            "UnauthorizedOperation" | "AuthFailure" => 403,
            _ => 400,
        };
        Self::Error(code.to_owned(), status)
    }
}

/// Which calls go wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    action: String,
    place: Option<String>,
    spot: Option<bool>,
    until: Option<Instant>,
    times: Option<usize>,
    fault: Fault,
}

impl Rule {
    /// Every call of an action such as `RunInstances`.
    #[must_use]
    pub fn new(action: &str, fault: Fault) -> Self {
        Self {
            action: action.to_owned(),
            place: None,
            spot: None,
            until: None,
            times: None,
            fault,
        }
    }

    /// Only launches of this type, or in this zone or subnet.
    #[must_use]
    pub fn at(mut self, place: &str) -> Self {
        self.place = Some(place.to_owned());
        self
    }

    /// Only launches of spot instances, or only of others.
    #[must_use]
    pub fn spot(mut self, spot: bool) -> Self {
        self.spot = Some(spot);
        self
    }

    /// Only so many times.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Only for so long from now on.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.until = Some(Instant::now() + time);
        self
    }
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Launch(Box<LaunchRequest>),
    Describe(Question),
    Start(String),
    Stop(String),
    Terminate(String),
    Tag(String, BTreeMap<String, String>),
    Untag(String, String, Option<String>),
    Console(String),
    Template(String),
    CancelSpot(String),
}

impl Call {
    pub(super) fn action(&self) -> &'static str {
        match self {
            Self::Launch(_) => "RunInstances",
            Self::Describe(_) => "DescribeInstances",
            Self::Start(_) => "StartInstances",
            Self::Stop(_) => "StopInstances",
            Self::Terminate(_) => "TerminateInstances",
            Self::Tag(..) => "CreateTags",
            Self::Untag(..) => "DeleteTags",
            Self::Console(_) => "GetConsoleOutput",
            Self::Template(_) => "DescribeLaunchTemplateVersions",
            Self::CancelSpot(_) => "CancelSpotInstanceRequests",
        }
    }
}

/// What a call gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Launched(Box<Instance>),
    Found(Vec<Instance>),
    Console(Option<String>),
    UserData(Option<Vec<u8>>),
}

/// Why a call gives nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    Error(String, u16, String),
    /// The connection breaks.
    Silence,
}

#[derive(Debug)]
struct Machine {
    instance: Instance,
    /// When its state began.
    since: Instant,
    visible: Instant,
    protected: bool,
    request: Option<LaunchRequest>,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    machines: BTreeMap<String, Machine>,
    tokens: BTreeMap<String, String>,
    pub(super) rules: Vec<Rule>,
    pub(super) delays: Delays,
    pub(super) consoles: BTreeMap<String, String>,
    pub(super) template_data: Option<Vec<u8>>,
    /// US dollars for an hour.
    pub(super) spot_price: f64,
    pub(super) calls: BTreeMap<&'static str, usize>,
    /// The actions that are not allowed.
    pub(super) denied: BTreeSet<String>,
    addresses: u32,
}

type Given = Result<Answer, Refusal>;

fn refuse(code: &str, message: impl Into<String>) -> Refusal {
    match Fault::code(code) {
        Fault::Error(code, status) => Refusal::Error(code, status, message.into()),
        _ => Refusal::Silence,
    }
}

impl Model {
    pub(super) fn call(&mut self, call: &Call, dry_run: bool) -> Given {
        self.settle();
        let action = call.action();
        *self.calls.entry(action).or_default() += 1;
        if self.denied.contains(action) {
            return Err(refuse("UnauthorizedOperation", "not allowed"));
        }
        if dry_run {
            return Err(Refusal::Error(
                "DryRunOperation".to_owned(),
                412,
                "would have worked".to_owned(),
            ));
        }
        match self.fault(call) {
            Some(Fault::Error(code, status)) => Err(Refusal::Error(
                code,
                status,
                "as the test wants it".to_owned(),
            )),
            Some(Fault::LostCall) => Err(Refusal::Silence),
            Some(Fault::LostReply) => {
                let _ = self.act(call);
                Err(Refusal::Silence)
            }
            None => self.act(call),
        }
    }

    fn fault(&mut self, call: &Call) -> Option<Fault> {
        let now = Instant::now();
        let launch = match call {
            Call::Launch(request) => Some(request),
            _ => None,
        };
        for rule in &mut self.rules {
            let at_place = rule.place.as_ref().is_none_or(|place| {
                launch.is_some_and(|launch| {
                    [&launch.instance_type, &launch.zone, &launch.subnet]
                        .into_iter()
                        .any(|it| it.as_ref() == Some(place))
                })
            });
            let is_spot = launch.is_some_and(|launch| launch.spot.is_some());
            let fits = rule.action == call.action()
                && at_place
                && rule.spot.is_none_or(|spot| spot == is_spot)
                && rule.until.is_none_or(|until| now < until)
                && rule.times != Some(0);
            if fits {
                rule.times = rule.times.map(|times| times - 1);
                return Some(rule.fault.clone());
            }
        }
        None
    }

    fn act(&mut self, call: &Call) -> Given {
        match call {
            Call::Launch(request) => self.launch(request),
            Call::Describe(question) => self.describe(question),
            Call::Start(id) => self.start(id),
            Call::Stop(id) => self.stop(id),
            Call::Terminate(id) => self.terminate(id),
            Call::Tag(id, tags) => {
                let machine = self.seen(id)?;
                machine.instance.tags.extend(tags.clone());
                Ok(Answer::Done)
            }
            Call::Untag(id, name, value) => {
                let tags = &mut self.seen(id)?.instance.tags;
                if value.is_none() || tags.get(name) == value.as_ref() {
                    tags.remove(name);
                }
                Ok(Answer::Done)
            }
            Call::Console(id) => {
                self.seen(id)?;
                Ok(Answer::Console(self.consoles.get(id).cloned()))
            }
            Call::Template(name) if name.contains("missing") => Err(refuse(
                "InvalidLaunchTemplateId.NotFound",
                format!("there is no launch template {name}"),
            )),
            Call::Template(_) => Ok(Answer::UserData(self.template_data.clone())),
            Call::CancelSpot(_) => Ok(Answer::Done),
        }
    }

    fn launch(&mut self, request: &LaunchRequest) -> Given {
        if let Some(id) = self.tokens.get(&request.client_token)
            && let Some(machine) = self.machines.get(id)
        {
            if machine.request.as_ref() != Some(request) {
                return Err(refuse("IdempotentParameterMismatch", "another request"));
            }
            return Ok(Answer::Launched(Box::new(machine.instance.clone())));
        }
        let asked = request.spot.as_ref().and_then(|it| it.max_price.as_ref());
        if asked.is_some_and(|price| price.parse::<f64>().is_ok_and(|it| it < self.spot_price)) {
            return Err(refuse("SpotMaxPriceTooLow", "the spot price is higher"));
        }
        let id = self.add(InstanceState::Pending, Some(request.clone()));
        self.tokens.insert(request.client_token.clone(), id.clone());
        let machine = self.machines.get(&id).map(|it| it.instance.clone());
        machine.map_or_else(
            || Err(refuse("InternalError", "it is gone")),
            |instance| Ok(Answer::Launched(Box::new(instance))),
        )
    }

    /// Adds an instance.
    pub(super) fn add(&mut self, state: InstanceState, request: Option<LaunchRequest>) -> String {
        let number = self.machines.len() + 1;
        let id = format!("i-{number:017x}");
        self.addresses += 1;
        let now = Instant::now();
        let spot = request.as_ref().is_some_and(|it| it.spot.is_some());
        let instance = Instance {
            id: id.clone(),
            state,
            reason: None,
            public_ip: None,
            private_ip: Some(format!("10.0.{}.{}", number / 250, number % 250 + 1)),
            instance_type: request
                .as_ref()
                .and_then(|it| it.instance_type.clone())
                .unwrap_or_else(|| "c7g.large".to_owned()),
            zone: request.as_ref().and_then(|it| it.zone.clone()),
            is_spot: spot,
            spot_request: spot.then(|| format!("sir-{number:08x}")),
            tags: request
                .as_ref()
                .map(|it| it.tags.clone())
                .unwrap_or_default(),
            launched: Some(0),
        };
        let machine = Machine {
            instance,
            since: now,
            visible: now
                + if request.is_some() {
                    self.delays.invisible
                } else {
                    Duration::ZERO
                },
            protected: false,
            request,
        };
        self.machines.insert(id.clone(), machine);
        self.settle();
        id
    }

    fn describe(&self, question: &Question) -> Given {
        let now = Instant::now();
        let visible = self.machines.values().filter(|it| it.visible <= now);
        let found: Vec<Instance> = visible
            .map(|it| &it.instance)
            .filter(|instance| match question {
                Question::Id(id) => instance.id == *id,
                Question::Tag(name, value) => instance.tags.get(name) == Some(value),
                Question::Tagged(name) => instance.tags.contains_key(name),
            })
            .cloned()
            .collect();
        match question {
            Question::Id(id) if found.is_empty() => Err(missing(id)),
            _ => Ok(Answer::Found(found)),
        }
    }

    fn seen(&mut self, id: &str) -> Result<&mut Machine, Refusal> {
        let now = Instant::now();
        let machine = self.machines.get_mut(id).filter(|it| it.visible <= now);
        machine.ok_or_else(|| missing(id))
    }

    fn start(&mut self, id: &str) -> Given {
        let machine = self.seen(id)?;
        match machine.instance.state {
            InstanceState::Pending | InstanceState::Running => {}
            InstanceState::Stopped => machine.turn(InstanceState::Pending, None),
            state => return Err(refuse("IncorrectInstanceState", format!("it is {state}"))),
        }
        self.settle();
        Ok(Answer::Done)
    }

    fn stop(&mut self, id: &str) -> Given {
        let machine = self.seen(id)?;
        if machine.instance.is_spot {
            return Err(refuse("UnsupportedOperation", "a one-time spot instance"));
        }
        match machine.instance.state {
            InstanceState::Stopping | InstanceState::Stopped => {}
            InstanceState::Running => machine.turn(
                InstanceState::Stopping,
                Some("Client.UserInitiatedShutdown"),
            ),
            state => return Err(refuse("IncorrectInstanceState", format!("it is {state}"))),
        }
        self.settle();
        Ok(Answer::Done)
    }

    fn terminate(&mut self, id: &str) -> Given {
        let machine = self.seen(id)?;
        if machine.protected {
            return Err(refuse("OperationNotPermitted", "it is protected"));
        }
        if !machine.instance.state.is_over() {
            let why = "Client.UserInitiatedShutdown";
            machine.turn(InstanceState::ShuttingDown, Some(why));
        }
        self.settle();
        Ok(Answer::Done)
    }

    /// Lets time pass.
    pub(super) fn settle(&mut self) {
        let now = Instant::now();
        let mut addresses = self.addresses;
        for machine in self.machines.values_mut() {
            let (next, after) = match machine.instance.state {
                InstanceState::Pending => (InstanceState::Running, self.delays.pending),
                InstanceState::Stopping => (InstanceState::Stopped, self.delays.ending),
                InstanceState::ShuttingDown => (InstanceState::Terminated, self.delays.ending),
                InstanceState::Running if machine.instance.public_ip.is_none() => {
                    (InstanceState::Running, Duration::ZERO)
                }
                _ => continue,
            };
            if now.duration_since(machine.since) < after {
                continue;
            }
            machine.turn(next, None);
            if next == InstanceState::Running {
                addresses += 1;
                let (high, low) = (addresses / 250, addresses % 250 + 1);
                machine.instance.public_ip = Some(format!("198.51.{}.{low}", 100 + high));
            }
        }
        self.addresses = addresses;
    }

    /// Takes a spot instance away.
    pub(super) fn end(&mut self, id: &str, reason: &str) {
        if let Some(machine) = self.machines.get_mut(id) {
            machine.turn(InstanceState::ShuttingDown, Some(reason));
        }
        self.settle();
    }

    pub(super) fn protect(&mut self, id: &str, protected: bool) {
        if let Some(machine) = self.machines.get_mut(id) {
            machine.protected = protected;
        }
    }

    pub(super) fn instances(&mut self) -> Vec<Instance> {
        self.settle();
        self.machines
            .values()
            .map(|it| it.instance.clone())
            .collect()
    }

    pub(super) fn user_data(&self, id: &str) -> Option<Vec<u8>> {
        self.machines.get(id)?.request.as_ref()?.user_data.clone()
    }
}

impl Machine {
    fn turn(&mut self, state: InstanceState, reason: Option<&str>) {
        self.since = Instant::now();
        self.instance.state = state;
        if let Some(reason) = reason {
            self.instance.reason = Some(reason.to_owned());
        }
        // An address goes with the run of a machine.
        self.instance.public_ip = None;
    }
}

fn missing(id: &str) -> Refusal {
    refuse(
        "InvalidInstanceID.NotFound",
        format!("The instance ID '{id}' does not exist"),
    )
}
