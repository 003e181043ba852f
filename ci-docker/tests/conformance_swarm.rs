//! The executor of swarms passes ci-core's conformance suite on a swarm of one node. One test, in a
//! process of its own: the suite watches the memory of the whole process.

#[path = "support/engine.rs"]
mod engine;
mod support;

use std::sync::Arc;

use ci_core::testing::conformance;
use ci_docker::{SwarmExecutor, SwarmOptions};
use engine::OwnEngine;

#[tokio::test(flavor = "multi_thread")]
async fn swarm_executor() {
    let Some(engine) = OwnEngine::start() else {
        return;
    };
    engine.init_swarm("127.0.0.1");
    let place = engine.place().await;
    let options = [
        ("host", serde_json::json!(place.host)),
        ("image", serde_json::json!(place.image)),
        ("pull", serde_json::json!("never")),
    ];
    let options = options.map(|(name, value)| (name.to_owned(), value)).into();
    let options = SwarmOptions::from_settings(&options).unwrap();
    let executor = SwarmExecutor::with_options(options).grace(support::GRACE);
    let report = conformance(Arc::new(executor), place.options()).await;
    support::say(&report.to_string());
    report.assert();
}
