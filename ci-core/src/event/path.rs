//! The longest path through the jobs of a plan.

use std::collections::HashMap;
use std::time::Duration;

use super::JobInfo;

/// The path of jobs that takes longest when each job waits for those it needs and takes what `weight`
/// says: its duration and the places of its jobs in `jobs`, first job first. Needs that are no jobs of
/// the plan are passed over, and so are jobs that wait for themselves.
pub(crate) fn longest(
    jobs: &[JobInfo],
    weight: impl Fn(usize) -> Duration,
) -> (Duration, Vec<usize>) {
    let places: HashMap<&str, usize> = jobs
        .iter()
        .enumerate()
        .map(|(place, job)| (&*job.name, place))
        .collect();
    let mut missing = vec![0_usize; jobs.len()];
    let mut after = vec![Vec::new(); jobs.len()];
    for (place, job) in jobs.iter().enumerate() {
        for need in job.needs.iter().filter_map(|need| places.get(&**need)) {
            missing[place] += 1;
            after[*need].push(place);
        }
    }
    // Each job after those it needs (Kahn's order): its longest path is theirs and itself.
    let mut ready: Vec<usize> = (0..jobs.len())
        .filter(|&place| missing[place] == 0)
        .collect();
    let mut reach: Vec<(Duration, Option<usize>)> = vec![(Duration::ZERO, None); jobs.len()];
    let mut best: Option<(Duration, usize)> = None;
    while let Some(place) = ready.pop() {
        let total = reach[place].0 + weight(place);
        reach[place].0 = total;
        if best.is_none_or(|(longest, _)| total > longest) {
            best = Some((total, place));
        }
        for &next in &after[place] {
            if reach[next].1.is_none() || total > reach[next].0 {
                reach[next] = (total, Some(place));
            }
            missing[next] -= 1;
            if missing[next] == 0 {
                ready.push(next);
            }
        }
    }
    let Some((total, last)) = best else {
        return (Duration::ZERO, Vec::new());
    };
    let mut path: Vec<usize> = std::iter::successors(Some(last), |&place| reach[place].1).collect();
    path.reverse();
    (total, path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::info;
    use super::*;

    fn seconds(weights: &[u64]) -> impl Fn(usize) -> Duration {
        |place| Duration::from_secs(weights[place])
    }

    #[test]
    fn the_slower_side_of_a_diamond() {
        let jobs = [
            info("end", &["left", "right", "elsewhere"], 1),
            info("left", &["start"], 1),
            info("right", &["start"], 1),
            info("start", &[], 1),
            info("self", &["self"], 1),
        ];
        let found = longest(&jobs, seconds(&[1, 5, 3, 2, 100]));
        assert_eq!(found, (Duration::from_secs(8), vec![3, 1, 0]));
        assert_eq!(longest(&[], seconds(&[])), (Duration::ZERO, Vec::new()));
    }

    proptest! {
        #[test]
        fn agrees_with_trying_every_path(
            needs in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..8),
            weights in prop::collection::vec(0..100_u64, 8),
        ) {
            let names: Vec<String> = (0..needs.len()).map(|n| n.to_string()).collect();
            let mut jobs = Vec::new();
            for (place, needs) in needs.iter().enumerate() {
                let earlier: Vec<&str> = match place {
                    0 => Vec::new(),
                    _ => needs.iter().map(|n| &*names[n.index(place)]).collect(),
                };
                jobs.push(info(&names[place], &earlier, 1));
            }
            let mut reach: Vec<u64> = Vec::new();
            for (place, job) in jobs.iter().enumerate() {
                let before = job.needs.iter().map(|n| reach[n.parse::<usize>().unwrap()]).max();
                reach.push(before.unwrap_or(0) + weights[place]);
            }
            let (total, path) = longest(&jobs, seconds(&weights));
            prop_assert_eq!(total.as_secs(), reach.into_iter().max().unwrap());
            let along: u64 = path.iter().map(|&place| weights[place]).sum();
            prop_assert_eq!(total.as_secs(), along);
            for pair in path.windows(2) {
                prop_assert!(jobs[pair[1]].needs.contains(&jobs[pair[0]].name));
            }
        }
    }
}
