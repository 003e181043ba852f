//! Getting a new instance: one place after the other, each call recorded before it is made.

use std::time::Duration;

use ci_core::clock::Clock;
use tokio::time::Instant;

use super::api::{ApiError, Ec2Api, Instance, LaunchRequest, Question};
use super::codes::Trouble;
use super::error::{Ec2Error, Ec2ErrorKind};
use super::journal::{Entry, Journal, Record};
use super::keys::LaunchKeys;
use super::options::{Ec2Options, Launch};
use super::plan::{Candidate, candidates};
use super::tags;
use super::user_data::user_data;
use super::wait::{Patience, Pauses, canceled, terminate};

/// How often an instance is looked for after a call that nobody answered.
const LOOKS: u32 = 4;

/// What a launch needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Launcher<'a> {
    pub(super) api: &'a dyn Ec2Api,
    pub(super) options: &'a Ec2Options,
    pub(super) launch: &'a Launch,
    pub(super) journal: &'a Journal,
    pub(super) clock: &'a Clock,
    pub(super) patience: &'a Patience,
}

/// An instance that was launched, and the record of it.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) instance: Instance,
    pub(super) record: Record,
    pub(super) keys: LaunchKeys,
}

/// What came of one place.
enum Try {
    Made(Box<Instance>),
    /// There is none; the next place may have one.
    Next(ApiError),
}

impl Launcher<'_> {
    /// Launches an instance for `run`.
    ///
    /// # Errors
    /// When no place has one: at once, with all that was tried.
    pub(super) async fn run(&self, run: &str, on_demand: bool) -> Result<Launched, Ec2Error> {
        self.check_budget(run)?;
        let own_key = self.options.reach.identity.is_none() && self.options.reach.agent.is_none();
        let keys = LaunchKeys::make(own_key).await?;
        let data = self.user_data(&keys).await?;
        let mut record = None;
        let mut tried = Vec::new();
        for candidate in candidates(self.launch, on_demand) {
            if self.patience.cancel.is_cancelled() {
                end(record)?;
                return Err(canceled());
            }
            let mut request = self.request(run, &candidate, &data);
            // Another process may have to know it again.
            let host_key = keys.keys.host_public.split_whitespace().take(2);
            let host_key = host_key.collect::<Vec<_>>().join(" ");
            request.tags.insert(tags::HOST_KEY.to_owned(), host_key);
            self.note(&mut record, run, &request, &candidate)?;
            crate::faults::point("intent");
            let attempt = self.attempt(&request, &candidate).await;
            let (Some(mut written), result) = (record.take(), attempt) else {
                return Err(no_record());
            };
            match result {
                Ok(Try::Made(instance)) => {
                    crate::faults::point("launched");
                    let id = instance.id.clone();
                    let kept = written.add(&Entry::Launched { id });
                    if let Err(error) = kept {
                        // Without a record it would be hard to find again.
                        let _ = terminate(self.api, &instance.id, &self.last_patience()).await;
                        return Err(error);
                    }
                    crate::faults::point("recorded");
                    return Ok(Launched {
                        instance: *instance,
                        record: written,
                        keys,
                    });
                }
                Ok(Try::Next(error)) => {
                    let code = error.code().unwrap_or("?").to_owned();
                    let words = format!("{candidate}: {code}");
                    self.patience
                        .output
                        .say(format!("no machine: {words}"))
                        .await;
                    tried.push(words);
                    record = Some(written);
                }
                Err((error, is_known)) => {
                    // What may have been done stays on record, so that cleaning up looks for it.
                    if is_known {
                        written.end()?;
                    }
                    return Err(error);
                }
            }
        }
        end(record)?;
        let text = format!("there is no capacity; tried {}", tried.join(", "));
        Err(Ec2Error::new(Ec2ErrorKind::NoCapacity, text)
            .with_hint("allow more `types`, `zones` or `subnets`, or instances on demand"))
    }

    fn check_budget(&self, run: &str) -> Result<(), Ec2Error> {
        let Some(most) = self.options.machine_time else {
            return Ok(());
        };
        let one = self.options.time_limit.as_secs();
        let before = self.journal.seconds(run)?;
        if before + one > most.as_secs() {
            let hours =
                |seconds: u64| ci_core::units::format_duration(Duration::from_secs(seconds));
            let text = format!(
                "another machine for up to {} would exceed the {} of machine time of the run, of which {} are taken",
                hours(one),
                hours(most.as_secs()),
                hours(before),
            );
            return Err(Ec2Error::new(Ec2ErrorKind::Budget, text)
                .with_hint("a shorter `time_limit` makes each machine count less"));
        }
        self.journal.count(run, one)
    }

    async fn user_data(&self, keys: &LaunchKeys) -> Result<Vec<u8>, Ec2Error> {
        let mut pauses = Pauses::new();
        let what = format!("read the launch template `{}`", self.launch.template.name);
        let own = loop {
            match self.api.template_user_data(&self.launch.template).await {
                Ok(own) => break own,
                Err(error) => self.patience.pass(error, &mut pauses, &what).await?,
            }
        };
        Ok(user_data(
            &keys.keys,
            self.options.time_limit,
            own.as_deref(),
        ))
    }

    fn request(&self, run: &str, candidate: &Candidate, data: &[u8]) -> LaunchRequest {
        // A token of its own for each place: with other parameters the same one is an error.
        let token = uuid::Uuid::now_v7().to_string();
        let expires = tags::after(self.clock.wall(), self.options.lease);
        LaunchRequest {
            template: self.launch.template.clone(),
            instance_type: candidate.instance_type.clone(),
            zone: candidate.zone.clone(),
            subnet: candidate.subnet.clone(),
            spot: candidate.spot.clone(),
            tags: tags::of_launch(run, &self.options.owner, &token, expires),
            client_token: token,
            user_data: Some(data.to_vec()),
        }
    }

    fn note(
        &self,
        record: &mut Option<Record>,
        run: &str,
        request: &LaunchRequest,
        candidate: &Candidate,
    ) -> Result<(), Ec2Error> {
        let entry = Entry::Intent {
            run: run.to_owned(),
            token: request.client_token.clone(),
            what: candidate.to_string(),
            seconds: self.options.time_limit.as_secs(),
        };
        if let Some(record) = record {
            return record.add(&entry);
        }
        *record = Some(self.journal.begin(&request.client_token, &entry)?);
        Ok(())
    }

    /// Asks one place until it says yes or no. An error comes with whether it is known that there is no
    /// instance.
    async fn attempt(
        &self,
        request: &LaunchRequest,
        candidate: &Candidate,
    ) -> Result<Try, (Ec2Error, bool)> {
        let what = format!("launch {candidate}");
        let mut pauses = Pauses::new();
        let mut unknown = false;
        loop {
            let error = match self.api.launch(request).await {
                Ok(instance) => return Ok(Try::Made(Box::new(instance))),
                Err(error) => error,
            };
            if error.trouble() == Trouble::Unknown {
                unknown = true;
                // The call may have worked: its tags say so, sooner or later.
                if let Some(instance) = self.find(&request.client_token).await {
                    return Ok(Try::Made(Box::new(instance)));
                }
            } else if error.trouble() != Trouble::Throttled {
                if unknown && let Some(instance) = self.find(&request.client_token).await {
                    return Ok(Try::Made(Box::new(instance)));
                }
                return if error.trouble().wants_another_place() {
                    Ok(Try::Next(error))
                } else {
                    Err((Ec2Error::api(&what, error), !unknown))
                };
            }
            // The same token again: if the first call worked this one gives the same instance.
            let passed = self.patience.pass(error, &mut pauses, &what).await;
            if let Err(error) = passed {
                if !unknown {
                    return Err((error, true));
                }
                let Some(instance) = self.find(&request.client_token).await else {
                    return Err((error, false));
                };
                if error.kind() != Ec2ErrorKind::Canceled {
                    return Ok(Try::Made(Box::new(instance)));
                }
                let ended = terminate(self.api, &instance.id, &self.last_patience()).await;
                return Err((error, ended.is_ok()));
            }
        }
    }

    /// Looks for the instance of a call by its tag.
    async fn find(&self, token: &str) -> Option<Instance> {
        let question = Question::Tag(tags::LAUNCH.to_owned(), token.to_owned());
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(self.patience.poll).await;
            }
            if let Ok(found) = self.api.describe(&question).await
                && let Some(instance) = found.into_iter().find(|it| !it.state.is_over())
            {
                return Some(instance);
            }
        }
        None
    }

    /// For what has to be done after a cancellation.
    fn last_patience(&self) -> Patience {
        Patience {
            deadline: Instant::now() + self.options.teardown_deadline,
            cancel: tokio_util::sync::CancellationToken::new(),
            ..self.patience.clone()
        }
    }
}

fn end(record: Option<Record>) -> Result<(), Ec2Error> {
    record.map_or(Ok(()), Record::end)
}

fn no_record() -> Ec2Error {
    Ec2Error::new(Ec2ErrorKind::State, "the launch has no record")
}
