//! Guesses from history how long the rest of a run will take.

use std::time::Duration;

use crate::event::JobInfo;
use crate::event::path::longest;

/// Larger plans are not estimated: it would be done anew for every picture.
const LARGEST_PLAN: usize = 2000;

/// How long the rest takes when `left` says what each job still needs, and `slots` of them run at
/// once: as long as the longest path, and no shorter than the slots need for all the work.
/// `None` where a job is not known to history.
pub(super) fn rest(
    plan: &[JobInfo],
    slots: usize,
    left: impl Fn(&JobInfo) -> Option<Duration>,
) -> Option<Duration> {
    if plan.is_empty() || plan.len() > LARGEST_PLAN {
        return None;
    }
    let left: Vec<Duration> = plan.iter().map(left).collect::<Option<_>>()?;
    let (path, _) = longest(plan, |place| left[place]);
    let work: Duration = left.iter().sum();
    let slots = u32::try_from(slots.max(1)).unwrap_or(u32::MAX);
    Some(path.max(work / slots))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::fixtures::info;

    #[test]
    fn the_path_or_the_work_whichever_is_longer() {
        let plan = [info("a", &[], 1), info("b", &["a"], 1), info("c", &[], 1)];
        let ten = |_: &JobInfo| Some(Duration::from_secs(10));
        assert_eq!(rest(&plan, 2, ten), Some(Duration::from_secs(20)));
        assert_eq!(rest(&plan, 1, ten), Some(Duration::from_secs(30)));
        assert_eq!(rest(&plan, 0, ten), Some(Duration::from_secs(30)));
        let unknown = |job: &JobInfo| (&*job.name != "b").then_some(Duration::ZERO);
        assert_eq!(rest(&plan, 2, unknown), None);
        assert_eq!(rest(&[], 2, ten), None);
    }
}
