-- What one snapshot rejected, @limit rows at most.
--
-- column cluster STRING: cluster
-- column snapshot_id STRING: snapshot
-- column kind STRING: kind of the snapshot
-- column table STRING: table it was meant for
-- column object STRING: namespace and name where they could be read
-- column line INT64: place in the raw part, from 0
-- column reason STRING: why
-- column raw_object STRING: where its raw form is
-- column observed_at TIMESTAMP: when the snapshot looked
SELECT cluster, snapshot_id, "kind", "table", object, line, reason, raw_object, observed_at
FROM rejected_rows
WHERE snapshot_id = @snapshot_id
ORDER BY "kind", raw_object, line, object, reason
LIMIT @limit
