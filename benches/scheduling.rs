//! What the scheduler costs: steps that do nothing, beside other crates that run graphs and a bare loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_benches::graph::{Graph, chain, fan_out, layers};
use ci_benches::measure::{criterion, for_real, samples};
use ci_benches::table::{Table, nanos_each, note, ratio};
use ci_benches::{Error, engine, peers};
use criterion::Criterion;
use tokio::runtime::Runtime;

/// A peer that may need longer than this to build and run a graph is measured on a smaller one.
const PATIENCE: Duration = Duration::from_secs(2);

/// A graph, and how it looks at another size.
struct Shape {
    name: &'static str,
    size: usize,
    graph: fn(usize) -> Graph,
}

/// The median time of a run, and of how many nodes.
#[derive(Clone, Copy)]
struct Measured {
    time: Option<Duration>,
    nodes: usize,
}

fn main() -> Result<(), Error> {
    let (runtime, mut criterion) = (engine::runtime()?, criterion());
    let part = if for_real() { 1 } else { 100 };
    let shapes = [
        Shape {
            name: "chain",
            size: 1_000 / part,
            graph: chain,
        },
        Shape {
            name: "fan-out",
            size: 10_000 / part,
            graph: fan_out,
        },
        Shape {
            name: "layers of 1,000, 3 needs each",
            size: 100 / part.min(50),
            graph: |count| layers(count, 1_000),
        },
    ];
    let headings = [
        "shape",
        "nodes",
        "ci-core",
        "dagx",
        "dagrs",
        "dag-executor",
        "bare loop",
        "ci-core / dagx",
    ];
    let title = "Scheduling: nanoseconds per node, median, 2 worker threads, 2 slots (ci-core with its planning)";
    let (mut table, mut remarks) = (Table::new(title, &headings), Vec::new());
    for shape in &shapes {
        measure(&runtime, &mut criterion, shape, &mut table, &mut remarks)?;
    }
    table.print();
    for words in &remarks {
        note(words);
    }
    criterion.final_summary();
    Ok(())
}

fn measure(
    runtime: &Runtime,
    criterion: &mut Criterion,
    shape: &Shape,
    table: &mut Table,
    remarks: &mut Vec<String>,
) -> Result<(), Error> {
    let graph = Arc::new((shape.graph)(shape.size));
    let nodes = graph.len();
    let mut group = criterion.benchmark_group(format!("scheduling/{}", shape.name));
    let workflow = Arc::new(engine::workflow(&graph)?);
    let ours = samples(&mut group, "ci-core", || {
        let run = engine::timed_run(Arc::clone(&workflow), engine::options());
        engine::on_worker(runtime, run)
    })?;
    let dagx = samples(&mut group, "dagx", || {
        let graph = Arc::clone(&graph);
        engine::on_worker(runtime, async move { Ok(peers::dagx(&graph).await?.run) })
    })?;
    let mut slow = |name: &str, run: fn(&Runtime, Arc<Graph>) -> Result<Duration, Error>| {
        let graph = bearable(shape, |graph| run(runtime, graph))?;
        let nodes = graph.len();
        let time = samples(&mut group, name, || run(runtime, Arc::clone(&graph)))?;
        if nodes < (shape.graph)(shape.size).len() {
            remarks.push(format!(
                "{name} is measured on {nodes} nodes of the shape `{}`: to build and run twice as many may take it over {} s",
                shape.name,
                PATIENCE.as_secs()
            ));
        }
        Ok::<_, Error>(Measured { time, nodes })
    };
    let dagrs = slow("dagrs", |runtime, graph| {
        engine::on_worker(runtime, async move { peers::dagrs(&graph).await })
    })?;
    let dag_executor = slow("dag-executor", |runtime, graph| {
        engine::on_worker(runtime, async move { peers::dag_executor(&graph).await })
    })?;
    let bare = samples(&mut group, "bare loop", || Ok(peers::bare_loop(&graph)))?;
    group.finish();
    table.row([
        shape.name.to_owned(),
        nodes.to_string(),
        nanos_each(ours, nodes),
        nanos_each(dagx, nodes),
        nanos_each(dagrs.time, dagrs.nodes),
        nanos_each(dag_executor.time, dag_executor.nodes),
        nanos_each(bare, nodes),
        ratio(ours, dagx),
    ]);
    Ok(())
}

/// The largest graph of a shape, found by doubling from a small one, that a peer can build and run
/// within [`PATIENCE`].
fn bearable(
    shape: &Shape,
    run: impl Fn(Arc<Graph>) -> Result<Duration, Error>,
) -> Result<Arc<Graph>, Error> {
    let mut size = (shape.size / 64).max(1);
    loop {
        let graph = Arc::new((shape.graph)(size));
        let begun = Instant::now();
        run(Arc::clone(&graph))?;
        // Twice the size may take four times as long.
        if size >= shape.size || begun.elapsed() * 4 > PATIENCE {
            return Ok(graph);
        }
        size = (size * 2).min(shape.size);
    }
}
