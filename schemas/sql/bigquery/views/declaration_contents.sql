-- Every declaration received, and what it says as one text: two declarations with the same content
-- differ only in who made them, when and why, and the later one changes nothing.
--
-- column timestamp TIMESTAMP: declared_at: the declaration holds from here on
-- column namespace STRING: Kubernetes namespace
-- column deployment_name STRING: Deployment name
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
-- column content STRING: what counts as a change, as JSON
SELECT
  `timestamp`, namespace, deployment_name, max_replicas, image, resources_limits, resources_requests, environment, volumes,
  updated_by, created_at, updated_at, change_reason, cluster, api_id, team_id, user_id, source, status, declaration_id,
  TO_JSON_STRING(STRUCT(
    max_replicas AS max_replicas, image AS image, resources_limits AS resources_limits,
    resources_requests AS resources_requests, environment AS environment, volumes AS volumes, api_id AS api_id,
    team_id AS team_id, user_id AS user_id, status AS status
  )) AS content
FROM {dataset}.`limit_declarations`
