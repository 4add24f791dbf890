//! What every warehouse promises, as functions that any adapter can be held to.
//!
//! [`contract`] runs all of them; each is public, so that an adapter's tests can run one alone. A
//! broken promise panics, as a failed test does. Nothing here knows SQL.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed unwrap is a broken promise.

pub mod history;
pub mod limits;
pub mod loading;
pub mod parts;
pub mod questions;
pub mod rows;
pub mod upserting;

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::ports::{Objects, Warehouse};

/// An empty, prepared warehouse of its own, and the objects it loads from.
pub struct Fixture {
    /// The warehouse.
    pub warehouse: Arc<dyn Warehouse>,
    /// Where the parts lie.
    pub objects: Arc<dyn Objects>,
    /// Opens the same warehouse again, as another process would.
    pub reopen: Box<dyn Fn() -> BoxFuture<'static, Arc<dyn Warehouse>> + Send + Sync>,
}

/// Holds what `make` makes to every promise; each gets a fixture of its own.
pub async fn contract(make: impl AsyncFn() -> Fixture) {
    loading::a_load_is_all_or_nothing(&make().await).await;
    loading::the_same_job_twice_loads_once(&make().await).await;
    loading::overlapping_jobs_load_each_snapshot_once(&make().await).await;
    loading::a_higher_revision_replaces_and_a_lower_one_is_ignored(&make().await).await;
    loading::a_part_of_a_past_version_loads_with_nulls(&make().await).await;
    loading::text_of_any_kind_comes_back_as_it_was(&make().await).await;
    loading::an_empty_snapshot_is_loaded_too(&make().await).await;
    loading::a_row_of_another_snapshot_or_table_is_refused(&make().await).await;
    upserting::the_same_row_twice_is_one_row(&make().await).await;
    upserting::the_order_of_upserts_does_not_matter(&make).await;
    upserting::a_batch_of_upserts_is_all_or_nothing(&make().await).await;
    upserting::rejects_are_replaced_by_part(&make().await).await;
    limits::a_limit_holds_from_its_moment_on(&make().await).await;
    limits::a_declaration_for_the_cluster_wins(&make().await).await;
    limits::a_retired_declaration_ends_its_own_scope(&make().await).await;
    limits::any_order_of_arrival_gives_the_same_history(&make).await;
    limits::the_newest_change_of_each_number_is_found(&make().await).await;
    questions::rows_of_a_table_come_typed_and_ordered(&make().await).await;
    questions::unknown_tables_are_refused(&make().await).await;
    questions::episodes_show_their_newest_transition(&make().await).await;
    questions::notifications_of_one_snapshot_are_found(&make().await).await;
    questions::conservation_says_what_does_not_add_up(&make().await).await;
    questions::preparing_twice_and_opening_again_lose_nothing(&make().await).await;
}
