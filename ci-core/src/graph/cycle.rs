//! Every knot of jobs that wait for each other, with a shortest cycle of each.

use std::collections::{HashMap, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::{Cycle, Dag};
use crate::id::JobId;

impl Dag {
    /// A cycle of each strongly connected component: a shortest one through its first job, which
    /// begins it. Empty when the graph has none. Slower than [`order`](Self::order): for reporting.
    #[must_use]
    pub fn cycles(&self) -> Vec<Cycle> {
        let mut graph = DiGraph::<(), (), u32>::with_capacity(self.len(), self.len());
        for _ in self.jobs() {
            graph.add_node(());
        }
        for from in self.jobs() {
            for edge in self.edges(from) {
                graph.add_edge(
                    NodeIndex::new(from.index()),
                    NodeIndex::new(edge.to.index()),
                    (),
                );
            }
        }
        let mut component = vec![0; self.len()];
        let mut firsts: Vec<NodeIndex> = Vec::new();
        for (number, nodes) in kosaraju_scc(&graph).iter().enumerate() {
            for node in nodes {
                component[node.index()] = number;
            }
            firsts.extend(nodes.iter().min());
        }
        firsts.sort();
        firsts
            .into_iter()
            .filter_map(|node| self.shortest_cycle(JobId::from_index(node.index()), &component))
            .collect()
    }

    /// A shortest way from `start` back to itself (breadth first), within its component.
    fn shortest_cycle(&self, start: JobId, component: &[usize]) -> Option<Cycle> {
        let mut came_from: HashMap<JobId, JobId> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(job) = queue.pop_front() {
            for edge in self.edges(job) {
                if edge.to == start {
                    let back = std::iter::successors(Some(job), |at| came_from.get(at).copied());
                    let mut path: Vec<JobId> = back.collect();
                    path.reverse();
                    return Some(Cycle(path));
                }
                let same = component[edge.to.index()] == component[start.index()];
                if same && !came_from.contains_key(&edge.to) {
                    came_from.insert(edge.to, job);
                    queue.push_back(edge.to);
                }
            }
        }
        None
    }
}
