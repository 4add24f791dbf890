-- The newest transition of each episode; of two of one moment, resolved is the newer. Only open
-- ones for @open_only, only those of @cluster, only those told of at or after @since; null means
-- all.
--
-- column event_id STRING: the event
-- column episode_id STRING: its episode
-- column timestamp TIMESTAMP: event time of the transition
-- column alert_type STRING: the rule
-- column severity STRING: info, warning or critical
-- column state STRING: opened, worsened, reminded or resolved
-- column cause STRING: why
-- column message STRING: one sentence for people
-- column cluster STRING: cluster
-- column namespace STRING: namespace
-- column deployment_name STRING: Deployment
-- column uid STRING: identity of the workload
-- column api_id STRING: API
-- column team_id STRING: team
-- column observed INT64: what was observed
-- column limit_value INT64: the limit in force
-- column desired INT64: spec.replicas
-- column ceiling INT64: maxReplicas of the autoscaler
-- column surge_allowance INT64: pods a rollout may add
-- column actor STRING: who
-- column snapshot_id STRING: snapshot that showed it
-- column started_at TIMESTAMP: when the episode began
-- column ended_at TIMESTAMP: when it ended
-- column evidence JSON: what the verdict rests on
WITH ranked AS (
  SELECT
    *,
    MAX("timestamp") OVER (PARTITION BY episode_id) AS newest,
    ROW_NUMBER() OVER (
      PARTITION BY episode_id
      ORDER BY "timestamp" DESC, CASE WHEN state = 'resolved' THEN 1 ELSE 0 END DESC, event_id DESC
    ) AS age
  FROM alert_log
)
SELECT
  event_id, episode_id, "timestamp", alert_type, severity, state, cause, message, cluster, namespace,
  deployment_name, uid, api_id, team_id, observed, limit_value, desired, ceiling, surge_allowance, actor,
  snapshot_id, started_at, ended_at, evidence
FROM ranked
WHERE age = 1
  AND (NOT @open_only OR state <> 'resolved')
  AND (@cluster IS NULL OR cluster = @cluster)
  AND (@since IS NULL OR newest >= @since)
ORDER BY started_at, episode_id
