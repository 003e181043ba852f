//! The stand-in without HTTP.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::fake::{Shared, model};
use super::model::{Answer, Call, Refusal};
use crate::ec2::{
    ApiError, Ec2Api, Instance, LaunchRequest, Question, Rehearsal, Template, Trouble,
};

/// Calls the model.
#[derive(Debug)]
pub(super) struct Direct(pub(super) Shared);

impl Direct {
    fn ask(&self, call: &Call, dry_run: bool) -> Result<Answer, ApiError> {
        let answer = model(&self.0).call(call, dry_run);
        answer.map_err(|refusal| match refusal {
            Refusal::Error(code, status, message) => ApiError::answer(code, status, message),
            Refusal::Silence => ApiError::silence(Trouble::Unknown, "no answer"),
        })
    }

    fn done(&self, call: &Call) -> Result<(), ApiError> {
        self.ask(call, false).map(drop)
    }
}

#[async_trait]
impl Ec2Api for Direct {
    async fn launch(&self, request: &LaunchRequest) -> Result<Instance, ApiError> {
        match self.ask(&Call::Launch(Box::new(request.clone())), false)? {
            Answer::Launched(instance) => Ok(*instance),
            _ => Err(ApiError::silence(Trouble::Unknown, "another answer")),
        }
    }

    async fn describe(&self, question: &Question) -> Result<Vec<Instance>, ApiError> {
        match self.ask(&Call::Describe(question.clone()), false)? {
            Answer::Found(found) => Ok(found),
            _ => Ok(Vec::new()),
        }
    }

    async fn start(&self, id: &str) -> Result<(), ApiError> {
        self.done(&Call::Start(id.to_owned()))
    }

    async fn stop(&self, id: &str) -> Result<(), ApiError> {
        self.done(&Call::Stop(id.to_owned()))
    }

    async fn terminate(&self, id: &str) -> Result<(), ApiError> {
        self.done(&Call::Terminate(id.to_owned()))
    }

    async fn tag(&self, id: &str, tags: &BTreeMap<String, String>) -> Result<(), ApiError> {
        self.done(&Call::Tag(id.to_owned(), tags.clone()))
    }

    async fn untag(&self, id: &str, name: &str, value: &str) -> Result<(), ApiError> {
        let (id, name, value) = (id.to_owned(), name.to_owned(), value.to_owned());
        self.done(&Call::Untag(id, name, Some(value)))
    }

    async fn console(&self, id: &str) -> Result<Option<String>, ApiError> {
        match self.ask(&Call::Console(id.to_owned()), false)? {
            Answer::Console(text) => Ok(text),
            _ => Ok(None),
        }
    }

    async fn template_user_data(&self, template: &Template) -> Result<Option<Vec<u8>>, ApiError> {
        match self.ask(&Call::Template(template.name.clone()), false)? {
            Answer::UserData(data) => Ok(data),
            _ => Ok(None),
        }
    }

    async fn cancel_spot(&self, request: &str) -> Result<(), ApiError> {
        self.done(&Call::CancelSpot(request.to_owned()))
    }

    async fn rehearse(&self, rehearsal: &Rehearsal) -> Result<(), ApiError> {
        let tags = BTreeMap::new();
        let call = match rehearsal.clone() {
            Rehearsal::Launch(request) => Call::Launch(request),
            Rehearsal::Describe => Call::Describe(Question::Tagged(String::new())),
            Rehearsal::Start(id) => Call::Start(id),
            Rehearsal::Stop(id) => Call::Stop(id),
            Rehearsal::Terminate(id) => Call::Terminate(id),
            Rehearsal::Tag(id) => Call::Tag(id, tags),
            Rehearsal::Untag(id) => Call::Untag(id, String::new(), None),
            Rehearsal::Console(id) => Call::Console(id),
            Rehearsal::Template(template) => Call::Template(template.name),
        };
        match self.ask(&call, true) {
            Err(error) if error.trouble() == Trouble::WouldWork => Ok(()),
            other => other.map(drop),
        }
    }
}
