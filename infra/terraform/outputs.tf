output "service_accounts" {
  description = "The accounts by their name in the topology: whom each stage runs as."
  value       = { for name in local.ours : name => local.emails[name] }
  depends_on  = [google_service_account.account]
}

output "addresses" {
  description = "What `podledger provision` and the stages take from the environment."
  value = {
    PODLEDGER_BROKER    = "pubsub:${var.project}"
    PODLEDGER_OBJECTS   = "gs://${join("/", compact([local.bucket, var.prefix]))}"
    PODLEDGER_WAREHOUSE = "bigquery:${var.project}.${var.dataset}"
  }
}
