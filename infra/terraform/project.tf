locals {
  # The API behind each family of roles; a role of a family that is not here is an error of the plan.
  api_of = {
    bigquery  = "bigquery.googleapis.com"
    container = "container.googleapis.com"
    datastore = "firestore.googleapis.com"
    iam       = "iam.googleapis.com"
    pubsub    = "pubsub.googleapis.com"
    storage   = "storage.googleapis.com"
  }
  families = toset([for grant in local.grants : split(".", trimprefix(grant.role, "roles/"))[0]])
  # What is used besides: to grant roles on the project and make accounts, for the sink, for the schedule.
  always = ["cloudresourcemanager.googleapis.com", "iam.googleapis.com", "logging.googleapis.com", "cloudscheduler.googleapis.com"]
}

resource "google_project_service" "needed" {
  for_each = setunion(
    [for family in local.families : local.api_of[family]],
    local.always,
    local.pushes ? ["run.googleapis.com"] : [],
    var.more_apis,
  )

  project            = var.project
  service            = each.key
  disable_on_destroy = false # others may use it
}

resource "google_service_account" "account" {
  for_each = local.ours

  project      = var.project
  account_id   = split("@", local.emails[each.key])[0]
  display_name = "podledger ${each.key}"

  depends_on = [google_project_service.needed]
}
