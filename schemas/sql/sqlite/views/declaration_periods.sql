-- From when to when each declaration is the newest of its workload and scope; the views that need
-- a limit as of a time join this one. Two declarations of one moment: the one with the higher id
-- holds, the other's period is empty.
--
-- column declaration_id STRING: id of the declaration
-- column namespace STRING: Kubernetes namespace
-- column deployment_name STRING: Deployment name
-- column cluster STRING: cluster it holds for; null means every cluster
-- column valid_from TIMESTAMP: it holds from here on
-- column valid_to TIMESTAMP: and before this moment; null while it is the newest
-- column status STRING: applied or retired
-- column max_replicas INT64: the limit
-- column resources_limits STRING: declared limits, JSON in a string
-- column api_id STRING: API
-- column team_id STRING: team
-- column user_id STRING: user who answers for it
-- column created_at TIMESTAMP: when it was registered
-- column updated_at TIMESTAMP: when the registration was last written
SELECT
  declaration_id, namespace, deployment_name, cluster, "timestamp" AS valid_from,
  LEAD("timestamp") OVER (
    PARTITION BY namespace, deployment_name, cluster ORDER BY "timestamp", declaration_id
  ) AS valid_to,
  status, max_replicas, resources_limits, api_id, team_id, user_id, created_at, updated_at
FROM deployment_config
