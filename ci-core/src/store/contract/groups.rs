//! Places in groups, across all who share a store.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::kit::{Pair, created, elsewhere, kind, pass, place};
use crate::store::{Lease, OwnerId, RunStore, StoreErrorKind};

pub(super) async fn a_mutex_holds_across_handles(pair: Pair) {
    let (a, b) = (elsewhere("a"), elsewhere("b"));
    let (run_a, run_b) = (created(&*pair.one, &a).await, created(&*pair.two, &b).await);
    let (first, second) = (place("deploy", 1, &a, run_a), place("deploy", 1, &b, run_b));
    let lease = pair.one.acquire(&first).await.unwrap().expect("free");
    assert_eq!((&*lease.group, &lease.owner), ("deploy", &a));
    assert_eq!(pair.two.acquire(&second).await.unwrap(), None);
    // Not even for the same owner again.
    assert_eq!(pair.one.acquire(&first).await.unwrap(), None);
    let other = pair
        .two
        .acquire(&place("other", 1, &b, run_b))
        .await
        .unwrap();
    assert!(other.is_some(), "another group has places of its own");
    pair.one.release(&lease).await.unwrap();
    let next = pair.two.acquire(&second).await.unwrap().expect("free");
    assert!(next.fence > lease.fence, "{} > {}", next.fence, lease.fence);
}

pub(super) async fn a_counted_group_has_so_many_places(pair: Pair) {
    let owner = elsewhere("a");
    let run = created(&*pair.one, &owner).await;
    let request = place("db", 3, &owner, run);
    let mut fences = Vec::new();
    for store in [&pair.one, &pair.two, &pair.one] {
        fences.push(store.acquire(&request).await.unwrap().expect("free").fence);
    }
    assert!(fences.is_sorted_by(|a, b| a < b), "{fences:?}");
    assert_eq!(pair.two.acquire(&request).await.unwrap(), None);
}

pub(super) async fn the_places_of_a_disowned_owner_are_free(pair: Pair) {
    let (a, b) = (elsewhere("a"), elsewhere("b"));
    let (run_a, run_b) = (created(&*pair.one, &a).await, created(&*pair.two, &b).await);
    let first = place("deploy", 1, &a, run_a);
    assert!(pair.one.acquire(&first).await.unwrap().is_some());
    pair.one.disown(&a).await.unwrap();
    let second = pair.two.acquire(&place("deploy", 1, &b, run_b)).await;
    assert!(second.unwrap().is_some());
    // Who was disowned takes nothing any more.
    assert_eq!(kind(pair.one.acquire(&first).await), StoreErrorKind::Lost);
}

pub(super) async fn a_silent_holder_loses_its_place_and_is_told(pair: Pair) {
    let (silent, next) = (elsewhere("a"), elsewhere("b"));
    let run = created(&*pair.one, &silent).await;
    let lease = pair.one.acquire(&place("deploy", 1, &silent, run)).await;
    let lease = lease.unwrap().expect("free");
    pass(15).await;
    let run_b = created(&*pair.two, &next).await;
    let taken = pair.two.acquire(&place("deploy", 1, &next, run_b)).await;
    assert!(taken.unwrap().expect("free again").fence > lease.fence);
    // It wakes up, and hears that somebody else has what it held.
    assert_eq!(
        kind(pair.one.heartbeat(&silent).await),
        StoreErrorKind::Lost
    );
    let again = pair.one.acquire(&place("other", 1, &silent, run)).await;
    assert_eq!(kind(again), StoreErrorKind::Lost);
}

pub(super) async fn runs_of_the_dead_are_told_until_their_places_are_taken(pair: Pair) {
    let (silent, next) = (elsewhere("a"), elsewhere("b"));
    let run = created(&*pair.one, &silent).await;
    let other = created(&*pair.one, &silent).await;
    for (group, run) in [("deploy", run), ("db", other)] {
        let lease = pair.one.acquire(&place(group, 1, &silent, run)).await;
        assert!(lease.unwrap().is_some());
    }
    assert_eq!(pair.two.abandoned("deploy").await.unwrap(), []);
    pass(15).await;
    let mut both = [run, other];
    both.sort();
    for group in ["deploy", "db"] {
        assert_eq!(pair.two.abandoned(group).await.unwrap(), both);
    }
    assert_eq!(pair.two.abandoned("none").await.unwrap(), []);
    let run_b = created(&*pair.two, &next).await;
    let taken = pair.two.acquire(&place("deploy", 1, &next, run_b)).await;
    assert!(taken.unwrap().is_some());
    assert_eq!(pair.one.abandoned("db").await.unwrap(), []);
}

pub(super) async fn who_takes_a_run_over_has_its_places(pair: Pair) {
    let (silent, next) = (elsewhere("a"), elsewhere("b"));
    let run = created(&*pair.one, &silent).await;
    let lease = pair.one.acquire(&place("deploy", 1, &silent, run)).await;
    assert!(lease.unwrap().is_some());
    pass(15).await;
    let places = pair.two.own(run, &next).await.unwrap();
    assert_eq!(places.len(), 1);
    // What the dead process left running is still to be ended: nobody may have the place yet.
    assert_eq!(pair.one.abandoned("deploy").await.unwrap(), []);
    let third = elsewhere("c");
    let other = created(&*pair.one, &third).await;
    let wanted = place("deploy", 1, &third, other);
    assert_eq!(pair.one.acquire(&wanted).await.unwrap(), None);
    pair.two.release(&places[0]).await.unwrap();
    assert!(pair.one.acquire(&wanted).await.unwrap().is_some());
}

pub(super) async fn heartbeats_keep_a_place(pair: Pair) {
    let (a, b) = (elsewhere("a"), elsewhere("b"));
    let (run_a, run_b) = (created(&*pair.one, &a).await, created(&*pair.two, &b).await);
    let held = pair.one.acquire(&place("deploy", 1, &a, run_a)).await;
    assert!(held.unwrap().is_some());
    for _ in 0..10 {
        pass(14).await;
        pair.one.heartbeat(&a).await.unwrap();
        pair.two.heartbeat(&b).await.unwrap();
        let wanted = place("deploy", 1, &b, run_b);
        assert_eq!(pair.two.acquire(&wanted).await.unwrap(), None);
    }
}

pub(super) async fn an_old_lease_does_not_free_a_new_one(pair: Pair) {
    let owner = elsewhere("a");
    let run = created(&*pair.one, &owner).await;
    let request = place("deploy", 1, &owner, run);
    let old = pair.one.acquire(&request).await.unwrap().expect("free");
    pair.one.release(&old).await.unwrap();
    let new = pair.one.acquire(&request).await.unwrap().expect("free");
    pair.two.release(&old).await.unwrap();
    assert_eq!(pair.one.acquire(&request).await.unwrap(), None);
    pair.two.release(&new).await.unwrap();
    assert!(pair.one.acquire(&request).await.unwrap().is_some());
}

/// Something that one of three owners does, each through one of the two handles.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Acquire(usize, usize),
    Release(usize),
    Beat(usize),
    Disown(usize),
    Pass(u64),
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..3_usize, 0..2_usize).prop_map(|(owner, group)| Act::Acquire(owner, group)),
        2 => any::<usize>().prop_map(Act::Release),
        2 => (0..3_usize).prop_map(Act::Beat),
        1 => (0..3_usize).prop_map(Act::Disown),
        2 => (1..12_u64).prop_map(Act::Pass),
    ]
}

/// The groups as they should be: who lives, and who holds what.
#[derive(Default)]
struct Model {
    now: u64,
    /// The owners that are known, and when they last said that they live.
    beats: BTreeMap<usize, u64>,
    /// The places that are held: owner and group, by fence.
    held: BTreeMap<u64, (usize, usize)>,
    last_fence: u64,
}

impl Model {
    /// How many hold a place of a group, once the dead lost everything they had.
    fn holders(&mut self, group: usize) -> usize {
        let now = self.now;
        let holders: Vec<usize> = self
            .held
            .values()
            .filter(|(_, held)| *held == group)
            .map(|(owner, _)| *owner)
            .collect();
        for owner in holders {
            if self.beats.get(&owner).is_none_or(|beat| now - beat >= 15) {
                self.forget(owner);
            }
        }
        self.held
            .values()
            .filter(|(_, held)| *held == group)
            .count()
    }

    fn forget(&mut self, owner: usize) {
        self.beats.remove(&owner);
        self.held.retain(|_, (holder, _)| *holder != owner);
    }
}

/// A mutex and a group of two places.
const GROUPS: [(&str, u32); 2] = [("one", 1), ("two", 2)];

pub(super) async fn follows_the_model(pair: Pair, acts: Vec<Act>) -> Result<(), TestCaseError> {
    let mut owners: Vec<OwnerId> = Vec::new();
    let mut model = Model::default();
    let stores: [&dyn RunStore; 3] = [&*pair.one, &*pair.two, &*pair.one];
    let mut run = None;
    for (index, store) in stores.iter().enumerate() {
        owners.push(elsewhere(&index.to_string()));
        run = Some(created(*store, &owners[index]).await);
        model.beats.insert(index, 0);
    }
    let run = run.expect("three runs");
    let mut leases: Vec<Lease> = Vec::new();
    for act in acts {
        match act {
            Act::Acquire(owner, group) => {
                let (name, limit) = GROUPS[group];
                let wanted = place(name, limit, &owners[owner], run);
                let got = stores[owner].acquire(&wanted).await;
                if !model.beats.contains_key(&owner) {
                    prop_assert_eq!(kind(got), StoreErrorKind::Lost);
                    continue;
                }
                let got = got.expect("a living owner may ask");
                let free = model.holders(group) < limit as usize;
                prop_assert_eq!(got.is_some(), free);
                if let Some(lease) = got {
                    prop_assert!(lease.fence > model.last_fence);
                    model.last_fence = lease.fence;
                    model.held.insert(lease.fence, (owner, group));
                    leases.push(lease);
                }
            }
            Act::Release(index) => {
                // Any lease that was ever given, also one that was lost or given back.
                if let Some(lease) = index.checked_rem(leases.len()).map(|i| &leases[i]) {
                    pair.two.release(lease).await.expect("releases");
                    model.held.remove(&lease.fence);
                }
            }
            Act::Beat(owner) => {
                let told = stores[owner].heartbeat(&owners[owner]).await;
                prop_assert_eq!(told.is_ok(), model.beats.contains_key(&owner));
                if let Some(beat) = model.beats.get_mut(&owner) {
                    *beat = model.now;
                }
            }
            Act::Disown(owner) => {
                stores[owner].disown(&owners[owner]).await.expect("disowns");
                model.forget(owner);
            }
            Act::Pass(seconds) => {
                pass(seconds).await;
                model.now += seconds;
            }
        }
    }
    Ok(())
}
