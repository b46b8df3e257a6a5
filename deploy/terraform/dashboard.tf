locals {
  # Title -> what it shows: a filter, and how its series are put together.
  charts = {
    "Messages per minute, by verdict"       = { filter = "${local.own}/messages_total\"", aligner = "ALIGN_RATE", by = ["metric.label.verdict"] }
    "Decisions per minute, by action"       = { filter = "${local.own}/decisions_total\"", aligner = "ALIGN_RATE", by = ["metric.label.action"] }
    "Runs under way"                        = { filter = "${local.own}/runs_active\"", aligner = "ALIGN_MAX", by = [] }
    "Runs settled, by verdict"              = { filter = "${local.own}/runs_total\"", aligner = "ALIGN_DELTA", by = ["metric.label.pipeline", "metric.label.verdict"] }
    "Age of the oldest evaluation, seconds" = { filter = "${local.messages}/oldest_unacked_message_age\" AND resource.label.subscription_id=\"${var.subscription}\"", aligner = "ALIGN_MAX", by = [] }
    "Dead letters to be looked at"          = { filter = "${local.messages}/num_undelivered_messages\" AND resource.label.subscription_id=\"${local.review}\"", aligner = "ALIGN_MAX", by = [] }
    "Events that wait to be published"      = { filter = "${local.own}/outbox_waiting\"", aligner = "ALIGN_MAX", by = [] }
    "Errors of loops"                       = { filter = "${local.own}/loop_errors_total\"", aligner = "ALIGN_DELTA", by = ["metric.label.loop"] }
    "Predictions per minute, by bee"        = { filter = "${local.own}/predictions_total\"", aligner = "ALIGN_RATE", by = ["metric.label.bee", "metric.label.version"] }
    "Online features behind, seconds"       = { filter = "${local.own}/features_lag_seconds\"", aligner = "ALIGN_MAX", by = ["metric.label.entity"] }
    "Connections to the ledger"             = { filter = "resource.type=\"cloudsql_database\" AND metric.type=\"cloudsql.googleapis.com/database/postgresql/num_backends\"", aligner = "ALIGN_MAX", by = [] }
  }
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "Colony MLOps"
    gridLayout = {
      columns = "2"
      widgets = [for title, chart in local.charts : {
        title = title
        xyChart = {
          dataSets = [{
            plotType = "LINE"
            timeSeriesQuery = {
              timeSeriesFilter = {
                filter = chart.filter
                aggregation = {
                  alignmentPeriod    = "60s"
                  perSeriesAligner   = chart.aligner
                  crossSeriesReducer = chart.aligner == "ALIGN_MAX" ? "REDUCE_MAX" : "REDUCE_SUM"
                  groupByFields      = chart.by
                }
              }
            }
          }]
        }
      }]
    }
  })

  depends_on = [google_monitoring_metric_descriptor.this]
}
