//! The conformance suite of the [`Objects`] port: one function for each case, run against every adapter.
//!
//! Used as [`crate::records`] is, with [`objects_suite!`](crate::objects_suite).

mod listing;
mod signed;
mod values;
mod writers;

pub use listing::*;
pub use signed::*;
pub use values::*;
pub use writers::*;

use std::any::Any;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use mandi_core::TenantId;
use mandi_core::ids::CallId;
use mandi_core::ports::{ObjectKey, ObjectPrefix, Objects};

use crate::tenant;

/// What a store does with an object whose key has an empty part (two slashes that follow each other).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyParts {
    /// As the port says: it is a key like any other.
    Kept,
    /// It takes them for another key, for the stated reason.
    Unreliable(&'static str),
}

/// Where a store is allowed to differ from the port, and why.
#[derive(Clone, Copy, Debug)]
pub struct Differences {
    /// Keys with empty parts.
    pub empty_parts: EmptyParts,
}

/// What a signed URL gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The object.
    pub content: Bytes,
    /// The HTTP `Content-Type`.
    pub content_type: String,
    /// The HTTP `Content-Disposition`.
    pub content_disposition: String,
}

/// Who follows signed URLs as a client without a token does.
#[async_trait]
pub trait Fetch: Send + Sync + std::fmt::Debug {
    /// Reads from a URL by the method GET; `None` when it is refused or there is nothing.
    async fn fetch(&self, url: &str) -> Option<Fetched>;
}

/// A store under test.
#[derive(Debug)]
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn Objects>,
    /// Who reads from its signed URLs.
    pub fetch: Arc<dyn Fetch>,
    /// Where it may differ.
    pub differences: Differences,
    /// How many tasks write at once in the concurrent cases; emulators are slow.
    pub writers: usize,
    /// What has to live as long as the store: a folder, a server.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// A place for the keys of one case.
#[derive(Clone, Debug)]
struct Place {
    tenant: TenantId,
    case: String,
}

impl Place {
    fn fresh() -> Self {
        Self { tenant: tenant("conformance"), case: CallId::generate().to_string() }
    }

    fn key(&self, parts: &[&str]) -> ObjectKey {
        ObjectKey::of(&self.tenant, &[&[self.case.as_str()], parts].concat())
    }

    fn prefix(&self, parts: &[&str]) -> ObjectPrefix {
        ObjectPrefix::of(&self.tenant, &[&[self.case.as_str()], parts].concat())
    }
}

/// Makes one test of each case of the suite. The argument names an `async fn() -> objects::Fixture`.
#[macro_export]
macro_rules! objects_suite {
    ($make:path) => {
        $crate::conformance_tests! { $make; objects;
            an_object_is_read_back_as_it_was_written
            an_absent_object_is_none
            a_put_replaces_the_object
            an_object_of_several_megabytes_is_kept
            a_range_is_cut_out_of_the_object
            a_range_outside_the_object_says_its_size
            an_object_says_its_size
            put_if_absent_leaves_what_is_there
            put_if_absent_writes_again_after_a_delete
            only_one_of_many_put_if_absent_wins
            a_reader_sees_a_whole_object_while_it_is_replaced
            deleting_an_absent_object_is_no_error
            a_writer_makes_an_object_of_its_pieces
            a_writer_without_pieces_makes_an_empty_object
            a_writer_of_many_megabytes_keeps_every_byte
            a_writer_replaces_the_object_only_when_it_finishes
            a_writer_that_is_aborted_leaves_what_was_there
            a_writer_that_is_dropped_leaves_what_was_there
            a_writer_refuses_a_key_that_is_too_long
            a_reader_sees_a_whole_object_while_writers_replace_it
            a_signed_url_gives_the_object_with_its_name_and_type
            a_signed_url_gives_an_empty_object
            a_signed_url_of_an_absent_object_gives_nothing
            a_listing_has_the_keys_under_its_prefix_in_the_order_of_bytes
            a_listing_covers_whole_parts_only
            pages_of_a_listing_follow_each_other
            a_deleted_object_is_gone_from_the_listing
            a_key_may_be_an_object_and_the_beginning_of_others
            keys_of_awkward_bytes_are_told_apart_and_listed
            a_key_of_the_longest_length_is_kept_and_one_byte_more_is_refused
        }
    };
}
