//! A snapshot as the stages before the evaluator leave it.

use std::collections::BTreeMap;

use schemas::keys::SnapshotKeys;
use schemas::manifest::{KindManifest, Manifest, PartManifest};
use schemas::{GkeDeployments, HpaData, Purpose, RejectedRows, Row, RowBatch, RowWriter, SnapshotId, Table};

use crate::testing::minute;
use crate::testing::ports::Memory;

const DEPLOYMENTS: &str = "deployments";
const AUTOSCALERS: &str = "horizontalpodautoscalers";

/// A snapshot as the stages before leave it.
pub(super) struct Stored {
    pub(super) id: &'static str,
    pub(super) at: i64,
    pub(super) purpose: Purpose,
    /// Deployments by name and pods, per part; none at all where listing failed.
    pub(super) deployments: Option<Vec<Vec<(&'static str, i64)>>>,
    /// Ceilings by Deployment.
    pub(super) autoscalers: Option<Vec<(&'static str, i64)>>,
    /// Namespace and name of rejected Deployments.
    pub(super) rejected: Vec<&'static str>,
    pub(super) unreadable: i64,
}

impl Stored {
    pub(super) fn new(id: &'static str, at: i64, deployments: &[(&'static str, i64)]) -> Self {
        Self {
            id,
            at,
            purpose: Purpose::Scheduled,
            deployments: Some(vec![deployments.to_vec()]),
            autoscalers: Some(Vec::new()),
            rejected: Vec::new(),
            unreadable: 0,
        }
    }

    fn keys(&self) -> SnapshotKeys {
        SnapshotKeys::new("prod-uk".into(), minute(self.at), self.id.into())
    }

    fn kind(complete: bool, parts: usize, objects: i64) -> KindManifest {
        let part = |part| PartManifest { object: format!("raw-{part}"), object_count: 0, bytes: 0 };
        KindManifest {
            complete,
            gap: (!complete).then(|| "HTTP 403".to_owned()),
            api_version: String::new(),
            resource_version: String::new(),
            object_count: objects,
            excluded_count: 0,
            parts: (0..parts).map(part).collect(),
        }
    }

    /// Writes manifest and rows; the batches, in order.
    pub(super) fn store(&self, memory: &Memory) -> Vec<RowBatch> {
        let keys = self.keys();
        let deployments = self.deployments.as_ref();
        let mut kinds = BTreeMap::from([
            (DEPLOYMENTS.to_owned(), Self::kind(deployments.is_some(), deployments.map_or(0, Vec::len), 0)),
            (
                AUTOSCALERS.to_owned(),
                Self::kind(self.autoscalers.is_some(), usize::from(self.autoscalers.is_some()), 0),
            ),
            ("pods".to_owned(), Self::kind(true, 1, 0)),
        ]);
        if self.unreadable > 0 {
            kinds.insert("unreadable".to_owned(), Self::kind(true, 1, self.unreadable));
        }
        let manifest = Manifest {
            format: 1,
            snapshot_id: self.id.into(),
            cluster: "prod-uk".into(),
            attempt: 1,
            requested_at: minute(self.at),
            requested_by: "test".to_owned(),
            observed_at: minute(self.at),
            purpose: self.purpose,
            kinds,
        };
        memory.put(&keys.manifest(), serde_json::to_vec(&manifest).unwrap());
        let mut batches = vec![self.batch("pods", Table::GkePods, 0, 0, 0)];
        for (part, rows) in (0..).zip(deployments.into_iter().flatten()) {
            let rows: Vec<GkeDeployments> = rows.iter().map(|(name, pods)| self.deployment(name, *pods)).collect();
            self.put_rows(memory, part, &rows);
            let rejects = if part == 0 { i64::try_from(self.rejected.len()).unwrap() } else { 0 };
            let rows = i64::try_from(rows.len()).unwrap();
            batches.push(self.batch(DEPLOYMENTS, Table::GkeDeployments, part, rows, rejects));
        }
        if let Some(autoscalers) = &self.autoscalers {
            let rows: Vec<HpaData> =
                autoscalers.iter().map(|(name, ceiling)| self.autoscaler(name, *ceiling)).collect();
            self.put_rows(memory, 0, &rows);
            let rows = i64::try_from(rows.len()).unwrap();
            batches.push(self.batch(AUTOSCALERS, Table::HpaData, 0, rows, 0));
        }
        self.put_rejects(memory);
        batches
    }

    fn put_rows<R: Row>(&self, memory: &Memory, part: i64, rows: &[R]) {
        let mut writer = RowWriter::<R>::new().unwrap();
        rows.iter().for_each(|row| writer.push(row).unwrap());
        memory.put(&self.keys().rows_part(0, R::TABLE, part), writer.finish().unwrap());
    }

    fn put_rejects(&self, memory: &Memory) {
        let line = |object: &&str| {
            let reject = RejectedRows {
                cluster: "prod-uk".into(),
                snapshot_id: self.id.into(),
                kind: DEPLOYMENTS.to_owned(),
                table: Some("gke_deployments".to_owned()),
                object: Some((*object).to_owned()).filter(|object| !object.is_empty()),
                line: Some(0),
                reason: "replicas is \"three\"".to_owned(),
                raw_object: Some("raw".to_owned()),
                observed_at: minute(self.at),
            };
            serde_json::to_string(&reject).unwrap() + "\n"
        };
        let lines: String = self.rejected.iter().map(line).collect();
        memory.put(&self.keys().rejects_part(0, DEPLOYMENTS, 0), lines);
    }

    fn batch(&self, kind: &str, table: Table, part: i64, rows: i64, rejects: i64) -> RowBatch {
        let keys = self.keys();
        RowBatch {
            snapshot_id: self.id.into(),
            cluster: "prod-uk".into(),
            kind: kind.to_owned(),
            table: table.name().to_owned(),
            part,
            parts: 1,
            object: keys.rows_part(0, table, part),
            row_count: rows,
            object_count: rows,
            reject_object: if rejects > 0 { keys.rejects_part(0, kind, part) } else { String::new() },
            reject_count: rejects,
            observed_at: minute(self.at),
            manifest: keys.manifest(),
            purpose: self.purpose,
            revision: 0,
        }
    }

    fn deployment(&self, name: &str, pods: i64) -> GkeDeployments {
        GkeDeployments {
            cluster: "prod-uk".into(),
            snapshot_id: SnapshotId::from(self.id),
            observed_at: minute(self.at),
            namespace: "payments".to_owned(),
            name: name.to_owned(),
            uid: Some(format!("uid-{name}")),
            generation: Some(3),
            observed_generation: Some(3),
            created_at: Some(minute(-100_000)),
            desired_replicas: pods,
            actual_replicas: pods,
            ready_replicas: pods,
            available_replicas: pods,
            updated_replicas: pods,
            unavailable_replicas: 0,
            strategy: "RollingUpdate".to_owned(),
            max_surge: Some("25%".to_owned()),
            max_unavailable: Some("25%".to_owned()),
            progress_deadline_seconds: Some(600),
            paused: false,
            progressing: false,
            progressing_since: None,
            image: None,
            resource_limits_cpu: None,
            resource_limits_memory: None,
            resource_requests_cpu: None,
            resource_requests_memory: None,
            cpu_request_millicores: None,
            cpu_limit_millicores: None,
            memory_request_bytes: None,
            memory_limit_bytes: None,
            api_id: None,
            team_id: None,
            labels: None,
            conditions: Vec::new(),
        }
    }

    fn autoscaler(&self, target: &str, ceiling: i64) -> HpaData {
        HpaData {
            cluster: "prod-uk".into(),
            snapshot_id: SnapshotId::from(self.id),
            observed_at: minute(self.at),
            name: format!("{target}-hpa"),
            namespace: "payments".to_owned(),
            creation_timestamp: None,
            resource_version: None,
            uid: None,
            scale_target_kind: Some("Deployment".to_owned()),
            scale_target_name: Some(target.to_owned()),
            min_replicas: Some(1),
            max_replicas: Some(ceiling),
            metric_type: None,
            metric_name: None,
            target_utilization: None,
            current_utilization: None,
            current_value: None,
            current_replicas: None,
            desired_replicas: None,
            last_scale_time: None,
            scaling_conditions: Vec::new(),
            metric_index: None,
            metric_container: None,
            metric_selector: None,
            target_type: None,
            target_value: None,
            behavior: None,
            api_id: None,
            team_id: None,
            labels: None,
        }
    }
}

/// Notes that a part was normalized.
pub(super) fn note(memory: &Memory, batch: &RowBatch) {
    let keys = SnapshotKeys::of(&batch.manifest).unwrap();
    memory.put(&keys.done_part(0, &batch.kind, batch.part), serde_json::to_vec(batch).unwrap());
}
