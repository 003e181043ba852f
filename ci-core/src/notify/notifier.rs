//! The notices of one run: a sink that takes its events, and the tasks behind it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::courier::{Courier, Delivered};
use super::notice::{counted, verdict};
use super::{Change, Notice, NoticeKind, NotifyPlan, route};
use crate::clock::Timestamp;
use crate::event::{EventRecord, Interest, JobResult, RunEvent, Sink, SinkError};
use crate::id::RunId;
use crate::outcome::OutcomeKind;
use crate::settings::NotifyRule;
use crate::store::{RunQuery, RunStore};
use crate::workflow::RunFacts;

/// How many tests that failed are kept for a notice.
const MOST_TESTS: usize = 100;
/// How many runs are looked through for the last one that ended with a yes or a no.
const MOST_RUNS: u64 = 50;

/// What notices say about a run beside its events.
#[derive(Clone, Default)]
pub struct About {
    facts: RunFacts,
    store: Option<Arc<dyn RunStore>>,
}

impl fmt::Debug for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("About").finish_non_exhaustive()
    }
}

impl About {
    /// What the run is for.
    #[must_use]
    pub fn facts(mut self, facts: RunFacts) -> Self {
        self.facts = facts;
        self
    }

    /// Where the runs before are: what a change of the outcome is measured by. Without it every run is
    /// the first.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn RunStore>) -> Self {
        self.store = Some(store);
        self
    }
}

/// Tells about one run.
#[derive(Debug)]
pub struct Notifier {
    router: JoinHandle<()>,
    couriers: Vec<(String, JoinHandle<Delivered>)>,
    failures: Vec<NotifyFailure>,
    closing: DropGuard,
}

/// Takes the events of the run that a [`Notifier`] tells about.
#[derive(Debug)]
pub struct NotifySink(UnboundedSender<EventRecord>);

/// What became of the notices of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotifyReport {
    /// How many messages arrived.
    pub messages: u64,
    /// What did not.
    pub failures: Vec<NotifyFailure>,
}

/// Notices that did not arrive, or a channel that there is not. It changes nothing in the run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotifyFailure {
    /// The channel's name.
    pub channel: String,
    /// Why, without secrets.
    pub message: String,
    /// How many notices it is about; zero if it is about the channel.
    pub notices: u64,
}

impl NotifyFailure {
    pub(super) fn new(channel: &str, message: &str, notices: u64) -> Self {
        Self {
            channel: channel.to_owned(),
            message: message.to_owned(),
            notices,
        }
    }
}

impl fmt::Display for NotifyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (channel, message) = (&self.channel, &self.message);
        match self.notices {
            0 => write!(f, "notify: `{channel}`: {message}"),
            1 => write!(f, "notify: a notice did not reach `{channel}`: {message}"),
            more => write!(
                f,
                "notify: {more} notices did not reach `{channel}`: {message}"
            ),
        }
    }
}

impl std::error::Error for NotifyFailure {}

impl Sink for NotifySink {
    fn name(&self) -> &'static str {
        "notify"
    }

    fn interest(&self) -> Interest {
        Interest::Lifecycle
    }

    fn event(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        let told = matches!(
            record.event,
            RunEvent::RunStarted { .. }
                | RunEvent::JobStarted { .. }
                | RunEvent::JobHeld { .. }
                | RunEvent::JobFinished { .. }
                | RunEvent::TestResults { .. }
                | RunEvent::RunFinished { .. }
        );
        if told {
            // Nobody listens any more where the runtime has ended.
            let _ = self.0.send(record.clone());
        }
        Ok(())
    }
}

impl Notifier {
    /// Starts to tell about a run, of which the sink takes the events. Has to be called within a Tokio
    /// runtime that lasts until [`finish`](Self::finish).
    #[must_use]
    pub fn start(plan: NotifyPlan, about: About) -> (NotifySink, Self) {
        let (sink, events) = unbounded_channel();
        let closing = CancellationToken::new();
        let secrets = Arc::new(plan.secrets);
        let (mut couriers, mut lines) = (Vec::new(), Vec::new());
        for (name, planned) in plan.channels {
            let (out, coming) = unbounded_channel();
            let mine = |rule: &&NotifyRule| rule.to.contains(&name);
            lines.push(Line {
                rules: plan.rules.iter().filter(mine).cloned().collect(),
                states: planned.channel.shows_states(),
                out,
            });
            let courier = Courier {
                name: name.clone(),
                planned,
                secrets: Arc::clone(&secrets),
                closing: closing.clone(),
            };
            couriers.push((name, tokio::spawn(courier.serve(coming))));
        }
        let router = Router {
            about,
            run_url: plan.run_url,
            lines,
            workflow: "".into(),
            before: Before::default(),
            failed_tests: Vec::new(),
        };
        let notifier = Self {
            router: tokio::spawn(router.route(events)),
            couriers,
            failures: plan.failures,
            closing: closing.drop_guard(),
        };
        (NotifySink(sink), notifier)
    }

    /// Waits until what is left went out, at most as long as the patience of each channel lasts. To be
    /// called after the end of the run, which drops the sink.
    pub async fn finish(self) -> NotifyReport {
        drop(self.closing);
        let mut report = NotifyReport {
            failures: self.failures,
            ..NotifyReport::default()
        };
        for (name, courier) in self.couriers {
            match courier.await {
                Ok(delivered) => {
                    report.messages += delivered.messages;
                    report.failures.extend(delivered.failures);
                }
                Err(_) => {
                    report
                        .failures
                        .push(NotifyFailure::new(&name, "the channel panicked", 0));
                }
            }
        }
        self.router.abort();
        report
    }
}

/// A channel as the router sees it.
struct Line {
    rules: Vec<NotifyRule>,
    states: bool,
    out: UnboundedSender<Arc<Notice>>,
}

/// How the last run before ended that said yes or no.
#[derive(Default)]
struct Before {
    run: Option<OutcomeKind>,
    jobs: HashMap<Arc<str>, OutcomeKind>,
}

/// Makes notices of events and hands them to the channels whose rules they fit.
struct Router {
    about: About,
    run_url: Option<String>,
    lines: Vec<Line>,
    workflow: Arc<str>,
    before: Before,
    failed_tests: Vec<String>,
}

impl Router {
    async fn route(mut self, mut events: UnboundedReceiver<EventRecord>) {
        while let Some(record) = events.recv().await {
            if let RunEvent::RunStarted { workflow, .. } = &record.event {
                self.workflow = Arc::clone(workflow);
                self.before = self.look_back(record.run).await;
            }
            if let RunEvent::TestResults { failed, .. } = &record.event {
                let room = MOST_TESTS.saturating_sub(self.failed_tests.len());
                let tests = failed.iter().filter(|test| !test.quarantined);
                self.failed_tests
                    .extend(tests.take(room).map(crate::event::TestRecord::id));
            }
            if let Some(what) = self.what(&record.event) {
                let notice = Arc::new(self.notice(record.run, record.time, what));
                for line in &self.lines {
                    let fits = |rule: &NotifyRule| route::fits(rule, &notice, line.states);
                    if line.rules.iter().any(fits) {
                        // A courier that gave up has told so.
                        let _ = line.out.send(Arc::clone(&notice));
                    }
                }
            }
        }
    }

    /// Only changes need it, and a store that cannot be read makes every run the first.
    async fn look_back(&self, run: RunId) -> Before {
        let wanted = self.lines.iter().flat_map(|line| &line.rules).count() > 0;
        let Some(store) = self.about.store.as_ref().filter(|_| wanted) else {
            return Before::default();
        };
        let query = RunQuery {
            workflow: Some(self.workflow.to_string()),
            branch: self.about.facts.branch.clone(),
            limit: Some(MOST_RUNS),
            ..RunQuery::default()
        };
        let Ok(page) = store.runs(&query).await else {
            return Before::default();
        };
        let mut before = Before::default();
        for earlier in page.runs.iter().filter(|earlier| earlier.id != run) {
            let Some(outcome) = earlier.outcome else {
                continue;
            };
            if before.run.is_none() && verdict(outcome).is_some() {
                before.run = Some(outcome);
            }
            for job in &earlier.jobs {
                let end = counted(job);
                if verdict(end).is_some() {
                    before.jobs.entry(Arc::clone(&job.name)).or_insert(end);
                }
            }
        }
        before
    }

    fn what(&self, event: &RunEvent) -> Option<NoticeKind> {
        Some(match event {
            RunEvent::RunStarted { .. } => NoticeKind::RunStarted,
            RunEvent::JobStarted {
                job, attempt: 1, ..
            } => NoticeKind::JobStarted {
                job: Arc::clone(job),
            },
            RunEvent::JobHeld { job, prompt } => NoticeKind::JobHeld {
                job: Arc::clone(job),
                prompt: prompt.clone(),
            },
            RunEvent::JobFinished { .. } => {
                let (job, reused) = JobResult::of(event)?;
                if reused {
                    return None;
                }
                let before = self.before.jobs.get(&job.name).copied();
                let change = Change::of(before, counted(&job));
                NoticeKind::JobFinished { job, change }
            }
            RunEvent::RunFinished {
                outcome,
                jobs,
                duration,
                ..
            } => NoticeKind::RunFinished {
                outcome: *outcome,
                change: Change::of(self.before.run, *outcome),
                duration: *duration,
                jobs: jobs.clone(),
                failed_tests: self.failed_tests.clone(),
            },
            _ => return None,
        })
    }

    fn notice(&self, run: RunId, time: Timestamp, what: NoticeKind) -> Notice {
        let facts = &self.about.facts;
        let word = |word: &Option<String>| word.as_deref().map(Arc::from);
        let url = self.run_url.as_deref();
        Notice {
            run,
            workflow: Arc::clone(&self.workflow),
            branch: word(&facts.branch),
            tag: word(&facts.tag),
            revision: word(&facts.revision),
            url: url.map(|url| url.replace("{run}", &run.to_string()).into()),
            time,
            what,
        }
    }
}
