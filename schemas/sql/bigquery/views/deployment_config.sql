-- The history of declarations: every declaration received, by workload and scope in the order of
-- its own time, without those that repeat the content of the one before. Computed from what was
-- received, so that the order of arrival does not matter.
--
-- column timestamp TIMESTAMP: declared_at: the declaration holds from here on
-- column namespace STRING: Kubernetes namespace
-- column deployment_name STRING: Deployment name
-- column initial_max_replicas INT64: limit of the first declaration of the workload and scope
-- column max_replicas INT64: the limit
-- column image STRING: declared image
-- column resources_limits STRING: declared limits, JSON in a string
-- column resources_requests STRING: declared requests, JSON in a string
-- column environment STRING: declared environment, JSON in a string
-- column volumes STRING: declared volumes, JSON in a string
-- column updated_by STRING: who declared it
-- column created_at TIMESTAMP: when it was registered
-- column updated_at TIMESTAMP: when the registration was last written
-- column change_reason STRING: why, in the team's words
-- column cluster STRING: cluster it holds for; null means every cluster
-- column api_id STRING: API
-- column team_id STRING: team
-- column user_id STRING: user who answers for it
-- column source JSON: repository, path and commit
-- column status STRING: applied or retired
-- column declaration_id STRING: id of the declaration
WITH ordered AS (
  SELECT
    *,
    FIRST_VALUE(max_replicas) OVER history AS first_max_replicas,
    LAG(content) OVER history AS last_content
  FROM {dataset}.`declaration_contents`
  WINDOW history AS (PARTITION BY namespace, deployment_name, cluster ORDER BY `timestamp`, declaration_id)
)
SELECT
  `timestamp`, namespace, deployment_name, first_max_replicas AS initial_max_replicas, max_replicas, image,
  resources_limits, resources_requests, environment, volumes, updated_by, created_at, updated_at, change_reason,
  cluster, api_id, team_id, user_id, source, status, declaration_id
FROM ordered
WHERE content IS DISTINCT FROM last_content
