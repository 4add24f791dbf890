-- The limits in force at @at for the workloads of @cluster: the newest declaration of each scope
-- unless it is retired, and one for the cluster itself before one for every cluster.
--
-- Asked for one moment of a long history, so it looks rows up by the index over scope and time where
-- the view of the same history would order all of it.
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
WITH newest AS (
  SELECT declared.*, (
    SELECT earlier.declaration_id
    FROM declaration_contents AS earlier
    WHERE earlier.namespace = declared.namespace AND earlier.deployment_name = declared.deployment_name
      AND earlier.cluster IS declared.cluster
      AND (earlier."timestamp", earlier.declaration_id) < (declared."timestamp", declared.declaration_id)
      AND earlier.content <> declared.content
    ORDER BY earlier."timestamp" DESC, earlier.declaration_id DESC
    LIMIT 1
  ) AS before_id
  FROM declaration_contents AS declared
  WHERE (declared.cluster IS NULL OR declared.cluster = @cluster)
    AND declared."timestamp" <= @at
    AND declared.status = 'applied'
    AND NOT EXISTS (
      SELECT 1
      FROM limit_declarations AS later
      WHERE later.namespace = declared.namespace AND later.deployment_name = declared.deployment_name
        AND later.cluster IS declared.cluster AND later."timestamp" <= @at
        AND (later."timestamp", later.declaration_id) > (declared."timestamp", declared.declaration_id)
    )
    AND (declared.cluster IS NOT NULL OR 'applied' IS NOT (
      SELECT own.status
      FROM limit_declarations AS own
      WHERE own.namespace = declared.namespace AND own.deployment_name = declared.deployment_name
        AND own.cluster = @cluster AND own."timestamp" <= @at
      ORDER BY own."timestamp" DESC, own.declaration_id DESC
      LIMIT 1
    ))
)
SELECT
  since.declaration_id, since.namespace, since.deployment_name, since.cluster, since.max_replicas,
  CASE WHEN before.status = 'applied' THEN before.max_replicas END AS previous_max_replicas,
  (
    SELECT first.max_replicas
    FROM limit_declarations AS first
    WHERE first.namespace = newest.namespace AND first.deployment_name = newest.deployment_name
      AND first.cluster IS newest.cluster
    ORDER BY first."timestamp", first.declaration_id
    LIMIT 1
  ) AS initial_max_replicas,
  since."timestamp" AS declared_at, since.updated_by, since.change_reason, since.api_id, since.team_id, since.user_id,
  since.source
FROM newest
LEFT JOIN limit_declarations AS before ON before.declaration_id = newest.before_id
JOIN limit_declarations AS since ON since.declaration_id = (
  SELECT again.declaration_id
  FROM limit_declarations AS again
  WHERE again.namespace = newest.namespace AND again.deployment_name = newest.deployment_name
    AND again.cluster IS newest.cluster
    AND (before.declaration_id IS NULL
      OR (again."timestamp", again.declaration_id) > (before."timestamp", before.declaration_id))
  ORDER BY again."timestamp", again.declaration_id
  LIMIT 1
)
ORDER BY since.namespace, since.deployment_name
