//! The tests: each function of the suite for each store, and the properties.

use super::kit::Pair;

/// Makes a test of each function for each store.
macro_rules! contract {
    ($($module:ident::$name:ident),* $(,)?) => {
        mod memory {
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    super::super::$module::$name(super::Pair::memory()).await;
                }
            )*
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    super::super::$module::$name(super::Pair::sqlite()).await;
                }
            )*
        }
    };
}

contract!(
    journal::a_run_comes_back_as_it_was_made,
    journal::what_was_appended_is_there_for_others_when_the_commit_is_ready,
    journal::what_nobody_waits_for_comes_before_what_is_waited_for,
    journal::the_end_of_jobs_and_of_the_run_is_summed_up,
    journal::listings_are_newest_first_and_filtered,
    journal::the_usual_duration_is_the_median_of_the_latest_successes,
    journal::ended_runs_are_pruned_by_age_and_number,
    ownership::an_unknown_run_is_not_found,
    ownership::a_run_has_one_living_owner,
    ownership::a_run_of_a_silent_owner_can_be_taken_over,
    ownership::a_run_that_is_taken_over_keeps_its_end_for_good,
    ownership::who_lost_a_run_appends_nothing,
    ownership::requests_come_in_order_and_once,
    groups::a_mutex_holds_across_handles,
    groups::a_counted_group_has_so_many_places,
    groups::the_places_of_a_disowned_owner_are_free,
    groups::a_silent_holder_loses_its_place_and_is_told,
    groups::runs_of_the_dead_are_told_until_their_places_are_taken,
    groups::who_takes_a_run_over_has_its_places,
    groups::heartbeats_keep_a_place,
    groups::an_old_lease_does_not_free_a_new_one,
    logs::lines_come_back_by_job_attempt_and_step,
    marks::a_mark_moves_only_from_where_it_is,
    marks::of_many_who_move_a_mark_one_does,
    logs::a_reader_goes_on_where_it_was,
    reports::tests_come_back_as_they_were_kept,
    reports::only_the_owner_of_a_run_keeps_its_tests,
    reports::queries_choose_runs_and_jobs,
    reports::a_query_before_a_run_has_the_same_answer_while_it_goes_on,
    reports::coverage_is_summed_up_from_the_journal,
    reports::pruned_runs_leave_no_reports,
);

mod properties {
    use proptest::prelude::*;

    use super::super::kit::{Pair, block_on};
    use super::super::{groups, journal};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_journal_written_in_batches_reads_back_the_same(
            batches in journal::batches(), memory: bool
        ) {
            block_on(journal::batches_read_back(Pair::of(memory), batches))?;
        }

        #[test]
        fn groups_behave_as_their_model(
            acts in prop::collection::vec(groups::act(), 1..40), memory: bool
        ) {
            block_on(groups::follows_the_model(Pair::of(memory), acts))?;
        }
    }
}
