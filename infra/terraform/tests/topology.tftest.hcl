# What is made of the topology. Nothing is reached: the provider only gives its schemas.
#
#   terraform init -backend=false && terraform test

mock_provider "google" {
  override_data {
    target = data.google_project.this
    values = { number = "123456789012" }
  }
  mock_resource "google_logging_project_sink" {
    defaults = { writer_identity = "serviceAccount:service-1@gcp-sa-logging.iam.gserviceaccount.com" }
  }
}

variables {
  project = "acme-apis"
}

run "everything_the_topology_names_is_granted_and_nothing_else" {
  assert {
    condition = toset(keys(google_service_account.account)) == toset([
      "evaluator", "loader", "normalizer", "notifier", "provisioner", "registrar", "scheduler", "snapshotter",
    ])
    error_message = "Accounts: ${join(", ", keys(google_service_account.account))}."
  }
  assert {
    condition = alltrue([
      for name, account in google_service_account.account :
      account.account_id == "podledger-${name}" && length(account.account_id) <= 30 && account.project == "acme-apis"
    ])
    error_message = "An account is not called after its name, or somewhere else."
  }

  # Told from the file's text, account by account and line by line, and not as the module does it.
  assert {
    condition = toset(concat(
      [for grant in google_pubsub_topic_iam_member.granted : "${grant.member} ${grant.topic} ${grant.role}"],
      [for grant in google_pubsub_subscription_iam_member.granted : "${grant.member} ${grant.subscription} ${grant.role}"],
      )) == toset(flatten([
        for section in split("    email: ", file("../topology.yaml")) : [
          for line in regexall("\n      ([a-z-]+): \\[(roles/pubsub[^\\]]*)\\]", section) : [
            for role in split(", ", line[1]) :
            "serviceAccount:${replace(replace(regex("^[^\n]+", section), "{projectNumber}", "123456789012"), "{project}", "acme-apis")} ${line[0]} ${role}"
          ]
        ] if can(regex("^[^ ]+@", section))
    ]))
    error_message = "Not the roles on topics and subscriptions that the topology names."
  }
  assert {
    condition = [
      length(google_pubsub_topic_iam_member.granted), length(google_pubsub_subscription_iam_member.granted),
      length(google_storage_bucket_iam_member.granted), length(google_bigquery_dataset_access.granted),
      length(google_project_iam_member.granted), length(google_service_account_iam_member.granted),
    ] == [20, 32, 5, 3, 8, 0]
    error_message = "Not as many roles as the topology names."
  }
  assert {
    condition = alltrue([
      for key, grant in merge(google_pubsub_topic_iam_member.granted, google_pubsub_subscription_iam_member.granted, google_storage_bucket_iam_member.granted, google_project_iam_member.granted) :
      grant.member == "serviceAccount:${startswith(key, "pubsub-agent/") ? "service-123456789012@gcp-sa-pubsub" : "podledger-${split("/", key)[0]}@acme-apis"}.iam.gserviceaccount.com"
    ])
    error_message = "A role went to somebody else than its key says."
  }
  assert {
    condition = toset([for grant in google_project_iam_member.granted : "${grant.member} ${grant.role}"]) == toset([
      "serviceAccount:podledger-snapshotter@acme-apis.iam.gserviceaccount.com roles/container.clusterViewer",
      "serviceAccount:podledger-snapshotter@acme-apis.iam.gserviceaccount.com roles/datastore.viewer",
      "serviceAccount:podledger-loader@acme-apis.iam.gserviceaccount.com roles/bigquery.jobUser",
      "serviceAccount:podledger-evaluator@acme-apis.iam.gserviceaccount.com roles/bigquery.jobUser",
      "serviceAccount:podledger-registrar@acme-apis.iam.gserviceaccount.com roles/bigquery.jobUser",
      "serviceAccount:podledger-provisioner@acme-apis.iam.gserviceaccount.com roles/pubsub.editor",
      "serviceAccount:podledger-provisioner@acme-apis.iam.gserviceaccount.com roles/storage.admin",
      "serviceAccount:podledger-provisioner@acme-apis.iam.gserviceaccount.com roles/bigquery.user",
    ])
    error_message = "Roles on the project: ${join(", ", keys(google_project_iam_member.granted))}."
  }
  assert {
    condition = toset([for grant in google_bigquery_dataset_access.granted : "${grant.dataset_id} ${grant.user_by_email} ${grant.role}"]) == toset([
      "podledger podledger-loader@acme-apis.iam.gserviceaccount.com roles/bigquery.dataEditor",
      "podledger podledger-evaluator@acme-apis.iam.gserviceaccount.com roles/bigquery.dataViewer",
      "podledger podledger-registrar@acme-apis.iam.gserviceaccount.com roles/bigquery.dataViewer",
    ])
    error_message = "Roles on the dataset: ${join(", ", keys(google_bigquery_dataset_access.granted))}."
  }
  assert {
    condition     = toset([for grant in google_storage_bucket_iam_member.granted : "${grant.bucket} ${grant.role}"]) == toset(["acme-apis-podledger roles/storage.objectUser"])
    error_message = "Roles on the bucket: ${join(", ", keys(google_storage_bucket_iam_member.granted))}."
  }
  assert {
    condition = toset(keys(google_project_service.needed)) == toset([
      "bigquery.googleapis.com", "cloudresourcemanager.googleapis.com", "cloudscheduler.googleapis.com",
      "container.googleapis.com", "firestore.googleapis.com", "iam.googleapis.com", "logging.googleapis.com",
      "pubsub.googleapis.com", "storage.googleapis.com",
    ])
    error_message = "APIs: ${join(", ", keys(google_project_service.needed))}."
  }
  assert {
    condition     = alltrue([for api in google_project_service.needed : !api.disable_on_destroy])
    error_message = "An API would be switched off."
  }
  assert {
    condition = output.addresses == {
      PODLEDGER_BROKER    = "pubsub:acme-apis"
      PODLEDGER_OBJECTS   = "gs://acme-apis-podledger/podledger"
      PODLEDGER_WAREHOUSE = "bigquery:acme-apis.podledger"
    }
    error_message = "Addresses: ${jsonencode(output.addresses)}."
  }
  assert {
    condition     = length(google_project_iam_member.granted_elsewhere) == 0
    error_message = "Roles in other projects that nobody named."
  }
}

run "the_projects_audit_logs_go_to_the_topic_and_their_writer_may_write" {
  assert {
    condition     = keys(google_logging_project_sink.audit_logs) == ["acme-apis"]
    error_message = "Sinks: ${join(", ", keys(google_logging_project_sink.audit_logs))}."
  }
  assert {
    condition = (
      google_logging_project_sink.audit_logs["acme-apis"].destination == "pubsub.googleapis.com/projects/acme-apis/topics/audit-logs"
      && google_logging_project_sink.audit_logs["acme-apis"].filter == trimspace(file("audit-logs.filter"))
      && google_logging_project_sink.audit_logs["acme-apis"].unique_writer_identity
    )
    error_message = "The sink leads elsewhere, or sends something else."
  }
  assert {
    condition = [for grant in values(google_pubsub_topic_iam_member.audit_logs_writer) : "${grant.project} ${grant.topic} ${grant.role} ${grant.member}"] == [
      "acme-apis audit-logs roles/pubsub.publisher serviceAccount:service-1@gcp-sa-logging.iam.gserviceaccount.com",
    ]
    error_message = "The writer of the sink cannot write, or somebody else can."
  }
}

run "a_request_for_every_cluster_is_sent_every_five_minutes" {
  assert {
    condition     = { for name, job in google_cloud_scheduler_job.snapshots : job.name => "${job.schedule} ${job.time_zone}" } == { podledger-every-cluster = "*/5 * * * * Etc/UTC" }
    error_message = "Jobs: ${join(", ", keys(google_cloud_scheduler_job.snapshots))}."
  }
  assert {
    condition     = google_cloud_scheduler_job.snapshots["every-cluster"].http_target[0].uri == "https://pubsub.googleapis.com/v1/projects/acme-apis/topics/snapshot-requests:publish"
    error_message = "The request is sent elsewhere."
  }
  assert {
    condition     = google_cloud_scheduler_job.snapshots["every-cluster"].http_target[0].oauth_token[0].service_account_email == "podledger-scheduler@acme-apis.iam.gserviceaccount.com"
    error_message = "The request is sent as somebody else."
  }
  assert {
    condition = jsondecode(base64decode(google_cloud_scheduler_job.snapshots["every-cluster"].http_target[0].body)) == {
      messages = [{
        orderingKey = "*"
        data = base64encode(
          "{\"cluster\":\"*\",\"kinds\":[],\"purpose\":\"scheduled\",\"request_id\":\"\",\"requested_at\":0,\"requested_by\":\"cloud-scheduler\"}"
        )
      }]
    }
    error_message = base64decode(google_cloud_scheduler_job.snapshots["every-cluster"].http_target[0].body)
  }
}

run "schedules_of_ones_own_ask_for_one_cluster_or_some_kinds" {
  variables {
    schedules = {
      uk        = { cluster = "prod-uk", cron = "*/2 * * * *" }
      documents = { kinds = ["documents"], cron = "0 * * * *" }
    }
  }
  assert {
    condition = {
      for name, job in google_cloud_scheduler_job.snapshots :
      "${job.name} ${job.schedule}" => [
        for message in jsondecode(base64decode(job.http_target[0].body)).messages :
        "${message.orderingKey} ${jsondecode(base64decode(message.data)).cluster} ${jsonencode(jsondecode(base64decode(message.data)).kinds)}"
      ][0]
      } == {
      "podledger-uk */2 * * * *"      = "prod-uk prod-uk []"
      "podledger-documents 0 * * * *" = "* * [\"documents\"]"
    }
    error_message = "Jobs: ${jsonencode({ for name, job in google_cloud_scheduler_job.snapshots : name => base64decode(job.http_target[0].body) })}."
  }
}

run "before_provisioning_there_are_apis_accounts_and_roles_that_need_nothing_of_it" {
  variables {
    provisioned = false
    push        = true
  }
  assert {
    condition = length(concat(
      keys(google_pubsub_topic_iam_member.granted), keys(google_pubsub_subscription_iam_member.granted),
      keys(google_storage_bucket_iam_member.granted), keys(google_bigquery_dataset_access.granted),
      keys(google_logging_project_sink.audit_logs), keys(google_pubsub_topic_iam_member.audit_logs_writer),
      keys(google_cloud_scheduler_job.snapshots),
    )) == 0
    error_message = "Something needs what is not there yet."
  }
  assert {
    condition     = [length(google_service_account.account), length(google_project_iam_member.granted)] == [9, 8]
    error_message = "Provisioning would lack an account or a role."
  }
  assert {
    condition     = keys(google_service_account_iam_member.granted) == ["provisioner/pusher/roles/iam.serviceAccountUser"]
    error_message = "On accounts: ${join(", ", keys(google_service_account_iam_member.granted))}."
  }
}

run "where_messages_are_pushed_pubsub_may_sign_as_the_pusher" {
  variables {
    push = true
  }
  assert {
    condition     = google_service_account.account["pusher"].account_id == "podledger-push"
    error_message = "The pusher is called otherwise than docs/push.md says."
  }
  assert {
    condition = toset([for grant in google_service_account_iam_member.granted : "${grant.service_account_id} ${grant.role} ${grant.member}"]) == toset([
      "projects/acme-apis/serviceAccounts/podledger-push@acme-apis.iam.gserviceaccount.com roles/iam.serviceAccountTokenCreator serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com",
      "projects/acme-apis/serviceAccounts/podledger-push@acme-apis.iam.gserviceaccount.com roles/iam.serviceAccountUser serviceAccount:podledger-provisioner@acme-apis.iam.gserviceaccount.com",
    ])
    error_message = "On accounts: ${join(", ", keys(google_service_account_iam_member.granted))}."
  }
  assert {
    condition     = contains(keys(google_project_service.needed), "run.googleapis.com")
    error_message = "Without Cloud Run's API."
  }
}

run "a_topology_that_pushes_says_so_itself" {
  variables {
    topology = "./tests/topologies/pushed.yaml"
  }
  assert {
    condition     = keys(google_service_account.account) == ["pusher", "scheduler"]
    error_message = "Accounts: ${join(", ", keys(google_service_account.account))}."
  }
  assert {
    condition     = keys(google_service_account_iam_member.granted) == ["pubsub-agent/pusher/roles/iam.serviceAccountTokenCreator"]
    error_message = "On accounts: ${join(", ", keys(google_service_account_iam_member.granted))}."
  }
}

run "clusters_and_documents_of_other_projects_are_read_and_their_audit_logs_sent" {
  variables {
    cluster_projects = {
      acme-apis = {}
      acme-prod = { clusters = ["europe-west2/prod-uk", "europe-west3/prod-de"] }
    }
    document_projects = ["acme-registry", "acme-prod"]
  }
  assert {
    condition = toset([for grant in google_project_iam_member.granted_elsewhere : "${grant.project} ${grant.role} ${grant.member}"]) == toset([
      "acme-prod roles/container.clusterViewer serviceAccount:podledger-snapshotter@acme-apis.iam.gserviceaccount.com",
      "acme-prod roles/datastore.viewer serviceAccount:podledger-snapshotter@acme-apis.iam.gserviceaccount.com",
      "acme-registry roles/datastore.viewer serviceAccount:podledger-snapshotter@acme-apis.iam.gserviceaccount.com",
    ])
    error_message = "Elsewhere: ${join(", ", keys(google_project_iam_member.granted_elsewhere))}."
  }
  assert {
    condition     = keys(google_logging_project_sink.audit_logs) == ["acme-apis", "acme-prod"] && keys(google_pubsub_topic_iam_member.audit_logs_writer) == ["acme-apis", "acme-prod"]
    error_message = "Sinks: ${join(", ", keys(google_logging_project_sink.audit_logs))}."
  }
  assert {
    condition     = alltrue([for project, sink in google_logging_project_sink.audit_logs : sink.project == project && sink.destination == "pubsub.googleapis.com/projects/acme-apis/topics/audit-logs"])
    error_message = "A sink stands or leads elsewhere."
  }
  assert {
    condition = trimprefix(google_logging_project_sink.audit_logs["acme-prod"].filter, google_logging_project_sink.audit_logs["acme-apis"].filter) == join("", [
      "\n((resource.labels.location=\"europe-west2\" AND resource.labels.cluster_name=\"prod-uk\")",
      " OR (resource.labels.location=\"europe-west3\" AND resource.labels.cluster_name=\"prod-de\"))",
    ])
    error_message = google_logging_project_sink.audit_logs["acme-prod"].filter
  }
}

run "without_clusters_there_is_no_sink" {
  variables {
    cluster_projects = {}
  }
  assert {
    condition     = length(google_logging_project_sink.audit_logs) == 0
    error_message = "A sink of no project."
  }
}

run "who_did_not_make_the_dataset_becomes_its_owner" {
  variables {
    dataset_made_by = null
  }
  assert {
    condition     = google_bigquery_dataset_access.granted["provisioner/dataset/roles/bigquery.dataOwner"].user_by_email == "podledger-provisioner@acme-apis.iam.gserviceaccount.com"
    error_message = "Roles on the dataset: ${join(", ", keys(google_bigquery_dataset_access.granted))}."
  }
}

run "names_of_ones_own_are_taken" {
  variables {
    bucket  = "acme-objects"
    dataset = "replicas"
    prefix  = ""
  }
  assert {
    condition     = output.addresses.PODLEDGER_OBJECTS == "gs://acme-objects" && output.addresses.PODLEDGER_WAREHOUSE == "bigquery:acme-apis.replicas"
    error_message = "Addresses: ${jsonencode(output.addresses)}."
  }
  assert {
    condition     = alltrue([for grant in google_storage_bucket_iam_member.granted : grant.bucket == "acme-objects"]) && alltrue([for grant in google_bigquery_dataset_access.granted : grant.dataset_id == "replicas"])
    error_message = "Roles on another bucket or dataset."
  }
}

run "a_field_that_is_not_granted_stops_the_plan" {
  command = plan
  variables {
    topology = "./tests/topologies/unknown-field.yaml"
  }
  expect_failures = [data.google_project.this]
}

run "a_cluster_without_its_location_is_refused" {
  command = plan
  variables {
    cluster_projects = { acme-prod = { clusters = ["prod-uk"] } }
  }
  expect_failures = [var.cluster_projects]
}

run "a_projects_number_is_not_its_id" {
  command = plan
  variables {
    project = "123456789012"
  }
  expect_failures = [var.project]
}
