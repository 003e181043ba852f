//! The peers: other crates that run graphs of tasks, given the same graphs of tasks that do nothing.
//!
//! Each function builds the peer's graph, runs it inside the runtime it is called in, and gives how long
//! both took.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use crate::Error;
use crate::engine::{Times, WORKERS};
use crate::graph::Graph;

/// No engine at all: one thread counts down in-degrees.
#[must_use]
pub fn bare_loop(graph: &Graph) -> Times {
    let begun = Instant::now();
    let mut dependents = vec![Vec::new(); graph.len()];
    let mut missing: Vec<usize> = graph.iter().map(Vec::len).collect();
    for (node, needs) in graph.iter().enumerate() {
        for &need in needs {
            dependents[need].push(node);
        }
    }
    let (build, begun) = (begun.elapsed(), Instant::now());
    let roots = (0..graph.len()).filter(|&node| missing[node] == 0);
    let mut ready: VecDeque<usize> = roots.collect();
    while let Some(node) = black_box(ready.pop_front()) {
        for &dependent in &dependents[node] {
            missing[dependent] -= 1;
            if missing[dependent] == 0 {
                ready.push_back(dependent);
            }
        }
    }
    let run = begun.elapsed();
    Times { build, run }
}

#[expect(
    clippy::unused_async,
    clippy::used_underscore_binding,
    reason = "the peer's macro asks for this form"
)]
mod tasks {
    use dagx::{Task, task};

    pub(super) struct Source;
    #[task]
    impl Source {
        async fn run(&self) -> i32 {
            1
        }
    }

    pub(super) struct One;
    #[task]
    impl One {
        async fn run(_first: &i32) -> i32 {
            1
        }
    }

    pub(super) struct Three;
    #[task]
    impl Three {
        async fn run(_first: &i32, _second: &i32, _third: &i32) -> i32 {
            1
        }
    }
}

/// The crate dagx. Its tasks hand an integer on, as its types demand.
///
/// # Errors
/// When dagx fails, or a node has a number of needs for which there is no task here.
pub async fn dagx(graph: &Graph) -> Result<Times, Error> {
    let begun = Instant::now();
    let dag = dagx::DagRunner::new();
    let mut handles: Vec<dagx::TaskHandle<i32>> = Vec::with_capacity(graph.len());
    for needs in graph {
        let handle = match needs[..] {
            [] => dag.add_task(tasks::Source).into(),
            [need] => dag.add_task(tasks::One).depends_on(handles[need]),
            [a, b, c] => {
                dag.add_task(tasks::Three)
                    .depends_on((&handles[a], &handles[b], &handles[c]))
            }
            _ => return Err(format!("no task with {} needs", needs.len()).into()),
        };
        handles.push(handle);
    }
    let (build, begun) = (begun.elapsed(), Instant::now());
    let spawn = |future| {
        tokio::spawn(future);
    };
    dag.run(spawn).await.map_err(|error| error.to_string())?;
    let run = begun.elapsed();
    Ok(Times { build, run })
}

struct Nothing;

#[async_trait::async_trait]
impl dagrs::Action for Nothing {
    async fn run(
        &self,
        _from: &mut dagrs::InChannels,
        _to: &mut dagrs::OutChannels,
        _env: Arc<dagrs::EnvVar>,
    ) -> dagrs::Output {
        dagrs::Output::empty()
    }
}

/// The crate dagrs. It has no bound on what runs at once, so the runtime's threads are the bound.
///
/// # Errors
/// When dagrs fails.
pub async fn dagrs(graph: &Graph) -> Result<Times, Error> {
    use dagrs::Node;

    let begun = Instant::now();
    let mut table = dagrs::NodeTable::default();
    let mut peer = dagrs::Graph::new();
    let mut ids = Vec::with_capacity(graph.len());
    for node in 0..graph.len() {
        let name = format!("n{node}");
        let node = dagrs::DefaultNode::with_action(name, Nothing, &mut table);
        ids.push(node.id());
        peer.add_node(node).map_err(|error| format!("{error:?}"))?;
    }
    let mut dependents = vec![Vec::new(); graph.len()];
    for (node, needs) in graph.iter().enumerate() {
        for &need in needs {
            dependents[need].push(ids[node]);
        }
    }
    for (node, dependents) in dependents.into_iter().enumerate() {
        let added = peer.add_edge(ids[node], dependents);
        added.map_err(|error| format!("{error:?}"))?;
    }
    peer.set_env(dagrs::EnvVar::new(table));
    let (build, begun) = (begun.elapsed(), Instant::now());
    let ended = peer.async_start().await;
    let run = begun.elapsed();
    ended.map_err(|error| format!("{error:?}"))?;
    Ok(Times { build, run })
}

/// The crate dag-executor, without its persistence.
///
/// # Errors
/// When dag-executor fails or a task does.
pub async fn dag_executor(graph: &Graph) -> Result<Times, Error> {
    use dag_executor::dag::{Dag, DagExecutor};
    use dag_executor::tasks::BasicTask;

    let begun = Instant::now();
    let mut dag = Dag::new();
    for (node, needs) in graph.iter().enumerate() {
        let task = BasicTask::new(format!("n{node}"), |_| async { Ok(().into()) })
            .with_deps(needs.iter().map(|need| format!("n{need}")));
        dag.add_task(Arc::new(task))?;
    }
    let executor = DagExecutor::builder();
    let executor = executor.persist(false).concurrency(WORKERS).build();
    let (build, begun) = (begun.elapsed(), Instant::now());
    let report = executor.run(dag).await?;
    let run = begun.elapsed();
    if report.is_success() {
        Ok(Times { build, run })
    } else {
        Err("a task of dag-executor failed".into())
    }
}
