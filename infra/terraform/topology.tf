# What the topology says, put so that each resource is one entry of a map whose key says what it is:
# adding or removing a line of the file touches no other resource.

data "google_project" "this" {
  project_id = var.project

  lifecycle {
    # `podledger provision` refuses fields it does not know; a field it learns has to be learned here.
    postcondition {
      condition     = length(setsubtract(local.fields_found, concat(["email"], local.grant_fields))) == 0
      error_message = "A service account of the topology has fields that this module does not grant."
    }
  }
}

locals {
  topology = yamldecode(file(coalesce(var.topology, "${path.module}/../topology.yaml")))
  bucket   = coalesce(var.bucket, "${var.project}-podledger")
  pushes   = coalesce(var.push, anytrue([for settings in values(local.topology.subscriptions) : can(settings.push)]))

  # What roles are granted on. The first three say on which one, the others are one each.
  fields_by_name = ["topics", "subscriptions", "serviceAccounts"]
  fields_of_one  = ["bucket", "dataset", "project"]
  grant_fields   = concat(local.fields_by_name, local.fields_of_one)
  fields_found   = toset(flatten([for account in values(local.topology.serviceAccounts) : keys(account)]))

  # Whom messages are pushed as: of use only where they are.
  accounts = {
    for name, account in local.topology.serviceAccounts : name => account if name != "pusher" || local.pushes
  }
  # Accounts of this project are made; Google's own agents are there without us.
  ours = toset([for name, account in local.accounts : name if endswith(account.email, "@{project}.iam.gserviceaccount.com")])
  emails = {
    for name, account in local.accounts :
    name => replace(replace(account.email, "{projectNumber}", data.google_project.this.number), "{project}", var.project)
  }

  grants = flatten([
    for name, account in local.accounts : concat(
      [for field in local.fields_by_name : [
        for on, roles in try(account[field], {}) : [
          for role in roles : { account = name, field = field, on = on, role = role }
        ]
      ]],
      [for field in local.fields_of_one : [
        for role in try(account[field], []) : { account = name, field = field, on = field, role = role }
      ]],
    )
  ])
  # Before `podledger provision` there is nothing to grant roles on, and perhaps no agent of Pub/Sub.
  grantable = [
    for grant in local.grants : grant
    if(grant.field != "serviceAccounts" || contains(keys(local.accounts), grant.on))
    && !(grant.field == "dataset" && grant.account == coalesce(var.dataset_made_by, "nobody"))
    && (var.provisioned || (contains(["serviceAccounts", "project"], grant.field) && contains(local.ours, grant.account)))
  ]
  granted = {
    for field in local.grant_fields : field => {
      for grant in local.grantable : "${grant.account}/${grant.on}/${grant.role}" => grant if grant.field == field
    }
  }
}
