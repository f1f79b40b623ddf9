//! The conformance suite of the [`Records`] port: one function for each case, run against every adapter.
//!
//! An adapter's test makes a [`Fixture`] and hands its maker to [`records_suite!`](crate::records_suite),
//! which makes one test of each case. Every case works in partitions of its own, so that all of them may
//! share one table. Where an adapter or its emulator cannot do what the port says, the fixture says so in
//! [`Differences`], with the reason, and the case checks what holds instead.

mod concurrency;
mod conditions;
mod expiry;
mod keys;
mod queries;
mod sizes;
mod transactions;

pub use concurrency::*;
pub use conditions::*;
pub use expiry::*;
pub use keys::*;
pub use queries::*;
pub use sizes::*;
pub use transactions::*;

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use mandi_core::ids::CallId;
use mandi_core::ports::{Key, Partition, Record, Records, RecordsError};
use mandi_core::time::FixedClock;

use crate::tenant;

/// Removes expired records from the store and says how many.
pub type Sweep = Box<dyn Fn() -> BoxFuture<'static, Result<usize, RecordsError>> + Send + Sync>;

/// How a store gets rid of expired records.
pub enum Removal {
    /// By this call.
    Sweep(Sweep),
    /// The service does it in its own time, which a test cannot wait for or the emulator does not do; the
    /// text says which.
    ByTheService(&'static str),
}

impl fmt::Debug for Removal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sweep(_) => formatter.write_str("Sweep"),
            Self::ByTheService(reason) => write!(formatter, "ByTheService({reason})"),
        }
    }
}

/// What a store does with a transaction token that it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepeatedToken {
    /// As the port says: the repeated call has no second effect.
    Recognised,
    /// It does the writes again, for the stated reason.
    AppliedAgain(&'static str),
}

/// What a store does with a bound of another type than the field's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MixedTypes {
    /// As the port says: the condition does not hold.
    NeverLess,
    /// It fails in a way of its own, for the stated reason.
    Unreliable(&'static str),
}

/// Where a store is allowed to differ from the port, and why.
#[derive(Debug)]
pub struct Differences {
    /// How expired records leave the store.
    pub removal: Removal,
    /// What a repeated transaction token does.
    pub repeated_token: RepeatedToken,
    /// What comparing a number with a text does.
    pub mixed_types: MixedTypes,
}

/// A store under test.
#[derive(Debug)]
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn Records>,
    /// The clock that the store reads.
    pub clock: Arc<FixedClock>,
    /// Where it may differ.
    pub differences: Differences,
    /// How many tasks write at once in the concurrent cases; emulators are slow.
    pub writers: usize,
    /// What has to live as long as the store: a folder, a server.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// A partition that no other case uses.
#[must_use]
pub fn fresh_partition() -> Partition {
    Partition::of(&tenant("conformance"), &["case", CallId::generate().as_str()])
}

/// A record under a key of `partition`.
fn record(partition: &Partition, sort: &str) -> Record {
    Record::new(Key::new(partition.clone(), sort))
}

/// The failed write's place, or a panic that shows what came instead.
#[track_caller]
fn failed_write<T: fmt::Debug>(outcome: Result<T, RecordsError>) -> usize {
    match outcome {
        Err(RecordsError::ConditionFailed { write }) => write,
        other => panic!("expected a failed condition, got {other:?}"),
    }
}

/// Makes one test of each case of the suite. The argument names an `async fn() -> records::Fixture`.
#[macro_export]
macro_rules! records_suite {
    ($make:path) => {
        $crate::conformance_tests! { $make; records;
            a_put_record_is_read_back_with_every_type_of_value
            a_put_replaces_the_whole_record
            a_conditional_put_is_done_only_when_its_condition_holds
            an_update_with_the_version_it_read_succeeds_once
            an_update_sets_adds_and_removes_in_one_step
            an_update_of_an_absent_record_makes_it
            a_conditional_delete_leaves_the_record_when_its_condition_fails
            deleting_an_absent_record_is_no_error
            conditions_combine_with_all_and_any
            field_names_that_mean_something_to_a_store_are_plain_names
            a_transaction_does_all_of_its_writes
            a_failed_transaction_writes_nothing_and_names_the_first_failed_write
            a_check_alone_decides_a_transaction_without_writing
            a_transaction_of_a_hundred_writes_is_done_and_one_more_is_refused
            a_transaction_that_names_a_key_twice_is_refused
            a_repeated_token_has_no_second_effect
            a_token_with_other_writes_is_an_error
            a_token_of_a_failed_transaction_may_be_used_again
            a_query_reads_its_partition_in_the_order_of_bytes_both_ways
            a_query_by_prefix_reads_only_what_begins_with_it
            a_query_between_two_keys_includes_both
            pages_follow_each_other_without_gap_or_repetition
            a_cursor_outside_the_range_is_no_error
            a_query_of_an_empty_partition_is_an_empty_page
            a_deleted_record_is_gone_from_queries
            a_query_sees_a_write_that_finished_before_it
            an_expired_record_is_absent_in_get_and_query
            an_expired_record_is_absent_to_conditions
            an_update_of_an_expired_record_starts_from_nothing
            a_transaction_takes_an_expired_record_for_absent
            an_end_is_kept_to_the_second_rounded_up
            an_update_can_move_the_end
            a_page_is_filled_past_expired_records
            expired_records_are_removed
            a_record_of_300_kilobytes_is_kept
            a_record_over_the_limit_is_refused
            an_update_that_grows_a_record_over_the_limit_is_refused
            a_sort_key_of_the_longest_length_is_kept_and_one_byte_more_is_refused
            sort_keys_of_awkward_bytes_are_told_apart_and_kept_in_order
            partitions_of_awkward_parts_do_not_mix
            only_one_of_many_conditional_puts_wins
            concurrent_adds_lose_nothing
            concurrent_optimistic_updates_lose_nothing
            concurrent_transactions_keep_a_sum
        }
    };
}
