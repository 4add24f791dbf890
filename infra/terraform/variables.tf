variable "project" {
  description = "Id of the project that holds topics, bucket and dataset."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project's id has 6 to 30 lower-case letters, digits and hyphens; its number will not do."
  }
}

variable "region" {
  description = "Where Cloud Scheduler runs."
  type        = string
  default     = "europe-west2"
}

variable "topology" {
  description = "The file that `podledger provision` reads; without it, the repository's."
  type        = string
  default     = null
}

variable "bucket" {
  description = "The bucket of PODLEDGER_OBJECTS; without it, the project's id and -podledger."
  type        = string
  default     = null
}

variable "prefix" {
  description = "The prefix of PODLEDGER_OBJECTS within the bucket. Roles are on the whole bucket."
  type        = string
  default     = "podledger"
}

variable "dataset" {
  description = "The dataset of PODLEDGER_WAREHOUSE."
  type        = string
  default     = "podledger"
}

variable "dataset_made_by" {
  description = "The topology's account as which `podledger provision` made the dataset, null where it was somebody else. BigQuery has made it an owner, and the provider refuses to grant what is there."
  type        = string
  default     = "provisioner"
}

variable "provisioned" {
  description = "Whether `podledger provision` has run. False makes only what it needs itself: APIs, accounts, and roles on the project and on accounts. Switched back to false, it takes the other roles, the sinks and the schedule away."
  type        = bool
  default     = true
}

variable "push" {
  description = "Whether messages are pushed to the stages; without it, whether the topology pushes any subscription."
  type        = bool
  default     = null
}

variable "cluster_projects" {
  description = "Projects whose GKE clusters are looked at, by id; of each the clusters as LOCATION/NAME, none for all. Without it, all clusters of the project itself. {} for none."
  type        = map(object({ clusters = optional(set(string), []) }))
  default     = null

  validation {
    condition = alltrue([
      for cluster in flatten([for project in values(coalesce(var.cluster_projects, {})) : tolist(project.clusters)]) :
      can(regex("^[a-z0-9-]+/[a-z0-9-]+$", cluster))
    ])
    error_message = "A cluster is LOCATION/NAME, such as europe-west2/prod-uk."
  }
}

variable "document_projects" {
  description = "Further projects whose Firestore databases are read."
  type        = set(string)
  default     = []
}

variable "schedules" {
  description = "When snapshots are asked for: by name, of which cluster (a name of PODLEDGER_CLUSTERS or PODLEDGER_DOCUMENTS, * for all), of which kinds (none for all), and when, in UTC."
  type = map(object({
    cluster = optional(string, "*")
    kinds   = optional(set(string), [])
    cron    = optional(string, "*/5 * * * *")
  }))
  default = { every-cluster = {} }
}

variable "more_apis" {
  description = "APIs to switch on besides, such as connectgateway.googleapis.com for clusters that are reached through it."
  type        = set(string)
  default     = []
}
