-- What each user may run: the sum of the limits in force of the user's declarations. Now is the
-- newest moment at which anything was observed or registered, so that the answer depends on the
-- data alone.
--
-- column user_id STRING: user
-- column max_replicas INT64: sum of the limits in force
-- column updated_at TIMESTAMP: when one of them was last written
WITH known AS (
  SELECT MAX(moment) AS horizon
  FROM (
    SELECT MAX(observed_at) AS moment FROM gke_deployments
    UNION ALL
    SELECT MAX(created_at) AS moment FROM limit_declarations
  ) AS moments
)
SELECT p.user_id, SUM(p.max_replicas) AS max_replicas, MAX(p.updated_at) AS updated_at
FROM declaration_periods AS p
CROSS JOIN known
WHERE p.user_id IS NOT NULL AND p.status = 'applied' AND p.valid_from <= known.horizon
  AND (p.valid_to IS NULL OR known.horizon < p.valid_to)
GROUP BY p.user_id
