# Changes of replica numbers, from each project with clusters to the topic that the normalizer reads:
# what it would skip for its method is not sent at all (audit-logs.filter).
resource "google_logging_project_sink" "audit_logs" {
  for_each = var.provisioned ? local.cluster_projects : {}

  project                = each.key
  name                   = "podledger-audit-logs"
  description            = "Changes of replicas of Deployments, StatefulSets and autoscalers, for podledger."
  destination            = "pubsub.googleapis.com/projects/${var.project}/topics/audit-logs"
  unique_writer_identity = true
  filter = join("\n", compact([
    trimspace(file("${path.module}/audit-logs.filter")),
    # Sorted, since a set has no order and a filter has.
    length(each.value.clusters) == 0 ? "" : "(${join(" OR ", [
      for cluster in sort(each.value.clusters) :
      "(resource.labels.location=\"${split("/", cluster)[0]}\" AND resource.labels.cluster_name=\"${split("/", cluster)[1]}\")"
    ])})",
  ]))

  depends_on = [google_project_service.needed]
}

resource "google_pubsub_topic_iam_member" "audit_logs_writer" {
  for_each = google_logging_project_sink.audit_logs

  project = var.project
  topic   = "audit-logs"
  role    = "roles/pubsub.publisher"
  member  = each.value.writer_identity
}
