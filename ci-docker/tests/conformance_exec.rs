//! The Docker executor passes ci-core's conformance suite also where each command is an exec of the
//! engine's. One test, in a process of its own: the suite watches the memory of the whole process.

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use ci_core::executor::{Executor, ExecutorError, PrepareRequest, ReapReport, ReapScope};
use ci_core::id::RunId;
use ci_core::session::Session;
use ci_core::testing::conformance;
use ci_docker::DockerExecutor;

/// Gives each command a variable that no shell can export, so that the engine has to.
#[derive(Debug)]
struct ByExec(DockerExecutor);

#[async_trait]
impl Executor for ByExec {
    fn name(&self) -> &str {
        Executor::name(&self.0)
    }

    fn limit(&self) -> Option<usize> {
        Executor::limit(&self.0)
    }

    async fn prepare(
        &self,
        mut request: PrepareRequest<'_>,
    ) -> Result<Box<dyn Session>, ExecutorError> {
        let mut env = request.env.clone();
        env.insert("conformance.by-exec".to_owned(), "1".to_owned());
        request.env = &env;
        self.0.prepare(request).await
    }

    async fn settle(&self, run: RunId) -> Result<ReapReport, ExecutorError> {
        self.0.settle(run).await
    }

    async fn reap(&self, scope: &ReapScope) -> Result<ReapReport, ExecutorError> {
        self.0.reap(scope).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_executor_by_exec() {
    let Some(place) = support::place().await else {
        return;
    };
    let executor = ByExec(place.executor());
    let report = conformance(Arc::new(executor), place.options()).await;
    support::say(&report.to_string());
    report.assert();
}
