-- The conservation proof: per snapshot and kind observed from @from on and before @to, what the
-- ledger says at each stage beside what the tables hold.
--
-- column cluster STRING: cluster
-- column snapshot_id STRING: snapshot
-- column kind STRING: kind of the snapshot
-- column table STRING: table of the kind's rows; null where it has none
-- column observed_at TIMESTAMP: when the snapshot looked
-- column listed INT64: objects listed, from the snapshotter's ledger
-- column mapped INT64: objects mapped, rejects included, from the normalizer's ledger
-- column mapped_rows INT64: rows written, from the normalizer's ledger
-- column mapped_rejects INT64: objects rejected, from the normalizer's ledger
-- column loaded_rows INT64: rows loaded, from the loader's ledger
-- column table_rows INT64: rows that are in the table
-- column table_rejects INT64: rows that are in rejected_rows
-- column complete BOOL: whether the source gave the whole list
-- column balanced BOOL: whether objects listed = rows + rejects = rows loaded; an autoscaler may have several rows
WITH units AS (
  SELECT
    snapshot_id,
    COALESCE("kind", '') AS unit_kind,
    MAX(cluster) AS cluster,
    MAX(CASE WHEN stage <> 'snapshotter' THEN "table" END) AS table_name,
    MIN(started_at) AS observed_at,
    SUM(CASE WHEN stage = 'snapshotter' THEN objects END) AS listed,
    SUM(CASE WHEN stage = 'normalizer' THEN objects END) AS mapped,
    SUM(CASE WHEN stage = 'normalizer' THEN "rows" END) AS mapped_rows,
    SUM(CASE WHEN stage = 'normalizer' THEN rejects END) AS mapped_rejects,
    SUM(CASE WHEN stage = 'loader' THEN "rows" END) AS loaded_rows,
    MAX(CASE WHEN outcome <> 'done' THEN 1 ELSE 0 END) AS unfinished
  FROM pipeline_ledger
  WHERE snapshot_id IS NOT NULL AND started_at >= @from AND started_at < @to
  GROUP BY snapshot_id, COALESCE("kind", '')
),
row_counts AS (
  SELECT snapshot_id, 'gke_pods' AS table_name, COUNT(*) AS row_count
  FROM gke_pods
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id
  UNION ALL
  SELECT snapshot_id, 'gke_deployments' AS table_name, COUNT(*) AS row_count
  FROM gke_deployments
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id
  UNION ALL
  SELECT snapshot_id, 'hpa_data' AS table_name, COUNT(*) AS row_count
  FROM hpa_data
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id
  UNION ALL
  SELECT snapshot_id, 'gke_nodes' AS table_name, COUNT(*) AS row_count
  FROM gke_nodes
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id
  UNION ALL
  SELECT snapshot_id, 'gke_clusters' AS table_name, COUNT(*) AS row_count
  FROM gke_clusters
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id
  UNION ALL
  SELECT snapshot_id, 'gke_pod_usage' AS table_name, COUNT(*) AS row_count
  FROM gke_pod_usage
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id
  UNION ALL
  SELECT snapshot_id, 'firestore_documents' AS table_name, COUNT(*) AS row_count
  FROM firestore_documents
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id
  UNION ALL
  SELECT snapshot_id, 'firestore_apis' AS table_name, COUNT(*) AS row_count
  FROM firestore_apis
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id
  UNION ALL
  SELECT snapshot_id, 'firestore_capextchannels' AS table_name, COUNT(*) AS row_count
  FROM firestore_capextchannels
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id
  UNION ALL
  SELECT snapshot_id, 'firestore_backendservices' AS table_name, COUNT(*) AS row_count
  FROM firestore_backendservices
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id
),
reject_counts AS (
  SELECT snapshot_id, "kind" AS unit_kind, COUNT(*) AS reject_count
  FROM rejected_rows
  WHERE snapshot_id IN (SELECT snapshot_id FROM units)
  GROUP BY snapshot_id, "kind"
),
compared AS (
  SELECT
    u.*,
    CASE WHEN u.table_name IS NULL THEN 0 ELSE COALESCE(c.row_count, 0) END AS table_rows,
    COALESCE(r.reject_count, 0) AS table_rejects
  FROM units AS u
  LEFT JOIN row_counts AS c ON c.snapshot_id = u.snapshot_id AND c.table_name = u.table_name
  LEFT JOIN reject_counts AS r ON r.snapshot_id = u.snapshot_id AND r.unit_kind = u.unit_kind
)
SELECT
  cluster, snapshot_id, unit_kind AS "kind", table_name AS "table", observed_at, listed, mapped,
  mapped_rows, mapped_rejects, loaded_rows, table_rows, table_rejects,
  unfinished = 0 AS complete,
  COALESCE(
    listed = COALESCE(mapped, 0)
    AND COALESCE(mapped_rejects, 0) = table_rejects
    AND COALESCE(mapped_rows, 0) = COALESCE(loaded_rows, 0)
    AND COALESCE(mapped_rows, 0) = table_rows
    AND (
      table_name IS NULL
      OR CASE WHEN table_name = 'hpa_data' THEN mapped_rows >= mapped - mapped_rejects
        ELSE mapped_rows = mapped - mapped_rejects END
    ),
    FALSE
  ) AS balanced
FROM compared
ORDER BY observed_at, snapshot_id, unit_kind
