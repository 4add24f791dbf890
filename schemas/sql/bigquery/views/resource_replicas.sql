-- Replicas of Deployments (status.replicas) and of autoscalers (what they last saw) over time, one
-- row per object and snapshot.
--
-- column timestamp TIMESTAMP: when the snapshot looked
-- column resource_type STRING: deployment or hpa
-- column namespace STRING: namespace
-- column name STRING: name of the object
-- column replicas INT64: actual replicas, or the autoscaler's current ones
-- column api_id STRING: API; an autoscaler without a label has its Deployment's
-- column team_id STRING: team; an autoscaler without a label has its Deployment's
SELECT
  observed_at AS `timestamp`, 'deployment' AS resource_type, namespace, deployment_name AS name,
  actual_replicas AS replicas, api_id, team_id
FROM {dataset}.`workload_observations`
UNION ALL
SELECT
  h.observed_at AS `timestamp`, 'hpa' AS resource_type, h.namespace, h.name, h.replicas,
  COALESCE(h.api_id, w.api_id) AS api_id, COALESCE(h.team_id, w.team_id) AS team_id
FROM (
  SELECT
    cluster, snapshot_id, observed_at, namespace, name, api_id, team_id, MAX(current_replicas) AS replicas,
    MAX(CASE WHEN scale_target_kind = 'Deployment' THEN scale_target_name END) AS deployment_name
  FROM {dataset}.`hpa_data`
  GROUP BY cluster, snapshot_id, observed_at, namespace, name, api_id, team_id
) AS h
LEFT JOIN {dataset}.`workload_observations` AS w
  ON w.cluster = h.cluster AND w.snapshot_id = h.snapshot_id
  AND w.namespace = h.namespace AND w.deployment_name = h.deployment_name
