-- Each Deployment and its autoscaler over time.
--
-- column timestamp TIMESTAMP: when the snapshot looked
-- column namespace STRING: namespace
-- column deployment_name STRING: Deployment
-- column desired_replicas INT64: spec.replicas
-- column current_replicas INT64: status.readyReplicas, as the first users of this view defined it
-- column hpa_min_replicas INT64: minReplicas of the autoscaler
-- column hpa_max_replicas INT64: maxReplicas of the autoscaler
-- column hpa_current_replicas INT64: replicas the autoscaler last saw
-- column hpa_target_cpu INT64: target CPU utilization in percent
-- column resource_limits_cpu STRING: CPU limit of the first container
-- column resource_limits_memory STRING: memory limit of the first container
-- column resource_requests_cpu STRING: CPU request of the first container
-- column resource_requests_memory STRING: memory request of the first container
-- column cluster STRING: cluster
-- column api_id STRING: API
-- column team_id STRING: team
SELECT
  observed_at AS "timestamp", namespace, deployment_name, desired_replicas, ready_replicas AS current_replicas,
  hpa_min_replicas, hpa_max_replicas, hpa_current_replicas, hpa_target_cpu,
  resource_limits_cpu, resource_limits_memory, resource_requests_cpu, resource_requests_memory,
  cluster, api_id, team_id
FROM workload_observations
