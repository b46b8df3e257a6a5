locals {
  bucket = var.bucket == "" ? "${var.project}-colony" : var.bucket

  # Google's own accounts, which deliver, call and sync on the project's behalf.
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"

  # What is in Cloud Run only once there is an image.
  runs      = var.image == "" ? [] : ["this"]
  runs_pool = var.worker == "pool" ? local.runs : []
  runs_job  = var.worker == "job" ? local.runs : []
  runs_push = var.push ? local.runs : []

  # What worker, API and drain job are told; tests/deploy compares the names with config/settings.py.
  told = {
    GOOGLE_CLOUD_PROJECT           = var.project
    GOOGLE_CLOUD_REGION            = var.region
    PIPELINE_BUCKET                = local.bucket
    FEATURE_STORE_NAME             = var.feature_store_name
    FEATURE_STORE_REGION           = var.region
    COLONY_IMAGE                   = var.image
    COLONY_INTAKE_TOPIC            = var.intake_topic
    COLONY_SUBSCRIPTION            = var.subscription
    COLONY_EVENTS_TOPIC            = var.events_topic
    COLONY_DEAD_LETTER_TOPIC       = var.dead_letter_topic
    COLONY_SERVING                 = tostring(var.serving)
    COLONY_SERVING_SERVICE_ACCOUNT = google_service_account.this["models"].email
    COLONY_VERTEX_SERVICE_ACCOUNT  = google_service_account.this["steps"].email
    COLONY_VERTEX_NETWORK          = var.vertex_network
    COLONY_VERTEX_ENCRYPTION_KEY   = var.encryption_key
    COLONY_FEATURES_ONLINE         = var.online_store ? "views" : "bigquery"
    COLONY_CHAT_URL                = var.chat_url
    COLONY_CHAT_KEY_SECRET         = local.chat_key
    COLONY_PUBLIC_URL              = var.public_url
    COLONY_LOG_FORMAT              = "json"
  }

  environment = merge(local.told, var.settings)

  # Environment variable -> secret that holds its value; a secret without a value would keep Cloud Run from starting.
  worker_secrets = merge({ COLONY_LEDGER = "ledger" }, local.webhook_secrets, local.link_secrets)
  api_secrets    = merge({ COLONY_LEDGER = "ledger" }, local.link_secrets)

  webhook_secrets = contains(var.secrets, "webhook") ? { COLONY_WEBHOOK = "webhook" } : {}
  link_secrets    = contains(var.secrets, "link") ? { COLONY_LINK_SECRET = "link" } : {}
  chat_key        = contains(var.secrets, "chat-key") ? "${google_secret_manager_secret.this["chat-key"].id}/versions/latest" : ""
}
