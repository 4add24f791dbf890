-- The bill of each month (UTC) and declared workload under the default tariff, which bills the
-- highest declared limit: 180 + (19 * vCPU + 19 * GB) * pods / 4, rounded once, half to even, to
-- the cent. The GiB counts as GB. vCPU and GB are the declaration's limits, else the Deployment's
-- limits, else its requests.
--
-- column month STRING: yyyy-mm, in UTC
-- column cluster STRING: scope of the declaration; null means every cluster
-- column namespace STRING: namespace
-- column deployment_name STRING: Deployment
-- column api_id STRING: API, from the labels, else from the declaration
-- column team_id STRING: team, from the labels, else from the declaration
-- column max_declared INT64: highest limit in force in the month
-- column max_actual INT64: highest actual replicas observed on one cluster; null where nothing was observed
-- column max_pods INT64: what is billed: the declared maximum
-- column vcpu_millicores INT64: CPU per pod, in thousandths of a core
-- column memory_bytes INT64: memory per pod, in bytes
-- column fee_cents INT64: the fee in cents; null where vCPU or GB are not known
WITH lines AS (
  SELECT
    d.month, d.cluster, d.namespace, d.deployment_name,
    COALESCE(a.api_id, d.api_id) AS api_id, COALESCE(a.team_id, d.team_id) AS team_id,
    d.value AS max_declared, a.value AS max_actual, d.value AS max_pods,
    COALESCE(d.vcpu_millicores, a.vcpu_millicores) AS vcpu_millicores,
    COALESCE(d.memory_bytes, a.memory_bytes) AS memory_bytes
  FROM {dataset}.`billing_evidence` AS d
  LEFT JOIN {dataset}.`billing_evidence` AS a
    ON a.measure = 'actual' AND a.month = d.month AND a.namespace = d.namespace
    AND a.deployment_name = d.deployment_name AND COALESCE(a.cluster, '') = COALESCE(d.cluster, '')
  WHERE d.measure = 'declared'
),
-- 180 + (19 * vCPU + 19 * GB) * pods / 4, in cents: 18000 + numerator / 42949672960, where vCPU is
-- millicores / 1000, GB is bytes / 2^30 and 42949672960 is 40 * 2^30. The bounds (1,000 cores, 4 TiB
-- and 80 pods per line) keep the numerator within 64 bits; beyond them the fee is null, not wrong.
numerators AS (
  SELECT
    *,
    CASE
      WHEN vcpu_millicores BETWEEN 0 AND 1000000 AND memory_bytes BETWEEN 0 AND 4398046511104
        AND max_pods BETWEEN 0 AND 80
      THEN max_pods * 19 * (vcpu_millicores * 1073741824 + memory_bytes * 1000)
    END AS numerator
  FROM lines
),
quotients AS (
  SELECT *, DIV(numerator, 42949672960) AS quotient, MOD(numerator, 42949672960) AS remainder
  FROM numerators
)
SELECT
  month, cluster, namespace, deployment_name, api_id, team_id, max_declared, max_actual, max_pods,
  vcpu_millicores, memory_bytes,
  18000 + quotient + CASE
    WHEN remainder * 2 > 42949672960 THEN 1
    WHEN remainder * 2 = 42949672960 THEN MOD(quotient, 2)
    ELSE 0
  END AS fee_cents
FROM quotients
