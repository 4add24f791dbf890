-- The limits in force at @at for the workloads of @cluster: the newest declaration of each scope
-- unless it is retired, and one for the cluster itself before one for every cluster.
--
-- column declaration_id STRING: the declaration
-- column namespace STRING: namespace
-- column deployment_name STRING: Deployment
-- column cluster STRING: its scope; null means every cluster
-- column max_replicas INT64: the limit
-- column previous_max_replicas INT64: limit of the declaration before in the same scope; null where there was none or it was retired
-- column initial_max_replicas INT64: first limit of the scope
-- column declared_at TIMESTAMP: since when it holds
-- column updated_by STRING: who declared it
-- column change_reason STRING: why
-- column api_id STRING: API
-- column team_id STRING: team
-- column user_id STRING: user
-- column source JSON: repository, path and commit
WITH history AS (
  SELECT
    *,
    LAG(max_replicas) OVER scope AS last_max_replicas,
    LAG(status) OVER scope AS last_status,
    ROW_NUMBER() OVER (
      PARTITION BY namespace, deployment_name, cluster ORDER BY `timestamp` DESC, declaration_id DESC
    ) AS age
  FROM {dataset}.`deployment_config`
  WHERE (cluster IS NULL OR cluster = @cluster) AND `timestamp` <= @at
  WINDOW scope AS (PARTITION BY namespace, deployment_name, cluster ORDER BY `timestamp`, declaration_id)
),
in_force AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY namespace, deployment_name ORDER BY CASE WHEN cluster IS NULL THEN 1 ELSE 0 END
    ) AS choice
  FROM history
  WHERE age = 1 AND status = 'applied'
)
SELECT
  declaration_id, namespace, deployment_name, cluster, max_replicas,
  CASE WHEN last_status = 'applied' THEN last_max_replicas END AS previous_max_replicas,
  initial_max_replicas, `timestamp` AS declared_at, updated_by, change_reason, api_id, team_id, user_id, source
FROM in_force
WHERE choice = 1
ORDER BY namespace, deployment_name
