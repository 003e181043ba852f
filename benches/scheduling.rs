//! What the scheduler costs: steps that do nothing, beside other crates that run graphs and a bare loop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ci_benches::engine::Times;
use ci_benches::graph::{Graph, chain, fan_out, layers};
use ci_benches::measure::{criterion, for_real, samples};
use ci_benches::table::{Table, nanos_each, note, ratio};
use ci_benches::{Error, engine, peers};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use tokio::runtime::Runtime;

/// A peer that may need longer than this to build and run a graph is measured on a smaller one.
const PATIENCE: Duration = Duration::from_secs(2);

/// A graph, and how it looks at another size.
struct Shape {
    name: &'static str,
    size: usize,
    graph: fn(usize) -> Graph,
}

/// Median times of a contender on a graph, and of how many nodes that is.
#[derive(Clone, Copy)]
struct Measured {
    whole: Option<Duration>,
    run: Option<Duration>,
    nodes: usize,
}

/// The two tables: what each run costs from a description of the graph to its end, and what of that is
/// running. An engine that reuses a description plans it anew for each run; the others build it anew.
struct Tables {
    whole: Table,
    run: Table,
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
    let table = |what| {
        let title =
            format!("Scheduling, {what}: nanoseconds per node, median, 2 worker threads, 2 slots");
        Table::new(title, &headings)
    };
    let mut tables = Tables {
        whole: table("planning or building included"),
        run: table("the run alone"),
    };
    let mut remarks = Vec::new();
    for shape in &shapes {
        measure(&runtime, &mut criterion, shape, &mut tables, &mut remarks)?;
    }
    tables.whole.print();
    tables.run.print();
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
    tables: &mut Tables,
    remarks: &mut Vec<String>,
) -> Result<(), Error> {
    let graph = Arc::new((shape.graph)(shape.size));
    let mut group = criterion.benchmark_group(format!("scheduling/{}", shape.name));
    let group = &mut group;
    let workflow = Arc::new(engine::workflow(&graph)?);
    let ours = sampled(group, "ci-core", graph.len(), || {
        let run = engine::planned_run(Arc::clone(&workflow), engine::options());
        engine::on_worker(runtime, run)
    })?;
    let mut peer = |name: &str, run: fn(&Runtime, Arc<Graph>) -> Result<Times, Error>| {
        let graph = bearable(shape, |graph| run(runtime, graph))?;
        if graph.len() < (shape.graph)(shape.size).len() {
            remarks.push(format!(
                "{name} is measured on {} nodes of the shape `{}`: to build and run twice as many may take it over {} s",
                graph.len(),
                shape.name,
                PATIENCE.as_secs()
            ));
        }
        sampled(group, name, graph.len(), || {
            run(runtime, Arc::clone(&graph))
        })
    };
    let peers = [
        peer("dagx", |runtime, graph| {
            engine::on_worker(runtime, async move { peers::dagx(&graph).await })
        })?,
        peer("dagrs", |runtime, graph| {
            engine::on_worker(runtime, async move { peers::dagrs(&graph).await })
        })?,
        peer("dag-executor", |runtime, graph| {
            engine::on_worker(runtime, async move { peers::dag_executor(&graph).await })
        })?,
        peer("bare loop", |_, graph| Ok(peers::bare_loop(&graph)))?,
    ];
    let row = |time: fn(&Measured) -> Option<Duration>| {
        let all = [&ours].into_iter().chain(&peers);
        let cells = all.map(|one| nanos_each(time(one), one.nodes));
        let cells: Vec<String> = [shape.name.to_owned(), ours.nodes.to_string()]
            .into_iter()
            .chain(cells)
            .chain([ratio(time(&ours), time(&peers[0]))])
            .collect();
        cells
    };
    tables.whole.row(row(|one| one.whole));
    tables.run.row(row(|one| one.run));
    Ok(())
}

/// Samples both times of a contender, each on its own.
fn sampled(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    nodes: usize,
    once: impl Fn() -> Result<Times, Error>,
) -> Result<Measured, Error> {
    Ok(Measured {
        whole: samples(group, name, || Ok(once()?.whole()))?,
        run: samples(group, &format!("{name}, run alone"), || Ok(once()?.run))?,
        nodes,
    })
}

/// The largest graph of a shape, found by doubling from a small one, that a peer can build and run
/// within [`PATIENCE`].
fn bearable(
    shape: &Shape,
    run: impl Fn(Arc<Graph>) -> Result<Times, Error>,
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
