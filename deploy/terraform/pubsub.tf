locals {
  topics = toset([var.intake_topic, var.events_topic, var.dead_letter_topic, local.probe])
  # What `colony doctor --live` publishes to and pulls from, so that no probe ever meets an evaluation.
  probe  = "${var.events_topic}-probe"
  review = "${var.dead_letter_topic}-review"
}

resource "google_pubsub_topic" "this" {
  for_each = local.topics

  name       = each.value
  depends_on = [google_project_service.this]
}

resource "google_pubsub_subscription" "intake" {
  name                       = var.subscription
  topic                      = google_pubsub_topic.this[var.intake_topic].id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  # Without this it would be deleted after 31 days without a worker.
  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.this[var.dead_letter_topic].id
    max_delivery_attempts = 100
  }
}

resource "google_pubsub_subscription" "pushed" {
  for_each = toset(local.runs_push)

  name                       = "${var.subscription}-pushed"
  topic                      = google_pubsub_topic.this[var.intake_topic].id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = "${google_cloud_run_v2_service.api["this"].uri}/api/mlops/events/push"

    oidc_token {
      service_account_email = google_service_account.this["push"].email
      audience              = var.api_audience
    }
  }

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.this[var.dead_letter_topic].id
    max_delivery_attempts = 100
  }
}

resource "google_pubsub_subscription" "review" {
  name                       = local.review
  topic                      = google_pubsub_topic.this[var.dead_letter_topic].id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "probe" {
  name                       = local.probe
  topic                      = google_pubsub_topic.this[local.probe].id
  ack_deadline_seconds       = 10
  message_retention_duration = "600s"

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub's own account moves what cannot be delivered: without these two grants a dead letter is lost or comes for ever.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.this[var.dead_letter_topic].id
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each = toset(concat(
    [google_pubsub_subscription.intake.name],
    [for subscription in google_pubsub_subscription.pushed : subscription.name],
  ))

  subscription = each.value
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
