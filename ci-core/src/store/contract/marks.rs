//! How far watchers and schedules are.

use super::kit::Pair;

pub(super) async fn a_mark_moves_only_from_where_it_is(pair: Pair) {
    let (one, two) = (&pair.one, &pair.two);
    assert_eq!(two.mark("k").await.unwrap(), None);
    assert!(!one.set_mark("k", Some("1"), "2").await.unwrap());
    assert!(one.set_mark("k", None, "1").await.unwrap());
    assert!(!two.set_mark("k", None, "x").await.unwrap());
    assert_eq!(two.mark("k").await.unwrap().as_deref(), Some("1"));
    assert!(two.set_mark("k", Some("1"), "2").await.unwrap());
    assert!(!one.set_mark("k", Some("1"), "x").await.unwrap());
    assert_eq!(one.mark("k").await.unwrap().as_deref(), Some("2"));
    assert_eq!(one.mark("another").await.unwrap(), None);
}

pub(super) async fn of_many_who_move_a_mark_one_does(pair: Pair) {
    assert!(pair.one.set_mark("k", None, "0").await.unwrap());
    for round in 0..20 {
        let (old, new) = (round.to_string(), (round + 1).to_string());
        let (first, second) = tokio::join!(
            pair.one.set_mark("k", Some(&old), &new),
            pair.two.set_mark("k", Some(&old), &new),
        );
        assert!(first.unwrap() != second.unwrap(), "round {round}");
    }
}
