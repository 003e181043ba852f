//! A job whose machine is taken away runs once more.

use ci_core::job::{FailureClass, JobSpec, Retry, RetryOn};

/// Lets a job run once more when its machine is taken away, if it does not say so itself. The executor
/// gives the second attempt a machine that is not a spot instance.
#[must_use]
pub fn retry_interrupted(job: JobSpec) -> JobSpec {
    let interrupted = RetryOn::Class(FailureClass::Interrupted);
    let retry = &job.options.retry;
    if retry.max == 0 {
        return job.with(|options| options.retry = Retry::times(1).on(interrupted));
    }
    // No list means every failure.
    if retry.on.is_empty() || retry.on.contains(&interrupted) {
        return job;
    }
    job.with(|options| options.retry.on.push(interrupted))
}

#[cfg(test)]
mod tests {
    use ci_core::outcome::Outcome;

    use super::*;

    #[test]
    fn an_interruption_is_worth_one_more_attempt_and_nothing_else_changes() {
        let taken = Outcome::Interrupted("taken away".into());
        let failed = Outcome::InfrastructureFailure("full disk".into());
        let of = |job: JobSpec| retry_interrupted(job).options.retry.clone();
        let plain = of(JobSpec::new("job"));
        assert!(plain.wants(&taken, 1) && !plain.wants(&taken, 2));
        assert!(!plain.wants(&failed, 1));
        let all = JobSpec::new("job").with(|options| options.retry = Retry::times(2));
        assert_eq!(of(all.clone()), all.options.retry);
        let class = RetryOn::Class(FailureClass::Script);
        let some = of(all.with(|options| options.retry.on.push(class)));
        assert!(some.wants(&taken, 2) && !some.wants(&failed, 1));
    }
}
