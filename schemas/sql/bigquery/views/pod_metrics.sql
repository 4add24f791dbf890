-- Pods of each Deployment over time, beside the limit in force at that time.
--
-- column timestamp TIMESTAMP: when the snapshot looked
-- column namespace STRING: namespace
-- column deployment_name STRING: Deployment
-- column actual_replicas INT64: status.replicas
-- column available_replicas INT64: status.availableReplicas
-- column updated_replicas INT64: status.updatedReplicas
-- column ready_replicas INT64: status.readyReplicas
-- column max_replicas INT64: the limit in force then; null where none was declared
-- column cluster STRING: cluster
SELECT
  observed_at AS `timestamp`, namespace, deployment_name, actual_replicas, available_replicas, updated_replicas,
  ready_replicas, limit_value AS max_replicas, cluster
FROM {dataset}.`workload_observations`
