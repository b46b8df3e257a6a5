locals {
  # `python deploy/metrics.py > deploy/terraform/metrics.json` after a metric was declared; a test holds them equal.
  metrics = jsondecode(file("${path.module}/metrics.json"))

  own      = "resource.type=\"generic_task\" AND metric.type=\"custom.googleapis.com/colony"
  messages = "resource.type=\"pubsub_subscription\" AND metric.type=\"pubsub.googleapis.com/subscription"

  # Each has a section of its name in deploy/README.md: what it means, and what to do.
  alerts = {
    "evaluations-wait" = {
      filter  = "${local.messages}/oldest_unacked_message_age\" AND resource.label.subscription_id=\"${var.subscription}\""
      above   = var.backlog_minutes * 60
      for     = "300s"
      aligner = "ALIGN_MAX"
      reducer = "REDUCE_MAX"
      by      = []
    }
    "dead-letters" = {
      filter  = "${local.messages}/num_undelivered_messages\" AND resource.label.subscription_id=\"${local.review}\""
      above   = 0
      for     = "0s"
      aligner = "ALIGN_MAX"
      reducer = "REDUCE_MAX"
      by      = []
    }
    "runs-fail" = {
      filter  = "${local.own}/runs_total\" AND metric.label.verdict=\"failed\""
      above   = 0
      for     = "0s"
      aligner = "ALIGN_DELTA"
      reducer = "REDUCE_SUM"
      by      = ["metric.label.pipeline"]
    }
    "loops-fail" = {
      filter  = "${local.own}/loop_errors_total\""
      above   = 5
      for     = "300s"
      aligner = "ALIGN_DELTA"
      reducer = "REDUCE_SUM"
      by      = ["metric.label.loop"]
    }
    "events-wait" = {
      filter  = "${local.own}/outbox_waiting\""
      above   = 1000
      for     = "900s"
      aligner = "ALIGN_MAX"
      reducer = "REDUCE_MAX"
      by      = []
    }
    "features-lag" = {
      filter  = "${local.own}/features_lag_seconds\""
      above   = 1800
      for     = "900s"
      aligner = "ALIGN_MAX"
      reducer = "REDUCE_MAX"
      by      = ["metric.label.entity"]
    }
    "ledger-disk-fills" = {
      filter  = "resource.type=\"cloudsql_database\" AND metric.type=\"cloudsql.googleapis.com/database/disk/utilization\" AND resource.label.database_id=\"${var.project}:${google_sql_database_instance.ledger.name}\""
      above   = 0.85
      for     = "900s"
      aligner = "ALIGN_MAX"
      reducer = "REDUCE_MAX"
      by      = []
    }
  }
}

resource "google_monitoring_metric_descriptor" "this" {
  for_each = local.metrics

  type         = "custom.googleapis.com/colony/${each.key}"
  display_name = "Colony ${replace(each.key, "_", " ")}"
  description  = each.value.help
  metric_kind  = each.value.kind
  value_type   = "DOUBLE"
  unit         = "1"

  dynamic "labels" {
    for_each = each.value.labels
    content {
      key        = labels.value
      value_type = "STRING"
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.notify_emails)

  display_name = "Colony: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
  depends_on   = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "above" {
  for_each = local.alerts

  display_name          = "Colony: ${each.key}"
  combiner              = "OR"
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  conditions {
    display_name = each.key

    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = each.value.for

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.reducer
        group_by_fields      = each.value.by
      }
    }
  }

  documentation {
    content   = "What it means and what to do: deploy/README.md, section `${each.key}`."
    mime_type = "text/markdown"
  }

  alert_strategy {
    auto_close = "86400s"
  }

  depends_on = [google_monitoring_metric_descriptor.this]
}

resource "google_monitoring_alert_policy" "worker_silent" {
  for_each = toset(local.runs_pool)

  display_name          = "Colony: worker-silent"
  combiner              = "OR"
  notification_channels = [for channel in google_monitoring_notification_channel.email : channel.id]

  conditions {
    display_name = "worker-silent"

    condition_absent {
      filter   = "${local.own}/runs_active\""
      duration = "900s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_MAX"
      }
    }
  }

  documentation {
    content   = "What it means and what to do: deploy/README.md, section `worker-silent`."
    mime_type = "text/markdown"
  }

  depends_on = [google_monitoring_metric_descriptor.this]
}
