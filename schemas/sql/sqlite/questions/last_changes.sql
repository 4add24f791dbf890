-- The newest change at or before @at of each number of each object that concerns a Deployment of
-- @cluster.
--
-- column event_id STRING: the event
-- column occurred_at TIMESTAMP: when
-- column namespace STRING: namespace
-- column deployment_name STRING: Deployment concerned
-- column target_kind STRING: kind changed
-- column target_name STRING: object changed
-- column field STRING: number changed
-- column old_value INT64: value before
-- column new_value INT64: value after
-- column actor STRING: who
-- column actor_kind STRING: what kind of actor
-- column source STRING: where it was seen
-- column verb STRING: verb as logged
WITH ranked AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY namespace, deployment_name, target_kind, target_name, field
      ORDER BY occurred_at DESC, event_id DESC
    ) AS age
  FROM replica_changes
  WHERE cluster = @cluster AND occurred_at <= @at AND deployment_name IS NOT NULL
)
SELECT
  event_id, occurred_at, namespace, deployment_name, target_kind, target_name, field, old_value, new_value, actor,
  actor_kind, source, verb
FROM ranked
WHERE age = 1
ORDER BY namespace, deployment_name, target_kind, target_name, field
