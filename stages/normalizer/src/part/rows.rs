//! The Avro file of a kind's rows.

use platform::ports::Kind;
use schemas::{GkeClusters, GkeDeployments, GkeNodes, GkePods, HpaData, RowWriter, RowsError};

use crate::firestore::DocumentWriter;
use crate::map::Rows;

/// Writes the rows of one kind.
pub(super) enum Writer {
    Pods(RowWriter<GkePods>),
    Deployments(RowWriter<GkeDeployments>),
    Autoscalers(RowWriter<HpaData>),
    Nodes(RowWriter<GkeNodes>),
    Clusters(RowWriter<GkeClusters>),
    Documents(DocumentWriter),
    /// The kind has no table.
    NoTable,
}

impl Writer {
    pub(super) fn new(kind: Kind) -> Result<Self, RowsError> {
        Ok(match kind {
            Kind::Pods => Self::Pods(RowWriter::new()?),
            Kind::Deployments => Self::Deployments(RowWriter::new()?),
            Kind::HorizontalPodAutoscalers => Self::Autoscalers(RowWriter::new()?),
            Kind::Nodes => Self::Nodes(RowWriter::new()?),
            Kind::Clusters => Self::Clusters(RowWriter::new()?),
            Kind::Documents => Self::Documents(DocumentWriter::new(None)?),
            Kind::Collection(collection) => Self::Documents(DocumentWriter::new(Some(collection))?),
            Kind::ReplicaSets | Kind::Unreadable => Self::NoTable,
        })
    }

    /// Writes the rows of one object. Rows come from the same kind as the writer does.
    pub(super) fn push(&mut self, rows: &Rows) -> Result<(), RowsError> {
        match (self, rows) {
            (Self::Pods(writer), Rows::Pod(row)) => writer.push(row),
            (Self::Deployments(writer), Rows::Deployment(row)) => writer.push(row),
            (Self::Autoscalers(writer), Rows::Autoscaler(rows)) => rows.iter().try_for_each(|row| writer.push(row)),
            (Self::Nodes(writer), Rows::Node(row)) => writer.push(row),
            (Self::Clusters(writer), Rows::Cluster(row)) => writer.push(row),
            (Self::Documents(writer), Rows::Document(row)) => writer.push(row),
            (Self::NoTable, Rows::ReplicaSet { .. }) => Ok(()),
            (_, rows) => unreachable!("rows of {:?} in the writer of another kind", rows.table()),
        }
    }

    /// Rows so far.
    pub(super) const fn count(&self) -> u64 {
        match self {
            Self::Pods(writer) => writer.count(),
            Self::Deployments(writer) => writer.count(),
            Self::Autoscalers(writer) => writer.count(),
            Self::Nodes(writer) => writer.count(),
            Self::Clusters(writer) => writer.count(),
            Self::Documents(writer) => writer.count(),
            Self::NoTable => 0,
        }
    }

    /// The file; none where the kind has no table.
    pub(super) fn finish(self) -> Result<Option<Vec<u8>>, RowsError> {
        match self {
            Self::Pods(writer) => writer.finish().map(Some),
            Self::Deployments(writer) => writer.finish().map(Some),
            Self::Autoscalers(writer) => writer.finish().map(Some),
            Self::Nodes(writer) => writer.finish().map(Some),
            Self::Clusters(writer) => writer.finish().map(Some),
            Self::Documents(writer) => writer.finish().map(Some),
            Self::NoTable => Ok(None),
        }
    }
}
