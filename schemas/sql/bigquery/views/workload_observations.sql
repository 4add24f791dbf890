-- Every Deployment of every snapshot with its autoscalers and the declaration in force at that
-- moment: one for the cluster itself wins over one for every cluster, and a retired one ends its
-- own scope's.
--
-- column cluster STRING: cluster
-- column snapshot_id STRING: snapshot
-- column observed_at TIMESTAMP: when the snapshot looked
-- column namespace STRING: namespace
-- column deployment_name STRING: Deployment
-- column uid STRING: identity of the workload
-- column api_id STRING: API, from the labels, else from the declaration in force
-- column team_id STRING: team, from the labels, else from the declaration in force
-- column user_id STRING: user of the declaration in force
-- column declaration_id STRING: declaration in force; null where there is none
-- column declared_cluster STRING: its scope; null for every cluster or no declaration
-- column limit_value INT64: the limit in force
-- column desired_replicas INT64: spec.replicas
-- column actual_replicas INT64: status.replicas
-- column ready_replicas INT64: status.readyReplicas
-- column available_replicas INT64: status.availableReplicas
-- column updated_replicas INT64: status.updatedReplicas
-- column surge_allowance INT64: pods a running rollout may add, within its progress deadline
-- column hpa_min_replicas INT64: lowest minReplicas of the autoscalers of the Deployment
-- column hpa_max_replicas INT64: highest maxReplicas: the ceiling
-- column hpa_current_replicas INT64: replicas the autoscaler last saw
-- column hpa_target_cpu INT64: target CPU utilization in percent
-- column resource_limits_cpu STRING: CPU limit of the first container
-- column resource_limits_memory STRING: memory limit of the first container
-- column resource_requests_cpu STRING: CPU request of the first container
-- column resource_requests_memory STRING: memory request of the first container
-- column vcpu_millicores INT64: summed CPU limits, else requests, in thousandths of a core
-- column memory_bytes INT64: summed memory limits, else requests, in bytes
WITH autoscalers AS (
  SELECT
    cluster, snapshot_id, namespace, scale_target_name,
    MIN(min_replicas) AS min_replicas,
    MAX(max_replicas) AS max_replicas,
    MAX(current_replicas) AS current_replicas,
    MAX(CASE WHEN metric_type = 'Resource' AND metric_name = 'cpu' THEN target_utilization END) AS target_cpu
  FROM {dataset}.`hpa_data`
  WHERE scale_target_kind = 'Deployment'
  GROUP BY cluster, snapshot_id, namespace, scale_target_name
)
SELECT
  d.cluster, d.snapshot_id, d.observed_at, d.namespace, d.name AS deployment_name, d.uid,
  COALESCE(d.api_id, CASE WHEN own.declaration_id IS NULL THEN general.api_id ELSE own.api_id END) AS api_id,
  COALESCE(d.team_id, CASE WHEN own.declaration_id IS NULL THEN general.team_id ELSE own.team_id END) AS team_id,
  CASE WHEN own.declaration_id IS NULL THEN general.user_id ELSE own.user_id END AS user_id,
  COALESCE(own.declaration_id, general.declaration_id) AS declaration_id,
  own.cluster AS declared_cluster,
  COALESCE(own.max_replicas, general.max_replicas) AS limit_value,
  d.desired_replicas, d.actual_replicas, d.ready_replicas, d.available_replicas, d.updated_replicas,
  CASE
    WHEN NOT d.progressing OR d.strategy = 'Recreate' THEN 0
    WHEN TIMESTAMP_DIFF(d.observed_at, d.progressing_since, SECOND) > COALESCE(d.progress_deadline_seconds, 600) THEN 0
    WHEN REGEXP_CONTAINS(d.max_surge, r'^[0-9]{1,8}%$')
      THEN DIV((d.desired_replicas * CAST(RTRIM(d.max_surge, '%') AS INT64) + 99), 100)
    WHEN REGEXP_CONTAINS(d.max_surge, r'^[0-9]{1,9}$') THEN CAST(d.max_surge AS INT64)
    ELSE 0
  END AS surge_allowance,
  a.min_replicas AS hpa_min_replicas, a.max_replicas AS hpa_max_replicas,
  a.current_replicas AS hpa_current_replicas, a.target_cpu AS hpa_target_cpu,
  d.resource_limits_cpu, d.resource_limits_memory, d.resource_requests_cpu, d.resource_requests_memory,
  COALESCE(d.cpu_limit_millicores, d.cpu_request_millicores) AS vcpu_millicores,
  COALESCE(d.memory_limit_bytes, d.memory_request_bytes) AS memory_bytes
FROM {dataset}.`gke_deployments` AS d
LEFT JOIN autoscalers AS a
  ON a.cluster = d.cluster AND a.snapshot_id = d.snapshot_id
  AND a.namespace = d.namespace AND a.scale_target_name = d.name
LEFT JOIN {dataset}.`declaration_periods` AS own
  ON own.namespace = d.namespace AND own.deployment_name = d.name AND own.cluster = d.cluster
  AND own.status = 'applied' AND own.valid_from <= d.observed_at
  AND (own.valid_to IS NULL OR d.observed_at < own.valid_to)
LEFT JOIN {dataset}.`declaration_periods` AS general
  ON general.namespace = d.namespace AND general.deployment_name = d.name AND general.cluster IS NULL
  AND general.status = 'applied' AND general.valid_from <= d.observed_at
  AND (general.valid_to IS NULL OR d.observed_at < general.valid_to)
