//! What a person or another program asks of the loop while it watches.

use std::path::PathBuf;

use ci_core::id::RunId;
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;

/// Where the answer to an order goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, Failure>>;

/// What can be asked.
#[derive(Debug)]
pub(super) enum Order {
    /// The first time no new runs begin, the second what runs is stopped, the third teardown is too.
    Stop,
    /// A new run.
    Start(Start, Answer<RunId>),
    /// A run for what did not succeed in another.
    Rerun(RunId, Answer<RunId>),
    /// On with a run that nobody drives.
    Resume(RunId, Answer<RunId>),
}

/// A run that a program asks for.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Start {
    /// The repository, one of those that are watched; the first without.
    pub repository: Option<PathBuf>,
    /// The branch; without it and a revision, the one that is checked out.
    pub branch: Option<String>,
    /// The commit, if it is not the branch's last: a hash or another name for it.
    pub revision: Option<String>,
    /// Arguments for the parameters, as they were typed.
    pub arguments: std::collections::BTreeMap<String, String>,
}

/// Gives orders.
#[derive(Debug, Clone)]
pub(super) struct Orders(pub(super) mpsc::UnboundedSender<Order>);

impl Orders {
    /// Asks for something that has an answer.
    pub(super) async fn ask<T>(
        &self,
        order: impl FnOnce(Answer<T>) -> Order,
    ) -> Result<T, Failure> {
        let ended = || Failure::engine("nothing is watched any more");
        let (sender, answer) = oneshot::channel();
        self.0.send(order(sender)).map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}
