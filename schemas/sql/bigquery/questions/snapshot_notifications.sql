-- What became of telling people about the transitions of one snapshot.
--
-- column notification_id STRING: hash of event and receiver
-- column event_id STRING: the event
-- column episode_id STRING: its episode
-- column receiver STRING: configured receiver
-- column channel STRING: log, webhook and so on
-- column outcome STRING: sent, refused or silenced
-- column attempts INT64: how often sending was tried
-- column sent_at TIMESTAMP: when the outcome was known
-- column error STRING: why it was refused
SELECT
  n.notification_id, n.event_id, n.episode_id, n.receiver, n.channel, n.outcome, n.attempts, n.sent_at, n.error
FROM {dataset}.`notification_log` AS n
JOIN {dataset}.`alert_log` AS a ON a.event_id = n.event_id
WHERE a.snapshot_id = @snapshot_id
ORDER BY n.notification_id
