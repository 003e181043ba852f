//! The task of a job while it runs: who holds it up, and how its loss is seen.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::engine::{Engine, Stage, TaskFacts};
use crate::error::DockerError;

/// How often the swarm is asked how a task is.
const LOOK: Duration = Duration::from_secs(1);

/// How often a node has to be seen down before it counts: managers that change tell of moments.
const SEEN: u32 = 2;

/// The service of a job in its swarm.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) manager: Engine,
    pub(crate) service: String,
    /// The secrets that were made for it, by id.
    pub(crate) secrets: Vec<String>,
    /// Ends the watch.
    pub(crate) watch: Option<DropGuard>,
}

impl Task {
    /// Removes the service and its secrets. What cannot be removed does not keep the rest.
    pub(crate) async fn remove(&self) -> Result<(), DockerError> {
        let mut removed = self.manager.remove_service(&self.service).await;
        for secret in &self.secrets {
            removed = removed.and(self.manager.remove_secret(secret).await);
        }
        removed
    }

    /// Watches the task on `node` until this is dropped; `loss` learns of its end.
    pub(crate) fn watch(&mut self, node: String, loss: Loss) {
        let closed = CancellationToken::new();
        let (manager, service) = (self.manager.clone(), self.service.clone());
        let over = closed.clone();
        self.watch = Some(closed.drop_guard());
        tokio::spawn(async move {
            tokio::select! {
                () = over.cancelled() => {}
                end = ends(&manager, &service, &node) => loss.tell(end),
            }
        });
    }
}

/// What ended a task from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The node is gone, with everything on it.
    Node(String),
    /// The swarm wants nothing more on the node, such as one that is drained.
    Taken(String),
    /// The container ended, or somebody removed the service.
    Task(String),
}

/// How it is learned that a task has been lost; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loss {
    told: CancellationToken,
    end: Arc<OnceLock<End>>,
}

impl Loss {
    fn tell(&self, end: End) {
        // The first end is the one.
        let _ = self.end.set(end);
        self.told.cancel();
    }

    /// Waits for the end.
    pub(crate) async fn seen(&self) -> End {
        self.told.cancelled().await;
        let nothing = || End::Task("the task has ended".to_owned());
        self.end.get().cloned().unwrap_or_else(nothing)
    }

    /// Whether the node is gone.
    pub(crate) fn is_of_node(&self) -> bool {
        matches!(self.end.get(), Some(End::Node(_)))
    }
}

/// Waits until a task has ended, or its node is gone. A manager that does not answer says nothing of
/// the task.
async fn ends(manager: &Engine, service: &str, node: &str) -> End {
    let mut seen = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(task) = manager.task(service).await else {
            continue;
        };
        let node_is_up = match manager.nodes().await {
            Ok(nodes) => nodes.iter().any(|it| it.id == node && it.is_up),
            Err(_) => continue,
        };
        seen = if node_is_up { 0 } else { seen + 1 };
        // What the swarm has given up on a node that is down needs no second look.
        let is_given_up = task.as_ref().is_some_and(|task| !task.is_wanted);
        let is_down = seen >= SEEN || (seen > 0 && is_given_up);
        if let Some(end) = judge(task.as_ref(), node, is_down) {
            return end;
        }
    }
}

/// Whether a task has ended, and how.
fn judge(task: Option<&TaskFacts>, node: &str, node_is_down: bool) -> Option<End> {
    if node_is_down {
        return Some(End::Node(format!("the node `{node}` is down")));
    }
    let Some(task) = task else {
        return Some(End::Task("its service was removed".to_owned()));
    };
    let why = &task.why;
    match (task.stage, task.is_wanted) {
        (Stage::Ended, _) => Some(End::Task(format!("its task ended: {why}"))),
        (_, false) => Some(End::Taken("the swarm took it from its node".to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_goes_on_until_the_swarm_or_its_node_ends_it() {
        let mut task = TaskFacts {
            stage: Stage::Running,
            is_wanted: true,
            ..TaskFacts::default()
        };
        assert_eq!(judge(Some(&task), "n", false), None);
        assert!(matches!(judge(Some(&task), "n", true), Some(End::Node(_))));
        task.is_wanted = false;
        assert!(matches!(
            judge(Some(&task), "n", false),
            Some(End::Taken(_))
        ));
        task.stage = Stage::Ended;
        assert!(matches!(judge(Some(&task), "n", false), Some(End::Task(_))));
        assert!(matches!(judge(None, "n", false), Some(End::Task(_))));
    }
}
