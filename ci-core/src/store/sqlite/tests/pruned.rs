//! Old runs are removed one by one: one that cannot go keeps no other.

use std::fs;

use super::kit::Place;
use crate::id::RunId;
use crate::outcome::OutcomeKind;
use crate::store::contract::kit::{created, elsewhere, ended_as, record};
use crate::store::{Retention, RunStore, SqliteStore, StoreErrorKind};

async fn ended(store: &SqliteStore) -> RunId {
    let run = created(store, &elsewhere("a")).await;
    let end = ended_as(run, OutcomeKind::Success);
    store.append(run, vec![record(run, 1, end)]).await.unwrap();
    run
}

#[tokio::test]
async fn a_run_whose_logs_cannot_go_stays_and_keeps_no_other() {
    let place = Place::new();
    let store = place.open();
    let (stuck, free) = (ended(&store).await, ended(&store).await);
    // Where its logs would be in a directory stands a file.
    let logs = place.dir.path().join("runs.db.logs");
    fs::create_dir_all(&logs).unwrap();
    let in_the_way = logs.join(stuck.to_string());
    fs::write(&in_the_way, "").unwrap();
    let all = Retention {
        max_runs: Some(0),
        ..Retention::default()
    };
    assert_eq!(store.prune(&all).await.unwrap(), [free]);
    assert!(store.load(stuck).await.is_ok());
    let error = store.prune(&all).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Other);
    fs::remove_file(&in_the_way).unwrap();
    assert_eq!(store.prune(&all).await.unwrap(), [stuck]);
}
