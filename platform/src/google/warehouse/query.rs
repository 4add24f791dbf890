//! Statements and scripts: run, waited for, and read to the last page.

use std::time::Duration;

use anyhow::anyhow;
use gcp_bigquery_client::Client;
use gcp_bigquery_client::model::data_format_options::DataFormatOptions;
use gcp_bigquery_client::model::get_query_results_parameters::GetQueryResultsParameters;
use gcp_bigquery_client::model::job_reference::JobReference;
use gcp_bigquery_client::model::query_parameter::QueryParameter;
use gcp_bigquery_client::model::query_request::QueryRequest;
use gcp_bigquery_client::model::query_response::QueryResponse;
use gcp_bigquery_client::model::table_row::TableRow;
use schemas::ddl::in_dataset;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::failure::{Complaint, complaint, port_error};
use crate::google::failure::Effect;
use crate::ports::{PortError, PortResult};

/// How long the service waits for a statement's end before it answers that it goes on, in milliseconds.
const ANSWER_AFTER_MS: i32 = 20_000;
/// Longest a statement may take in all.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// Most rows of one answer that are held: a bound on memory, far above what any question gives.
const MAX_ROWS: usize = 5_000_000;

/// Statements against one dataset.
pub(super) struct Queries {
    pub(super) client: Client,
    pub(super) project: String,
    pub(super) dataset: String,
    /// `PROJECT.DATASET`, as statements and people name it.
    pub(super) shown: String,
    /// Where the dataset is; none where it does not say.
    pub(super) location: OnceCell<Option<String>>,
    /// Rows of one page of an answer.
    pub(super) page_rows: i32,
}

/// One statement or script.
pub(super) struct Query {
    /// What it is for, for errors.
    pub(super) attempted: String,
    /// With the placeholder of the dataset.
    pub(super) sql: String,
    pub(super) parameters: Vec<QueryParameter>,
    pub(super) effect: Effect,
}

/// Why a statement failed: what the service complained of, where it answered, and the port's error.
pub(super) struct Failed {
    pub(super) complaint: Option<Complaint>,
    pub(super) error: PortError,
}

impl From<Failed> for PortError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

impl Query {
    /// A question: it changes nothing.
    pub(super) fn reading(attempted: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { attempted: attempted.into(), sql: sql.into(), parameters: Vec::new(), effect: Effect::None }
    }

    /// What changes something.
    pub(super) fn writing(attempted: impl Into<String>, sql: impl Into<String>) -> Self {
        Self { effect: Effect::Write, ..Self::reading(attempted, sql) }
    }

    /// The same with parameters.
    #[must_use]
    pub(super) fn with(self, parameters: Vec<QueryParameter>) -> Self {
        Self { parameters, ..self }
    }

    fn failed(&self, complaint: Complaint) -> Failed {
        Failed { error: complaint.clone().into_error(&self.attempted, self.effect), complaint: Some(complaint) }
    }

    fn failed_call(&self, error: gcp_bigquery_client::error::BQError) -> Failed {
        Failed { complaint: complaint(&error), error: port_error(&self.attempted, self.effect, error) }
    }

    /// It may go on when nobody waits for it any more.
    fn in_doubt(&self, reason: anyhow::Error) -> Failed {
        let error = match self.effect {
            Effect::None => PortError::did_not_happen(&self.attempted, reason),
            Effect::Write => PortError::may_have_happened(&self.attempted, reason),
        };
        Failed { complaint: None, error }
    }
}

impl Queries {
    /// Where the dataset is. Jobs must be there, and elsewhere than in the United States and the EU they
    /// are not found without saying so.
    pub(super) async fn location(&self) -> PortResult<Option<String>> {
        let ask = || async {
            let dataset = self.client.dataset().get(&self.project, &self.dataset).await;
            let attempted = || format!("ask where {} is", self.shown);
            dataset.map(|dataset| dataset.location).map_err(|error| port_error(attempted(), Effect::None, error))
        };
        self.location.get_or_try_init(ask).await.cloned()
    }

    /// Runs to the end and gives all rows, in order. Of a script they are those of its last statement.
    pub(super) async fn run(&self, query: &Query) -> Result<Vec<TableRow>, Failed> {
        let deadline = Instant::now() + PATIENCE;
        let mut page = self.start(query).await?;
        let job = page.job_reference.take().unwrap_or_default();
        let (mut rows, mut token) = (Vec::new(), None);
        loop {
            // Complaints come with answers that are otherwise good, too.
            if let Some(complaint) = page.errors.as_deref().and_then(Complaint::first) {
                return Err(query.failed(complaint));
            }
            if page.job_complete.unwrap_or(false) {
                rows.extend(page.rows.take().unwrap_or_default());
                if rows.len() > MAX_ROWS {
                    let reason = anyhow!("the answer has more than {MAX_ROWS} rows");
                    return Err(Failed { complaint: None, error: PortError::never_will(&query.attempted, reason) });
                }
                token = page.page_token.take().filter(|token| !token.is_empty());
                if token.is_none() {
                    return Ok(rows);
                }
            } else if Instant::now() >= deadline {
                return Err(query.in_doubt(anyhow!("it was not done after {PATIENCE:?}")));
            }
            page = self.next(query, &job, token.clone()).await?;
        }
    }

    /// Asks, and waits a while.
    async fn start(&self, query: &Query) -> Result<QueryResponse, Failed> {
        let sql = in_dataset(&query.sql, &self.shown)
            .map_err(|error| Failed { complaint: None, error: PortError::never_will(&query.attempted, error) })?;
        let location = self.location().await.map_err(|error| Failed { complaint: None, error })?;
        let mut request = QueryRequest::new(sql);
        request.location = location;
        request.max_results = Some(self.page_rows);
        request.timeout_ms = Some(ANSWER_AFTER_MS);
        request.use_query_cache = Some(false);
        // Later pages come with seconds all the same: the client cannot ask for microseconds there.
        request.format_options = Some(DataFormatOptions { use_int64_timestamp: Some(true) });
        if !query.parameters.is_empty() {
            request.parameter_mode = Some("NAMED".to_owned());
            request.query_parameters = Some(query.parameters.clone());
        }
        let answer = self.client.job().query(&self.project, request).await;
        answer.map_err(|error| query.failed_call(error))
    }

    /// The next page, or the first one of a statement that was still running.
    async fn next(&self, query: &Query, job: &JobReference, token: Option<String>) -> Result<QueryResponse, Failed> {
        let Some(id) = job.job_id.as_deref() else {
            return Err(query.in_doubt(anyhow!("the answer was not whole and named no job to ask about")));
        };
        let parameters = GetQueryResultsParameters {
            location: job.location.clone(),
            max_results: Some(self.page_rows),
            page_token: token,
            timeout_ms: Some(ANSWER_AFTER_MS),
            ..GetQueryResultsParameters::default()
        };
        let answer = self.client.job().get_query_results(&self.project, id, parameters).await;
        Ok(answer.map_err(|error| query.failed_call(error))?.into())
    }
}
