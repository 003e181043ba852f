//! Who drives a run, and what others ask of it.

use super::kit::{Pair, created, elsewhere, ended_as, kind, pass, ready, record, summary};
use crate::id::RunId;
use crate::outcome::{CancelReason, OutcomeKind};
use crate::store::{OwnerId, Request, RequestKind, StoreErrorKind};

pub(super) async fn an_unknown_run_is_not_found(pair: Pair) {
    let run = RunId::new();
    assert_eq!(kind(pair.one.load(run).await), StoreErrorKind::NotFound);
    let owned = pair.one.own(run, &elsewhere("a")).await;
    assert_eq!(kind(owned), StoreErrorKind::NotFound);
    assert_eq!(pair.one.requests(run, 0).await.unwrap(), []);
}

pub(super) async fn a_run_has_one_living_owner(pair: Pair) {
    // A process of this machine is known to live, whatever its heartbeat says.
    let (first, second) = (OwnerId::for_this_process(), elsewhere("b"));
    let run = created(&*pair.one, &first).await;
    pass(3600).await;
    let refused = pair.two.own(run, &second).await;
    assert_eq!(kind(refused), StoreErrorKind::Owned);
    assert!(summary(&*pair.two, run).await.active);
    pair.one.disown(&first).await.unwrap();
    assert!(!summary(&*pair.two, run).await.active);
    pair.two.own(run, &second).await.unwrap();
    assert!(summary(&*pair.one, run).await.active);
}

pub(super) async fn a_run_of_a_silent_owner_can_be_taken_over(pair: Pair) {
    let (silent, next) = (elsewhere("a"), elsewhere("b"));
    let run = created(&*pair.one, &silent).await;
    pass(14).await;
    let refused = pair.two.own(run, &next).await;
    assert_eq!(kind(refused), StoreErrorKind::Owned);
    pass(1).await;
    assert!(!summary(&*pair.two, run).await.active);
    pair.two.own(run, &next).await.unwrap();
    assert_eq!(
        kind(pair.one.heartbeat(&silent).await),
        StoreErrorKind::Lost
    );
    pair.two.heartbeat(&next).await.unwrap();
}

pub(super) async fn a_run_that_is_taken_over_keeps_its_end_for_good(pair: Pair) {
    for (outcome, kept) in [
        (OutcomeKind::Success, Some(OutcomeKind::Success)),
        (OutcomeKind::OnHold, None),
        (OutcomeKind::Interrupted, None),
    ] {
        let (first, next) = (elsewhere("a"), elsewhere("b"));
        let run = created(&*pair.one, &first).await;
        let end = ended_as(run, outcome);
        let end = pair.one.append(run, vec![record(run, 1, end)]);
        end.await.unwrap();
        pair.one.disown(&first).await.unwrap();
        pair.two.own(run, &next).await.unwrap();
        let summary = summary(&*pair.one, run).await;
        assert_eq!(summary.outcome, kept);
        assert_eq!(summary.finished.is_some(), kept.is_some());
    }
}

pub(super) async fn who_lost_a_run_appends_nothing(pair: Pair) {
    let (silent, next) = (elsewhere("a"), elsewhere("b"));
    let run = created(&*pair.one, &silent).await;
    let kept = record(run, 1, ready("kept"));
    pair.one.append(run, vec![kept.clone()]).await.unwrap();
    pair.one.disown(&silent).await.unwrap();
    let late = pair.one.append(run, vec![record(run, 2, ready("late"))]);
    assert_eq!(kind(late.await), StoreErrorKind::Lost);
    let nobody = RunId::new();
    let other = pair
        .one
        .append(nobody, vec![record(nobody, 1, ready("other"))]);
    assert_eq!(kind(other.await), StoreErrorKind::Lost);
    pair.two.own(run, &next).await.unwrap();
    let new = record(run, 2, ready("new"));
    pair.two.append(run, vec![new.clone()]).await.unwrap();
    assert_eq!(pair.one.load(run).await.unwrap().journal, [kept, new]);
}

pub(super) async fn requests_come_in_order_and_once(pair: Pair) {
    let owner = elsewhere("a");
    let (run, other) = (
        created(&*pair.one, &owner).await,
        created(&*pair.one, &owner).await,
    );
    let approve = RequestKind::Approve {
        job: "deploy".to_owned(),
        approved: true,
    };
    let cancel = RequestKind::Cancel {
        job: None,
        reason: CancelReason::Superseded,
    };
    let ask = |run, kind: &RequestKind| Request {
        run,
        kind: kind.clone(),
        by: "ada".to_owned(),
    };
    let (first, second) = (ask(run, &approve), ask(run, &cancel));
    pair.two.request(first.clone()).await.unwrap();
    pair.two.request(ask(other, &cancel)).await.unwrap();
    pair.one.request(second.clone()).await.unwrap();
    let all = pair.one.requests(run, 0).await.unwrap();
    let asked: Vec<_> = all.iter().map(|record| record.request.clone()).collect();
    assert_eq!(asked, [first, second]);
    assert_eq!(pair.two.requests(run, all[0].seq).await.unwrap(), all[1..]);
    assert_eq!(pair.two.requests(run, all[1].seq).await.unwrap(), []);
}
