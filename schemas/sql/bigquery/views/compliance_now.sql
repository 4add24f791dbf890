-- Every workload of the newest loaded snapshot of each cluster, against the limit in force then. A
-- snapshot without Deployments is known from the ledger. The worst that holds is the verdict;
-- graces, overrides and cold starts are the evaluator's.
--
-- column cluster STRING: cluster
-- column namespace STRING: namespace
-- column deployment_name STRING: Deployment
-- column api_id STRING: API
-- column team_id STRING: team
-- column limit_value INT64: the limit in force
-- column desired INT64: spec.replicas
-- column actual INT64: status.replicas
-- column ceiling INT64: highest maxReplicas of its autoscalers
-- column verdict STRING: undeclared, over-limit, desired-over-limit, ceiling-over-limit or ok
-- column since TIMESTAMP: start of the open episode of that rule; null where none is open
WITH loaded AS (
  SELECT DISTINCT cluster, snapshot_id, observed_at FROM {dataset}.`gke_deployments`
  UNION DISTINCT
  SELECT DISTINCT cluster, snapshot_id, started_at AS observed_at
  FROM {dataset}.`pipeline_ledger`
  WHERE stage = 'loader' AND `table` = 'gke_deployments' AND outcome = 'done'
),
newest AS (
  SELECT cluster, snapshot_id, ROW_NUMBER() OVER (PARTITION BY cluster ORDER BY observed_at DESC, snapshot_id DESC) AS age
  FROM loaded
),
judged AS (
  SELECT
    o.*,
    CASE
      WHEN o.limit_value IS NULL THEN 'undeclared'
      WHEN o.actual_replicas > o.limit_value + o.surge_allowance THEN 'over-limit'
      WHEN o.desired_replicas > o.limit_value THEN 'desired-over-limit'
      WHEN o.hpa_max_replicas > o.limit_value THEN 'ceiling-over-limit'
      ELSE 'ok'
    END AS verdict
  FROM {dataset}.`workload_observations` AS o
  JOIN newest AS n ON n.cluster = o.cluster AND n.snapshot_id = o.snapshot_id
  WHERE n.age = 1
),
transitions AS (
  SELECT
    cluster, namespace, deployment_name, alert_type, state, started_at,
    ROW_NUMBER() OVER (PARTITION BY episode_id ORDER BY `timestamp` DESC, (CASE WHEN state = 'resolved' THEN 1 ELSE 0 END) DESC, event_id DESC) AS age
  FROM {dataset}.`alert_log`
),
open_episodes AS (
  SELECT cluster, namespace, deployment_name, alert_type, MIN(started_at) AS since
  FROM transitions
  WHERE age = 1 AND state <> 'resolved'
  GROUP BY cluster, namespace, deployment_name, alert_type
)
SELECT
  j.cluster, j.namespace, j.deployment_name, j.api_id, j.team_id, j.limit_value,
  j.desired_replicas AS desired, j.actual_replicas AS actual, j.hpa_max_replicas AS ceiling, j.verdict, e.since
FROM judged AS j
LEFT JOIN open_episodes AS e
  ON e.cluster = j.cluster AND e.namespace = j.namespace AND e.deployment_name = j.deployment_name
  AND e.alert_type = j.verdict
