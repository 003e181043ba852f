//! Finds what dead processes left running, looks twice, and ends it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ci_core::clock::{Clock, Timestamp};
use ci_core::session::Output;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::api::{Ec2Api, Instance, InstanceState, Question};
use super::error::Ec2Error;
use super::journal::Journal;
use super::tags::{self, EXPIRES, LAUNCH, LOCK, Lock, RUN, STARTED};
use super::wait::{Patience, Pauses, stop, terminate};

/// Cleans up after processes that died.
#[derive(Debug, Clone)]
pub struct Reaper {
    api: Arc<dyn Ec2Api>,
    clock: Clock,
    journal: Option<Journal>,
    confirm: Duration,
    poll: Duration,
    deadline: Duration,
    visibility: Duration,
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// Everything of ours whose lease is over.
    Expired,
    /// Everything of this run, whatever its lease says.
    Run(String),
}

/// What was found and done, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reaped {
    /// What was ended.
    pub removed: Vec<String>,
    /// What goes on costing money, and why.
    pub left: Vec<String>,
}

/// What has to be done about an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Due {
    Terminate,
    /// Stop it, and take away the mark and the lock with these values.
    Stop {
        mark: String,
        lock: Option<String>,
    },
    /// Take away the lock with this value.
    Unlock(String),
}

impl Reaper {
    /// Looks twice with ten seconds between.
    #[must_use]
    pub fn new(api: Arc<dyn Ec2Api>) -> Self {
        Self {
            api,
            clock: Clock::system(),
            journal: None,
            confirm: Duration::from_secs(10),
            poll: Duration::from_secs(3),
            deadline: Duration::from_mins(3),
            visibility: Duration::from_secs(30),
        }
    }

    /// Also looks for what this journal says was launched.
    #[must_use]
    pub fn journal(mut self, journal: Journal) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Sets the time between the two looks.
    #[must_use]
    pub fn confirm(mut self, confirm: Duration) -> Self {
        self.confirm = confirm;
        self
    }

    /// Sets how often a state that is waited for is asked for.
    #[must_use]
    pub fn poll(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// Sets how long ending one instance may take.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how long an instance may take to be seen that was launched a moment ago.
    #[must_use]
    pub fn visibility(mut self, visibility: Duration) -> Self {
        self.visibility = visibility;
        self
    }

    /// Ends everything in `scope`.
    ///
    /// # Errors
    /// If EC2 does not answer, or the journal cannot be read. What could not be ended is no error; it is
    /// [left](Reaped::left).
    pub async fn reap(&self, scope: &Scope) -> Result<Reaped, Ec2Error> {
        let mut reaped = Reaped::default();
        self.wait_for_launches(scope).await?;
        let first = self.look(scope).await?;
        if !first.is_empty() {
            tokio::time::sleep(self.confirm).await;
            let second = self.look(scope).await?;
            for (id, (due, words)) in second {
                // Whoever renewed a lease in between lives.
                if first.get(&id).is_some_and(|(before, _)| *before == due) {
                    self.end(&id, due, words, &mut reaped).await;
                }
            }
        }
        self.forget(scope).await?;
        Ok(reaped)
    }

    /// What there is to do, by instance.
    async fn look(&self, scope: &Scope) -> Result<BTreeMap<String, (Due, String)>, Ec2Error> {
        let mut found = match scope {
            Scope::Expired => self.ask(Question::Tagged(RUN.to_owned())).await?,
            Scope::Run(run) => self.ask(Question::Tag(RUN.to_owned(), run.clone())).await?,
        };
        if *scope == Scope::Expired {
            found.extend(self.ask(Question::Tagged(LOCK.to_owned())).await?);
            found.extend(self.ask(Question::Tagged(STARTED.to_owned())).await?);
        }
        let now = self.clock.wall();
        let all = found.into_iter().filter_map(|instance| {
            let due = due(&instance, scope, now)?;
            let words = format!("instance `{}` ({})", instance.id, instance.instance_type);
            Some((instance.id, (due, words)))
        });
        Ok(all.collect())
    }

    async fn ask(&self, question: Question) -> Result<Vec<Instance>, Ec2Error> {
        let patience = self.patience();
        let mut pauses = Pauses::new();
        loop {
            match self.api.describe(&question).await {
                Ok(found) => return Ok(found),
                Err(error) => {
                    let what = "look for instances";
                    patience.pass(error, &mut pauses, what).await?;
                }
            }
        }
    }

    async fn end(&self, id: &str, due: Due, words: String, reaped: &mut Reaped) {
        let patience = self.patience();
        let api = self.api.as_ref();
        let (done, what) = match due {
            Due::Terminate => (terminate(api, id, &patience).await, "terminated"),
            Due::Stop { mark, lock } => {
                let mut done = stop(api, id, &patience).await;
                if done.is_ok() {
                    done = self.untag(id, STARTED, &mark).await;
                }
                if let Some(lock) = lock.filter(|_| done.is_ok()) {
                    done = self.untag(id, LOCK, &lock).await;
                }
                (done, "stopped")
            }
            Due::Unlock(lock) => (self.untag(id, LOCK, &lock).await, "unlocked"),
        };
        match done {
            Ok(()) => reaped.removed.push(format!("{words}: {what}")),
            Err(error) => {
                let hints = error.hints().join("; ");
                let hint = if hints.is_empty() {
                    String::new()
                } else {
                    format!(" ({hints})")
                };
                reaped.left.push(format!("{words}: {error}{hint}"));
            }
        }
    }

    async fn untag(&self, id: &str, name: &str, value: &str) -> Result<(), Ec2Error> {
        let done = self.api.untag(id, name, value).await;
        done.map_err(|error| Ec2Error::api("untag the instance", error))
    }

    /// Waits until the instances of launches that died a moment ago can be seen, if there are any.
    async fn wait_for_launches(&self, scope: &Scope) -> Result<(), Ec2Error> {
        let Some(journal) = &self.journal else {
            return Ok(());
        };
        let until = Instant::now() + self.visibility;
        for open in journal.unended()? {
            let is_meant = match scope {
                Scope::Expired => true,
                Scope::Run(run) => *run == open.run,
            };
            // Those with an id are seen by it; locks are on instances that are there.
            let is_launch = open
                .tokens
                .iter()
                .all(|token| uuid::Uuid::parse_str(token).is_ok());
            if !is_meant || !open.ids.is_empty() || !is_launch {
                continue;
            }
            'launch: loop {
                for token in &open.tokens {
                    let question = Question::Tag(LAUNCH.to_owned(), token.clone());
                    if !self.ask(question).await?.is_empty() {
                        break 'launch;
                    }
                }
                if Instant::now() >= until {
                    break;
                }
                tokio::time::sleep(self.poll).await;
            }
        }
        Ok(())
    }

    /// Forgets the launches of which nothing is left.
    async fn forget(&self, scope: &Scope) -> Result<(), Ec2Error> {
        let Some(journal) = &self.journal else {
            return Ok(());
        };
        for open in journal.unended()? {
            let is_meant = match scope {
                Scope::Expired => open.is_older_than(self.deadline.max(self.visibility)),
                Scope::Run(run) => *run == open.run,
            };
            if !is_meant {
                continue;
            }
            let mut is_left = false;
            for token in &open.tokens {
                let question = Question::Tag(LAUNCH.to_owned(), token.clone());
                let found = self.ask(question).await?;
                is_left |= found.iter().any(|instance| !instance.state.is_over());
            }
            // An existing instance is held by its lock, and the lock says when that is over.
            let locked = self.ask(Question::Tagged(LOCK.to_owned())).await?;
            is_left |= locked.iter().any(|instance| {
                let lock = instance.tags.get(LOCK).and_then(|value| Lock::parse(value));
                lock.is_some_and(|lock| open.tokens.contains(&lock.token))
            });
            if !is_left {
                open.forget()?;
            }
        }
        Ok(())
    }

    fn patience(&self) -> Patience {
        Patience {
            deadline: Instant::now() + self.deadline,
            poll: self.poll,
            cancel: CancellationToken::new(),
            output: Output::discard(),
        }
    }
}

/// What has to be done about an instance, if anything.
fn due(instance: &Instance, scope: &Scope, now: Timestamp) -> Option<Due> {
    if instance.state.is_over() {
        return None;
    }
    if let Some(run) = instance.tags.get(RUN) {
        let is_due = match scope {
            Scope::Run(wanted) => run == wanted,
            Scope::Expired => {
                let expires = instance.tags.get(EXPIRES);
                expires.is_some_and(|value| tags::is_past(value, now))
            }
        };
        return is_due.then_some(Due::Terminate);
    }
    if *scope != Scope::Expired {
        return None;
    }
    let lock = instance.tags.get(LOCK);
    let is_held = lock
        .and_then(|value| Lock::parse(value))
        .is_some_and(|lock| !lock.is_past(now));
    if is_held {
        return None;
    }
    let mark = instance.tags.get(STARTED).cloned();
    let is_up = matches!(
        instance.state,
        InstanceState::Pending | InstanceState::Running
    );
    match (mark, lock) {
        // A stopped one is only tidied up.
        (Some(mark), lock)
            if is_up || instance.state == InstanceState::Stopping || lock.is_some() =>
        {
            Some(Due::Stop {
                mark,
                lock: lock.cloned(),
            })
        }
        (None, Some(lock)) => Some(Due::Unlock(lock.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(state: InstanceState, tags: &[(&str, &str)]) -> Instance {
        Instance {
            id: "i-1".to_owned(),
            state,
            reason: None,
            public_ip: None,
            private_ip: None,
            instance_type: "c7g.large".to_owned(),
            zone: None,
            is_spot: false,
            spot_request: None,
            tags: tags
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            launched: None,
        }
    }

    #[test]
    fn only_what_is_ours_and_over_is_due() {
        let now = Timestamp::from_millis(100_000);
        let up = InstanceState::Running;
        let expired = Scope::Expired;
        let check =
            |state, tags: &[(&str, &str)], scope: &Scope| due(&instance(state, tags), scope, now);
        assert_eq!(check(up, &[("Name", "web")], &expired), None);
        let old = [(RUN, "r"), (EXPIRES, "99")];
        let new = [(RUN, "r"), (EXPIRES, "101")];
        assert_eq!(check(up, &old, &expired), Some(Due::Terminate));
        assert_eq!(
            check(InstanceState::Stopped, &old, &expired),
            Some(Due::Terminate)
        );
        assert_eq!(check(InstanceState::Terminated, &old, &expired), None);
        assert_eq!(check(up, &new, &expired), None);
        assert_eq!(
            check(up, &new, &Scope::Run("r".into())),
            Some(Due::Terminate)
        );
        assert_eq!(check(up, &old, &Scope::Run("other".into())), None);
        assert_eq!(
            check(up, &[(LOCK, "t/101"), (STARTED, "t")], &expired),
            None
        );
        let stop = Due::Stop {
            mark: "t".to_owned(),
            lock: Some("t/99".to_owned()),
        };
        assert_eq!(
            check(up, &[(LOCK, "t/99"), (STARTED, "t")], &expired),
            Some(stop)
        );
        let unlock = Due::Unlock("t/99".to_owned());
        assert_eq!(check(up, &[(LOCK, "t/99")], &expired), Some(unlock));
    }
}
