-- What a month's maxima rest on: per month (UTC) and declared workload one line for the highest
-- declared limit (the first declaration in force that has it) and one for the highest actual
-- replicas (the first snapshot that shows them), with what coverage is computed from. A workload's
-- scope is that of its declaration; observations count for the declaration in force at their time.
-- Months run to the newest moment at which anything was observed or registered. vCPU and memory:
-- of the declaration's limits where they can be read, or of the observed Deployment.
--
-- column month STRING: yyyy-mm, in UTC
-- column cluster STRING: scope of the declaration; null means every cluster
-- column namespace STRING: namespace
-- column deployment_name STRING: Deployment
-- column measure STRING: declared or actual
-- column value INT64: the maximum
-- column source STRING: declaration or snapshot
-- column source_id STRING: id of what set the maximum
-- column observed_cluster STRING: cluster the maximum was observed on; null for declared
-- column since TIMESTAMP: when the maximum was declared or first seen
-- column api_id STRING: API
-- column team_id STRING: team
-- column vcpu_millicores INT64: CPU per pod, in thousandths of a core
-- column memory_bytes INT64: memory per pod, in bytes
-- column snapshots_seen_in INT64: snapshots that hold the workload
-- column snapshots_loaded INT64: snapshots of the clusters it was seen on
-- column first_observed_at TIMESTAMP: first of them that holds it
-- column last_observed_at TIMESTAMP: last of them that holds it
WITH known AS (
  SELECT MAX(moment) AS horizon
  FROM (
    SELECT MAX(observed_at) AS moment FROM {dataset}.`gke_deployments`
    UNION ALL
    SELECT MAX(created_at) AS moment FROM {dataset}.`limit_declarations`
  ) AS moments
),
months AS (
  SELECT p.*, month_start
  FROM {dataset}.`declaration_periods` AS p
  CROSS JOIN known
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(
    DATE_TRUNC(DATE(p.valid_from), MONTH),
    GREATEST(
      DATE_TRUNC(DATE(p.valid_from), MONTH),
      DATE_TRUNC(DATE(LEAST(
        known.horizon, COALESCE(TIMESTAMP_SUB(p.valid_to, INTERVAL 1 MICROSECOND), known.horizon)
      )), MONTH)
    ),
    INTERVAL 1 MONTH
  )) AS month_start
  WHERE p.status = 'applied' AND (p.valid_to IS NULL OR p.valid_from < p.valid_to)
),
declared AS (
  SELECT
    *, FORMAT_DATE('%Y-%m', month_start) AS month,
    ROW_NUMBER() OVER (
      PARTITION BY month_start, namespace, deployment_name, cluster
      ORDER BY max_replicas DESC, valid_from, declaration_id
    ) AS choice,
    JSON_VALUE(SAFE.PARSE_JSON(resources_limits), '$.cpu') AS cpu,
    JSON_VALUE(SAFE.PARSE_JSON(resources_limits), '$.memory') AS memory
  FROM months
),
spelled AS (
  SELECT
    *,
    SAFE_CAST(REGEXP_EXTRACT(cpu, r'^([0-9]+\.?[0-9]*)m?$') AS NUMERIC) AS cpu_number,
    REGEXP_EXTRACT(cpu, r'[^0-9.]*$') AS cpu_suffix,
    SAFE_CAST(REGEXP_EXTRACT(memory, r'^([0-9]+\.?[0-9]*)(?:k|M|G|T|Ki|Mi|Gi|Ti)?$') AS NUMERIC) AS memory_number,
    REGEXP_EXTRACT(memory, r'[^0-9.]*$') AS memory_suffix
  FROM declared
  WHERE choice = 1
),
parsed AS (
  SELECT
    *,
    ROUND(cpu_number * CASE cpu_suffix WHEN '' THEN 1000 WHEN 'm' THEN 1 END, 3) AS exact_millicores,
    ROUND(memory_number * CASE memory_suffix
      WHEN '' THEN 1 WHEN 'k' THEN 1000 WHEN 'M' THEN 1000000 WHEN 'G' THEN 1000000000 WHEN 'T' THEN 1000000000000
      WHEN 'Ki' THEN 1024 WHEN 'Mi' THEN 1048576 WHEN 'Gi' THEN 1073741824 WHEN 'Ti' THEN 1099511627776 END, 3)
      AS exact_bytes
  FROM spelled
),
observed AS (
  SELECT FORMAT_TIMESTAMP('%Y-%m', o.observed_at) AS month, o.*
  FROM {dataset}.`workload_observations` AS o
  WHERE o.declaration_id IS NOT NULL
),
peaks AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY month, namespace, deployment_name, declared_cluster
      ORDER BY actual_replicas DESC, observed_at, cluster, snapshot_id
    ) AS choice
  FROM observed
),
snapshots AS (
  SELECT
    FORMAT_TIMESTAMP('%Y-%m', observed_at) AS month, cluster, COUNT(DISTINCT snapshot_id) AS loaded
  FROM {dataset}.`gke_deployments`
  GROUP BY 1, 2
),
seen AS (
  SELECT
    o.month, o.namespace, o.deployment_name, o.declared_cluster, SUM(o.seen_in) AS seen_in, SUM(s.loaded) AS loaded,
    MIN(o.first_observed_at) AS first_observed_at, MAX(o.last_observed_at) AS last_observed_at
  FROM (
    SELECT
      month, namespace, deployment_name, declared_cluster, cluster, COUNT(DISTINCT snapshot_id) AS seen_in,
      MIN(observed_at) AS first_observed_at, MAX(observed_at) AS last_observed_at
    FROM observed
    GROUP BY month, namespace, deployment_name, declared_cluster, cluster
  ) AS o
  JOIN snapshots AS s ON s.month = o.month AND s.cluster = o.cluster
  GROUP BY o.month, o.namespace, o.deployment_name, o.declared_cluster
)
SELECT
  month, cluster, namespace, deployment_name, 'declared' AS measure, max_replicas AS value,
  'declaration' AS source, declaration_id AS source_id, CAST(NULL AS STRING) AS observed_cluster, valid_from AS since,
  api_id, team_id,
  CAST(CEIL(exact_millicores) AS INT64) AS vcpu_millicores,
  CAST(CEIL(exact_bytes) AS INT64) AS memory_bytes,
  CAST(NULL AS INT64) AS snapshots_seen_in, CAST(NULL AS INT64) AS snapshots_loaded,
  CAST(NULL AS TIMESTAMP) AS first_observed_at, CAST(NULL AS TIMESTAMP) AS last_observed_at
FROM parsed
UNION ALL
SELECT
  p.month, p.declared_cluster, p.namespace, p.deployment_name, 'actual', p.actual_replicas,
  'snapshot', p.snapshot_id, p.cluster, p.observed_at,
  p.api_id, p.team_id, p.vcpu_millicores, p.memory_bytes,
  s.seen_in, s.loaded, s.first_observed_at, s.last_observed_at
FROM peaks AS p
JOIN seen AS s
  ON s.month = p.month AND s.namespace = p.namespace AND s.deployment_name = p.deployment_name
  AND COALESCE(s.declared_cluster, '') = COALESCE(p.declared_cluster, '')
WHERE p.choice = 1
