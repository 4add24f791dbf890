//! Parts into a table of their own, by one load job.
//!
//! The job's id follows from what it loads, so that whoever loads the same finds the same job. An id is
//! used up even by a job that failed: the next try adds one to its attempt. Each attempt has its own
//! table, which goes when its rows are where they belong, or after a day.

use std::time::Duration;

use anyhow::anyhow;
use gcp_bigquery_client::model::job::Job;
use gcp_bigquery_client::model::job_configuration::JobConfiguration;
use gcp_bigquery_client::model::job_configuration_load::JobConfigurationLoad;
use gcp_bigquery_client::model::job_reference::JobReference;
use gcp_bigquery_client::model::job_status::JobStatus;
use gcp_bigquery_client::model::table_reference::TableReference;
use schemas::ddl::{DATASET, Dialect};
use schemas::{Column, ColumnType, Table};
use tokio::time::Instant;

use super::Inner;
use super::failure::{Complaint, complaint, port_error};
use super::query::Query;
use crate::google::failure::Effect;
use crate::ports::{PortError, PortResult};

/// Most files of one load job.
/// <https://cloud.google.com/bigquery/quotas#load_jobs>
pub(super) const MAX_URIS: usize = 10_000;
/// Most attempts of one load, over all processes and for all time; each is a job that ran and failed.
const MAX_ATTEMPTS: u32 = 100;
/// How long a load job may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// First pause between two looks at a running job; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Hours a table of staged rows is kept when nobody removes it.
const KEPT_HOURS: u32 = 24;

/// Staged rows.
pub(super) struct Stage {
    /// Name of their table.
    pub(super) table: String,
    /// Whether this call's own job put them there.
    pub(super) own: bool,
}

/// What is to be staged.
pub(super) struct Parts<'a> {
    pub(super) table: Table,
    /// Says what is loaded: the same for the same rows, another for others.
    pub(super) digest: String,
    pub(super) uris: &'a [String],
    pub(super) rows: i64,
    pub(super) attempted: &'a str,
}

/// How a job ended.
enum Ended {
    Well,
    Failed(Complaint),
}

impl Inner {
    /// The stage with the parts in it: that of an earlier call, or that of a job of this one. None where
    /// an earlier job's rows are gone, and its stage with them: then somebody may have finished the load.
    pub(super) async fn stage(&self, parts: &Parts<'_>, after: &mut u32) -> PortResult<Option<Stage>> {
        while *after < MAX_ATTEMPTS {
            let id = format!("podledger_{}_{}_{after}", parts.table, parts.digest);
            let stage = format!("podledger_stage_{}_{}_{after}", parts.table, parts.digest);
            *after += 1;
            self.create_stage(parts, &stage).await?;
            let inserted = self.insert_load(parts, &id, &stage).await?;
            let own = inserted.is_some();
            match self.ended(parts, &id, inserted).await? {
                Ended::Well if own || self.holds(parts, &stage).await? => {
                    return Ok(Some(Stage { table: stage, own }));
                }
                Ended::Well => return Ok(None),
                Ended::Failed(complaint) if own => {
                    self.drop_stage(&stage).await;
                    return Err(complaint.into_error(format!("{}, job {id}", parts.attempted), Effect::Write));
                }
                Ended::Failed(complaint) => {
                    tracing::info!(job = id, complaint = %complaint, "an earlier load job failed, its successor is next");
                }
            }
        }
        let reason = anyhow!("{MAX_ATTEMPTS} load jobs for it failed before this one");
        Err(PortError::did_not_happen(parts.attempted, reason))
    }

    /// Removes a stage. It would go by itself, so that a failure is no more than said.
    pub(super) async fn drop_stage(&self, stage: &str) {
        if let Err(error) = self.queries.client.table().delete(&self.project, &self.dataset, stage).await
            && !complaint(&error).is_some_and(|complaint| complaint.is_not_found())
        {
            tracing::warn!(stage, %error, "a table of staged rows stays until it expires");
        }
    }

    async fn create_stage(&self, parts: &Parts<'_>, stage: &str) -> PortResult<()> {
        let columns: Vec<String> = parts.table.columns().iter().map(staged_column).collect();
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {DATASET}.{} ({}) OPTIONS(expiration_timestamp = \
             TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {KEPT_HOURS} HOUR))",
            Dialect::BigQuery.quote(stage),
            columns.join(", ")
        );
        // Of no effect on the tables of rows, so that an answer that got lost leaves nothing in doubt.
        let create = Query::reading(format!("{}, create {stage}", parts.attempted), sql);
        match self.queries.run(&create).await {
            Ok(_) => Ok(()),
            Err(failed) if failed.complaint.as_ref().is_some_and(Complaint::is_duplicate) => Ok(()),
            Err(failed) => Err(failed.error),
        }
    }

    /// Submits the job; none where its id is taken.
    async fn insert_load(&self, parts: &Parts<'_>, id: &str, stage: &str) -> PortResult<Option<Job>> {
        let load = JobConfigurationLoad {
            source_uris: Some(parts.uris.to_vec()),
            source_format: Some("AVRO".to_owned()),
            use_avro_logical_types: Some(true),
            destination_table: Some(TableReference::new(&self.project, &self.dataset, stage)),
            create_disposition: Some("CREATE_NEVER".to_owned()),
            write_disposition: Some("WRITE_APPEND".to_owned()),
            max_bad_records: Some(0),
            ..JobConfigurationLoad::default()
        };
        let job = Job {
            job_reference: Some(self.reference(id).await?),
            configuration: Some(JobConfiguration { load: Some(load), ..JobConfiguration::default() }),
            ..Job::default()
        };
        match self.queries.client.job().insert(&self.project, job).await {
            Ok(job) => Ok(Some(job)),
            Err(error) if complaint(&error).is_some_and(|complaint| complaint.is_duplicate()) => Ok(None),
            Err(error) => Err(port_error(format!("{}, job {id}", parts.attempted), Effect::Write, error)),
        }
    }

    async fn reference(&self, id: &str) -> PortResult<JobReference> {
        Ok(JobReference {
            job_id: Some(id.to_owned()),
            location: self.queries.location().await?,
            project_id: Some(self.project.clone()),
        })
    }

    /// Waits for a job's end: the one just submitted, or the one that has its id.
    async fn ended(&self, parts: &Parts<'_>, id: &str, mut job: Option<Job>) -> PortResult<Ended> {
        let attempted = format!("{}, look at job {id}", parts.attempted);
        let location = self.queries.location().await?;
        let (deadline, mut pause) = (Instant::now() + PATIENCE, FIRST_PAUSE);
        loop {
            let current = match job.take() {
                Some(job) => job,
                None => self
                    .queries
                    .client
                    .job()
                    .get_job(&self.project, id, location.as_deref())
                    .await
                    .map_err(|error| after_submission(port_error(&attempted, Effect::None, error)))?,
            };
            if let Some(ended) = end_of(&current.status.unwrap_or_default(), id) {
                return Ok(ended);
            }
            if Instant::now() >= deadline {
                let reason = anyhow!("it was not done after {PATIENCE:?}");
                return Err(PortError::may_have_happened(attempted, reason));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether an earlier job's rows are still in its stage, all of them.
    async fn holds(&self, parts: &Parts<'_>, stage: &str) -> PortResult<bool> {
        let sql = format!("SELECT COUNT(*) FROM {DATASET}.{}", Dialect::BigQuery.quote(stage));
        let count = Query::reading(format!("{}, count the rows of {stage}", parts.attempted), sql);
        match self.queries.run(&count).await {
            Ok(rows) => Ok(super::cell::number(&rows) == Some(parts.rows)),
            Err(failed) if failed.complaint.as_ref().is_some_and(Complaint::is_not_found) => Ok(false),
            Err(failed) => Err(failed.error),
        }
    }
}

/// Whether a job has ended, and how. Complaints of one that ended well are warnings.
fn end_of(status: &JobStatus, id: &str) -> Option<Ended> {
    if status.state.as_deref() != Some("DONE") {
        return None;
    }
    let errors = status.errors.as_deref().unwrap_or_default();
    if let Some(complaint) =
        status.error_result.as_ref().and_then(|error| Complaint::first(std::slice::from_ref(error)))
    {
        // The first of the list often names the file, where the result only counts.
        let told = errors.iter().find_map(|error| Complaint::first(std::slice::from_ref(error)));
        return Some(Ended::Failed(complaint.with(told)));
    }
    if let Some(warning) = Complaint::first(errors) {
        tracing::warn!(job = id, %warning, count = errors.len(), "a load job ended well and complains");
    }
    Some(Ended::Well)
}

/// Not knowing how a job stands says nothing about it, and it runs on.
fn after_submission(error: PortError) -> PortError {
    match error {
        PortError::DidNotHappen { attempted, source } => PortError::MayHaveHappened { attempted, source },
        other => other,
    }
}

/// A column of a stage, as the files have it: JSON is text there.
fn staged_column(column: &Column) -> String {
    let dialect = Dialect::BigQuery;
    let type_name = match column.column_type {
        ColumnType::Json => dialect.type_name(ColumnType::String),
        other => dialect.type_name(other),
    };
    let required = !column.nullable && column.column_type != ColumnType::Conditions;
    format!("{} {type_name}{}", dialect.quote(&column.name), if required { " NOT NULL" } else { "" })
}
