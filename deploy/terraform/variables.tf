variable "project" {
  description = "Id of the Google Cloud project: GOOGLE_CLOUD_PROJECT."
  type        = string
}

variable "region" {
  description = "Where everything runs and is kept: GOOGLE_CLOUD_REGION. Vertex AI Pipelines has to be offered there."
  type        = string
  default     = "us-central1"
}

variable "image" {
  description = "The pushed image by its digest, REGION-docker.pkg.dev/…/colony-mlops@sha256:…: COLONY_IMAGE. Empty: everything but Cloud Run is made, so that there is a repository to push to."
  type        = string
  default     = ""

  validation {
    condition     = var.image == "" || can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "Name the image by its digest (…@sha256:…): a tag can be moved under a running colony."
  }
}

variable "intake_topic" {
  description = "Topic of incoming evaluations: COLONY_INTAKE_TOPIC."
  type        = string
  default     = "colony-model-evaluated"
}

variable "subscription" {
  description = "Subscription that the worker pulls: COLONY_SUBSCRIPTION."
  type        = string
  default     = "colony-model-evaluated"
}

variable "events_topic" {
  description = "Topic of what the colony tells: COLONY_EVENTS_TOPIC."
  type        = string
  default     = "colony-events"
}

variable "dead_letter_topic" {
  description = "Topic of messages that were turned away: COLONY_DEAD_LETTER_TOPIC. Its subscription is named …-review."
  type        = string
  default     = "colony-dead-letters"
}

variable "bucket" {
  description = "Name of the bucket for the files of runs and models: PIPELINE_BUCKET. Empty: PROJECT-colony."
  type        = string
  default     = ""
}

variable "run_files_days" {
  description = "After how many days the files of runs are deleted; models are kept apart from them. 0: never."
  type        = number
  default     = 0
}

variable "feature_store_name" {
  description = "BigQuery dataset of the features, and name of the online store: FEATURE_STORE_NAME. Small letters, digits and underscores."
  type        = string
  default     = "colony"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,49}$", var.feature_store_name))
    error_message = "Use small letters, digits and underscores, at most 50, the first a letter."
  }
}

variable "online_store" {
  description = "Whether features are read online from a store on Bigtable, in milliseconds, instead of from BigQuery, in seconds: COLONY_FEATURES_ONLINE. It is the dearest part of an idle colony."
  type        = bool
  default     = true
}

variable "online_nodes_max" {
  description = "To how many Bigtable nodes the online store may grow; it starts with 1."
  type        = number
  default     = 2
}

variable "sql_tier" {
  description = "Machine of the ledger's PostgreSQL."
  type        = string
  default     = "db-custom-1-3840"
}

variable "sql_highly_available" {
  description = "Whether the ledger has a standby in another zone (twice the price)."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete what holds data: ledger, dataset, Cloud Run."
  type        = bool
  default     = true
}

variable "worker" {
  description = "pool: a worker pool runs all the time. job: the drain job runs on schedule, and nothing in between."
  type        = string
  default     = "pool"

  validation {
    condition     = contains(["pool", "job"], var.worker)
    error_message = "Use pool or job."
  }
}

variable "worker_instances" {
  description = "Instances of the worker pool. One is enough; two take over from each other within seconds."
  type        = number
  default     = 1
}

variable "drain_schedule" {
  description = "When the drain job runs where worker is job (cron, UTC)."
  type        = string
  default     = "*/15 * * * *"
}

variable "api_instances_min" {
  description = "Instances of the API that stay up. 0: the first call after a quiet time waits for the start."
  type        = number
  default     = 0
}

variable "api_instances_max" {
  description = "To how many instances the API may grow; each has up to 16 connections to the ledger, of 100 that the default machine takes."
  type        = number
  default     = 4
}

variable "api_audience" {
  description = "Audience of the Google ID tokens that callers of the API show: COLONY_AUTH_AUDIENCE."
  type        = string
  default     = "https://colony-mlops"
}

variable "api_emails" {
  description = "Who may call the API, and what for: `ada@example.org=read+write, bot@example.org=read`: COLONY_AUTH_EMAILS."
  type        = string
}

variable "api_invokers" {
  description = "Who gets past Cloud Run to the API, which then asks each caller for a token of its own. allUsers where callers have only one Authorization header to give."
  type        = list(string)
  default     = []
}

variable "public_url" {
  description = "Where people reach the API, as links in notices say it: COLONY_PUBLIC_URL. Empty: none is known."
  type        = string
  default     = ""
}

variable "secrets" {
  description = "Which of the optional secrets have a value: webhook (COLONY_WEBHOOK), link (COLONY_LINK_SECRET), chat-key (COLONY_CHAT_KEY_SECRET)."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.secrets, ["webhook", "link", "chat-key"])) == 0
    error_message = "Name webhook, link or chat-key."
  }
}

variable "chat_url" {
  description = "The chat endpoint of bees that generate text: COLONY_CHAT_URL. Empty: there are none."
  type        = string
  default     = ""
}

variable "push" {
  description = "Whether evaluations are pushed to the API, too: what arrives both ways counts once. Needs allUsers in api_invokers, since the API itself verifies the token that Pub/Sub shows."
  type        = bool
  default     = false
}

variable "serving" {
  description = "Whether models in production are deployed to Vertex AI endpoints: COLONY_SERVING. Each deployed model is a machine that runs all the time."
  type        = bool
  default     = false
}

variable "vertex_network" {
  description = "Peered VPC of the pipeline jobs, projects/NUMBER/global/networks/NAME: COLONY_VERTEX_NETWORK. Empty: none."
  type        = string
  default     = ""
}

variable "encryption_key" {
  description = "Cloud KMS key of bucket, dataset and pipeline jobs: COLONY_VERTEX_ENCRYPTION_KEY. Empty: Google's own keys. The service agents need roles/cloudkms.cryptoKeyEncrypterDecrypter on it."
  type        = string
  default     = ""
}

variable "settings" {
  description = "Further settings of worker, API and drain job by their names in the README's table, such as { COLONY_VERTEX_SUBMISSIONS = \"30\" }. Nothing secret."
  type        = map(string)
  default     = {}
}

variable "notify_emails" {
  description = "Who is told of alerts, by e-mail."
  type        = list(string)
  default     = []
}

variable "backlog_minutes" {
  description = "How old the oldest evaluation may get before it is an alert."
  type        = number
  default     = 10
}
