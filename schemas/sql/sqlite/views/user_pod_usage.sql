-- The most pods of each user in one snapshot, per day in UTC.
--
-- column user_id STRING: user of the declarations in force
-- column date DATE: day in UTC
-- column max_pods INT64: highest sum of actual replicas in one snapshot
WITH per_snapshot AS (
  SELECT user_id, cluster, snapshot_id, observed_at, SUM(actual_replicas) AS pods
  FROM workload_observations
  WHERE user_id IS NOT NULL
  GROUP BY user_id, cluster, snapshot_id, observed_at
)
SELECT user_id, strftime('%Y-%m-%d', observed_at / 1000000, 'unixepoch') AS "date", MAX(pods) AS max_pods
FROM per_snapshot
GROUP BY user_id, strftime('%Y-%m-%d', observed_at / 1000000, 'unixepoch')
