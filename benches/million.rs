//! A graph of a million nodes: the time to build and to run it, and the memory each node takes.

#![expect(clippy::print_stdout, reason = "the fresh process tells its numbers")]

use std::sync::Arc;
use std::time::Instant;

use ci_benches::graph::{Graph, layers};
use ci_benches::measure::{asked_for, for_real, peak_memory};
use ci_benches::table::Table;
use ci_benches::{Error, child, engine, peers};

fn main() -> Result<(), Error> {
    if !asked_for("million") {
        return Ok(());
    }
    let graph = layers(if for_real() { 1_000 } else { 5 }, 1_000);
    if let Some(part) = child::part() {
        let numbers = match part.as_str() {
            "ci-core" => ours(&graph)?,
            "dagx" => dagx(graph)?,
            other => return Err(format!("there is no part `{other}`").into()),
        };
        println!("{}", numbers.map(|number| number.to_string()).join(" "));
        return Ok(());
    }
    let title = format!(
        "{} nodes in layers of 1,000 with 3 needs each: seconds, and peak bytes per node",
        graph.len()
    );
    let headings = ["", "build + validate", "run", "bytes/node"];
    let mut table = Table::new(title, &headings);
    let nodes = f64::from(u32::try_from(graph.len())?);
    drop(graph);
    let mut results = Vec::new();
    for part in ["ci-core", "dagx"] {
        let numbers: [f64; 3] = child::run(part)?
            .try_into()
            .map_err(|_| format!("the part `{part}` did not give three numbers"))?;
        let [build, run, bytes] = numbers;
        table.row([
            part.to_owned(),
            format!("{build:.2}"),
            format!("{run:.2}"),
            format!("{:.0}", bytes / nodes),
        ]);
        results.push(numbers);
    }
    if let [ours, dagx] = results[..] {
        let ratios = ours
            .iter()
            .zip(dagx)
            .map(|(ours, dagx)| format!("{:.2}", ours / dagx));
        table.row(["ci-core / dagx".to_owned()].into_iter().chain(ratios));
    }
    table.print();
    Ok(())
}

/// Seconds to build, seconds to run, and the bytes by which the peak grew.
fn ours(graph: &Graph) -> Result<[f64; 3], Error> {
    let runtime = engine::runtime()?;
    let (before, begun) = (peak_memory()?, Instant::now());
    let workflow = Arc::new(engine::workflow(graph)?);
    let build = begun.elapsed();
    let run = engine::on_worker(&runtime, engine::timed_run(workflow, engine::options()))?;
    grown(before, build.as_secs_f64(), run.as_secs_f64())
}

/// The same of dagx.
fn dagx(graph: Graph) -> Result<[f64; 3], Error> {
    let runtime = engine::runtime()?;
    let before = peak_memory()?;
    let times = engine::on_worker(&runtime, async move { peers::dagx(&graph).await })?;
    grown(before, times.build.as_secs_f64(), times.run.as_secs_f64())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "sizes of memory are far below 2^52"
)]
fn grown(before: u64, build: f64, run: f64) -> Result<[f64; 3], Error> {
    Ok([build, run, peak_memory()?.saturating_sub(before) as f64])
}
