# One member of one role each, and never a role's list of members or a whole policy: what others were
# granted stays.

resource "google_pubsub_topic_iam_member" "granted" {
  for_each = local.granted["topics"]

  project = var.project
  topic   = each.value.on
  role    = each.value.role
  member  = "serviceAccount:${local.emails[each.value.account]}"

  depends_on = [google_service_account.account]
}

resource "google_pubsub_subscription_iam_member" "granted" {
  for_each = local.granted["subscriptions"]

  project      = var.project
  subscription = each.value.on
  role         = each.value.role
  member       = "serviceAccount:${local.emails[each.value.account]}"

  depends_on = [google_service_account.account]
}

resource "google_storage_bucket_iam_member" "granted" {
  for_each = local.granted["bucket"]

  bucket = local.bucket
  role   = each.value.role
  member = "serviceAccount:${local.emails[each.value.account]}"

  depends_on = [google_service_account.account]
}

# Not google_bigquery_dataset_iam_member: that writes a dataset's access list anew from what it understands
# of it, and the authorized views, routines and datasets of others are lost.
resource "google_bigquery_dataset_access" "granted" {
  for_each = local.granted["dataset"]

  project       = var.project
  dataset_id    = var.dataset
  role          = each.value.role
  user_by_email = local.emails[each.value.account]

  depends_on = [google_service_account.account]
}

resource "google_project_iam_member" "granted" {
  for_each = local.granted["project"]

  project = var.project
  role    = each.value.role
  member  = "serviceAccount:${local.emails[each.value.account]}"

  depends_on = [google_service_account.account]
}

# Who may mint tokens of an account, or have something run as it.
resource "google_service_account_iam_member" "granted" {
  for_each = local.granted["serviceAccounts"]

  service_account_id = "projects/${var.project}/serviceAccounts/${local.emails[each.value.on]}"
  role               = each.value.role
  member             = "serviceAccount:${local.emails[each.value.account]}"

  depends_on = [google_service_account.account]
}

# Clusters and documents of other projects need the same roles there, and no others.
locals {
  cluster_projects = var.cluster_projects == null ? { (var.project) = { clusters = toset([]) } } : var.cluster_projects
  elsewhere = merge(
    { for project in keys(local.cluster_projects) : "container ${project}" => { family = "container", project = project } },
    { for project in var.document_projects : "datastore ${project}" => { family = "datastore", project = project } },
  )
  granted_elsewhere = merge([
    for at in values(local.elsewhere) : {
      for grant in values(local.granted["project"]) :
      "${grant.account}/${at.project}/${grant.role}" => { account = grant.account, project = at.project, role = grant.role }
      if startswith(grant.role, "roles/${at.family}.") && at.project != var.project
    }
  ]...)
}

resource "google_project_iam_member" "granted_elsewhere" {
  for_each = local.granted_elsewhere

  project = each.value.project
  role    = each.value.role
  member  = "serviceAccount:${local.emails[each.value.account]}"

  depends_on = [google_service_account.account]
}
