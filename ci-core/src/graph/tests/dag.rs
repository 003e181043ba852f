//! The graph against slow and simple ways to compute the same.

use std::collections::HashSet;

use proptest::prelude::*;

use crate::graph::{Cycle, Dag, Edge};
use crate::id::JobId;
use crate::outcome::OutcomeSet;

fn dag(jobs: usize, edges: &[(usize, usize)]) -> Dag {
    Dag::new(jobs, || {
        edges.iter().map(|(from, to)| {
            let edge = Edge {
                to: JobId::from_index(*to),
                accept: OutcomeSet::SUCCESS,
            };
            (JobId::from_index(*from), edge)
        })
    })
}

fn indices(jobs: &[JobId]) -> Vec<usize> {
    jobs.iter().map(|job| job.index()).collect()
}

#[test]
fn orders_and_ranks_a_diamond() {
    let dag = dag(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
    let order = dag.order().expect("no cycle");
    assert_eq!(indices(&order), [0, 1, 2, 3]);
    let weights = [1, 5, 2, 1];
    assert_eq!(dag.ranks(&order, |job| weights[job.index()]), [7, 6, 3, 1]);
}

#[test]
fn finds_the_cycle_and_only_it() {
    let dag = dag(5, &[(0, 1), (1, 2), (2, 3), (3, 1), (3, 4)]);
    let Err(Cycle(path)) = dag.order() else {
        panic!("there is a cycle")
    };
    let mut sorted = indices(&path);
    let at = sorted.iter().position(|job| *job == 1).expect("1 is in it");
    sorted.rotate_left(at);
    assert_eq!(sorted, [1, 2, 3]);
}

#[test]
fn every_knot_is_reported_by_a_shortest_cycle() {
    let dag = dag(
        8,
        &[
            (0, 1),
            (1, 2),
            (2, 0),
            (1, 0),
            (3, 3),
            (4, 5),
            (5, 6),
            (6, 4),
            (6, 7),
        ],
    );
    let cycles: Vec<Vec<usize>> = dag.cycles().iter().map(|cycle| indices(&cycle.0)).collect();
    assert_eq!(cycles, [vec![0, 1], vec![3], vec![4, 5, 6]]);
}

/// Some jobs, and edges between any two of them, cycles and doubles included.
fn graphs() -> impl Strategy<Value = (usize, Vec<(usize, usize)>)> {
    (1usize..12).prop_flat_map(|jobs| {
        let edges = prop::collection::vec((0..jobs, 0..jobs), 0..20);
        (Just(jobs), edges)
    })
}

/// Edges that only lead to higher ids.
fn forward(edges: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let rising = edges.iter().filter(|(from, to)| from < to);
    rising.copied().collect()
}

/// Which jobs can be reached from which over one or more edges (Warshall 1962).
fn reach(jobs: usize, edges: &[(usize, usize)]) -> Vec<Vec<bool>> {
    let mut reach = vec![vec![false; jobs]; jobs];
    for (from, to) in edges {
        reach[*from][*to] = true;
    }
    for via in 0..jobs {
        for from in 0..jobs {
            for to in 0..jobs {
                reach[from][to] |= reach[from][via] && reach[via][to];
            }
        }
    }
    reach
}

fn assert_is_cycle(path: &[usize], edges: &[(usize, usize)]) {
    assert!(!path.is_empty());
    let distinct: HashSet<_> = path.iter().collect();
    assert_eq!(distinct.len(), path.len(), "{path:?} passes a job twice");
    for (at, from) in path.iter().enumerate() {
        let to = path[(at + 1) % path.len()];
        assert!(edges.contains(&(*from, to)), "no edge {from} -> {to}");
    }
}

/// The longest path from `job` on, by trying all of them.
fn longest(job: usize, edges: &[(usize, usize)], weights: &[u32]) -> u32 {
    let after = edges.iter().filter(|(from, _)| *from == job);
    let rest = after.map(|(_, to)| longest(*to, edges, weights)).max();
    weights[job] + rest.unwrap_or(0)
}

proptest! {
    #[test]
    fn an_order_is_legal_and_a_cycle_is_real((jobs, edges) in graphs()) {
        let graph = dag(jobs, &edges);
        let reach = reach(jobs, &edges);
        let cyclic = (0..jobs).any(|job| reach[job][job]);
        match graph.order() {
            Ok(order) => {
                prop_assert!(!cyclic);
                let mut position = vec![usize::MAX; jobs];
                for (at, job) in order.iter().enumerate() {
                    position[job.index()] = at;
                }
                prop_assert!(position.iter().all(|at| *at < jobs));
                prop_assert!(edges.iter().all(|(from, to)| position[*from] < position[*to]));
            }
            Err(Cycle(path)) => {
                prop_assert!(cyclic);
                assert_is_cycle(&indices(&path), &edges);
            }
        }
    }

    #[test]
    fn each_knot_has_one_cycle((jobs, edges) in graphs()) {
        let reach = reach(jobs, &edges);
        // A knot is known by its first job: no smaller one is both before and after it.
        let knots: Vec<usize> = (0..jobs)
            .filter(|job| reach[*job][*job])
            .filter(|job| !(0..*job).any(|other| reach[*job][other] && reach[other][*job]))
            .collect();
        let cycles = dag(jobs, &edges).cycles();
        let firsts: Vec<usize> = cycles.iter().map(|cycle| cycle.0[0].index()).collect();
        prop_assert_eq!(firsts, knots);
        for Cycle(path) in &cycles {
            assert_is_cycle(&indices(path), &edges);
        }
    }

    #[test]
    fn ranks_are_longest_paths(
        (jobs, edges) in graphs(),
        weights in prop::collection::vec(0u32..100, 12),
    ) {
        let edges = forward(&edges);
        let graph = dag(jobs, &edges);
        let order = graph.order().expect("edges only rise");
        let ranks = graph.ranks(&order, |job| weights[job.index()]);
        for (job, rank) in ranks.iter().enumerate() {
            prop_assert_eq!(*rank, longest(job, &edges, &weights));
        }
    }

    #[test]
    fn edges_and_degrees_are_those_given((jobs, edges) in graphs()) {
        let graph = dag(jobs, &edges);
        for job in graph.jobs() {
            let mut to: Vec<usize> = graph.edges(job).iter().map(|edge| edge.to.index()).collect();
            to.sort_unstable();
            let given = edges.iter().filter(|(from, _)| *from == job.index());
            let mut expected: Vec<usize> = given.map(|(_, to)| *to).collect();
            expected.sort_unstable();
            prop_assert_eq!(to, expected);
            let into = edges.iter().filter(|(_, to)| *to == job.index()).count();
            prop_assert_eq!(graph.in_degree(job) as usize, into);
        }
    }
}
