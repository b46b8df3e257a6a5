# One service account for each role, each with what it needs and no more. tests/deploy/terraform_allowed.yaml lists the
# same grants: a new one is added in both places, or the test says so.
locals {
  accounts = {
    worker    = "Takes evaluations, decides, starts runs, deploys, publishes"
    api       = "Serves the HTTP API"
    steps     = "Runs the steps of pipelines on Vertex AI"
    models    = "Runs the model server on Vertex AI endpoints"
    push      = "Signs what Pub/Sub pushes to the API"
    scheduler = "Starts the drain job"
  }

  project_roles = {
    worker = ["roles/bigquery.jobUser", "roles/cloudsql.client", "roles/monitoring.metricWriter"]
    api    = ["roles/bigquery.jobUser", "roles/cloudsql.client", "roles/monitoring.metricWriter"]
    # Vertex AI asks for the first of whoever a pipeline runs as.
    steps  = ["roles/aiplatform.user", "roles/bigquery.jobUser", "roles/bigquery.readSessionUser", "roles/logging.logWriter"]
    models = ["roles/logging.logWriter"]
  }

  custom_roles = {
    worker = concat(local.feature_reading, [
      "aiplatform.endpoints.create",
      "aiplatform.endpoints.deploy",
      "aiplatform.endpoints.get",
      "aiplatform.endpoints.list",
      "aiplatform.endpoints.undeploy",
      "aiplatform.endpoints.update",
      "aiplatform.models.get",
      "aiplatform.models.list",
      "aiplatform.models.update",
      "aiplatform.models.upload",
      "aiplatform.pipelineJobs.cancel",
      "aiplatform.pipelineJobs.create",
      "aiplatform.pipelineJobs.get",
      "aiplatform.pipelineJobs.list",
    ])
    api = local.feature_reading
  }

  feature_reading = [
    "aiplatform.featureGroups.get",
    "aiplatform.featureGroups.list",
    "aiplatform.featureOnlineStores.get",
    "aiplatform.featureOnlineStores.list",
    "aiplatform.featureViewSyncs.get",
    "aiplatform.featureViewSyncs.list",
    "aiplatform.featureViews.fetchFeatureValues",
    "aiplatform.featureViews.get",
    "aiplatform.featureViews.list",
    "aiplatform.features.get",
    "aiplatform.features.list",
  ]

  bucket_roles = {
    worker = "roles/storage.objectUser"
    api    = "roles/storage.objectViewer"
    steps  = "roles/storage.objectUser"
    models = "roles/storage.objectViewer"
  }

  dataset_roles = {
    worker = "roles/bigquery.dataEditor"
    api    = "roles/bigquery.dataEditor"
    steps  = "roles/bigquery.dataEditor"
  }

  # `viewer`: what is used is also looked up, by `colony doctor` and at the start. The intake is told what monitors find.
  topic_roles = {
    worker = { (var.intake_topic) = ["publisher", "viewer"], (var.events_topic) = ["publisher", "viewer"], (var.dead_letter_topic) = ["publisher", "viewer"], (local.probe) = ["publisher", "viewer"] }
    api    = { (var.events_topic) = ["publisher", "viewer"] }
  }

  subscription_roles = {
    worker = {
      (google_pubsub_subscription.intake.name) = ["subscriber", "viewer"]
      (google_pubsub_subscription.probe.name)  = ["subscriber", "viewer"]
    }
  }

  secret_readers = {
    worker = values(local.worker_secrets)
    api    = values(local.api_secrets)
    steps  = ["chat-key"]
  }
}

resource "google_service_account" "this" {
  for_each = local.accounts

  account_id   = "colony-${each.key}"
  display_name = "Colony ${each.key}"
  description  = each.value
  depends_on   = [google_project_service.this]
}

resource "google_project_iam_custom_role" "this" {
  for_each = local.custom_roles

  role_id     = "colony${title(each.key)}"
  title       = "Colony ${each.key}"
  description = "What the ${each.key} does on Vertex AI."
  permissions = each.value
}

resource "google_project_iam_member" "custom" {
  for_each = local.custom_roles

  project = var.project
  role    = google_project_iam_custom_role.this[each.key].id
  member  = google_service_account.this[each.key].member
}

resource "google_project_iam_member" "this" {
  for_each = merge([for name, roles in local.project_roles : { for role in roles : "${name} ${role}" => { name = name, role = role } }]...)

  project = var.project
  role    = each.value.role
  member  = google_service_account.this[each.value.name].member
}

resource "google_storage_bucket_iam_member" "this" {
  for_each = local.bucket_roles

  bucket = google_storage_bucket.this.name
  role   = each.value
  member = google_service_account.this[each.key].member
}

resource "google_bigquery_dataset_iam_member" "this" {
  for_each = merge([for name, role in local.dataset_roles : { for dataset in keys(local.datasets) : "${name} ${dataset}" => { name = name, role = role, dataset = dataset } }]...)

  dataset_id = google_bigquery_dataset.features[each.value.dataset].dataset_id
  role       = each.value.role
  member     = google_service_account.this[each.value.name].member
}

resource "google_pubsub_topic_iam_member" "this" {
  for_each = merge(flatten([for name, topics in local.topic_roles : [for topic, roles in topics : {
    for role in roles : "${name} ${topic} ${role}" => { name = name, topic = topic, role = role }
  }]])...)

  topic  = google_pubsub_topic.this[each.value.topic].id
  role   = "roles/pubsub.${each.value.role}"
  member = google_service_account.this[each.value.name].member
}

resource "google_pubsub_subscription_iam_member" "this" {
  for_each = merge(flatten([for name, subscriptions in local.subscription_roles : [for subscription, roles in subscriptions : {
    for role in roles : "${name} ${subscription} ${role}" => { name = name, subscription = subscription, role = role }
  }]])...)

  subscription = each.value.subscription
  role         = "roles/pubsub.${each.value.role}"
  member       = google_service_account.this[each.value.name].member
}

resource "google_secret_manager_secret_iam_member" "this" {
  for_each = merge([for name, secrets in local.secret_readers : { for secret in secrets : "${name} ${secret}" => { name = name, secret = secret } }]...)

  secret_id = google_secret_manager_secret.this[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this[each.value.name].member
}

# The worker starts pipelines that run as the steps' account, and model servers that run as theirs.
resource "google_service_account_iam_member" "acts_as" {
  for_each = toset(["steps", "models"])

  service_account_id = google_service_account.this[each.value].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this["worker"].member
}

# Pub/Sub makes tokens of the push account.
resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.this["push"].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
}
