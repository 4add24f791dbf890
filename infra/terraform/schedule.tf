# The request is the same every time: without an id and a time of its own, it takes those of its message,
# so that a message that comes again means the same snapshot. Every field is written, since the topic's
# schema may not know defaults.
locals {
  requests = {
    for name, schedule in var.schedules : name => merge(
      jsondecode(file("${path.module}/snapshot-request.json")),
      { cluster = schedule.cluster, kinds = sort(schedule.kinds) },
    )
  }
}

# By Pub/Sub's own interface and not as a job's Pub/Sub target: that has no ordering key, and publishes as
# Cloud Scheduler's agent, which may publish to every topic, instead of an account that may to this one.
resource "google_cloud_scheduler_job" "snapshots" {
  for_each = var.provisioned ? local.requests : {}

  project          = var.project
  region           = var.region
  name             = "podledger-${each.key}"
  description      = "Asks podledger for snapshots of ${each.value.cluster == "*" ? "every cluster" : each.value.cluster}."
  schedule         = var.schedules[each.key].cron
  time_zone        = "Etc/UTC"
  attempt_deadline = "30s"

  # Less than the time to the next one, which is as good.
  retry_config {
    retry_count          = 3
    min_backoff_duration = "5s"
    max_backoff_duration = "30s"
    max_retry_duration   = "120s"
  }

  http_target {
    http_method = "POST"
    uri         = "https://pubsub.googleapis.com/v1/projects/${var.project}/topics/snapshot-requests:publish"
    headers     = { "Content-Type" = "application/json" }
    body = base64encode(jsonencode({
      messages = [{ data = base64encode(jsonencode(each.value)), orderingKey = each.value.cluster }]
    }))

    oauth_token {
      service_account_email = local.emails["scheduler"]
      scope                 = "https://www.googleapis.com/auth/pubsub"
    }
  }

  depends_on = [google_project_service.needed, google_pubsub_topic_iam_member.granted]
}
