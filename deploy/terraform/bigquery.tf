# The tables in them, one for each entity, are made by `colony features init`, and changed by `colony features define`
# and `apply` alone.
locals {
  # Dataset -> how long a table in it lives, in hours; null for ever. What is loaded in bulk passes through the second.
  datasets = {
    (var.feature_store_name)            = null
    "${var.feature_store_name}_staging" = 24
  }
}

resource "google_bigquery_dataset" "features" {
  for_each = local.datasets

  dataset_id                  = each.key
  location                    = var.region
  description                 = each.value == null ? "Feature values of the colony: append-only, one table for each entity." : "Bulk loads on their way into the colony's features."
  default_table_expiration_ms = each.value == null ? null : each.value * 3600000
  delete_contents_on_destroy  = each.value != null
  max_time_travel_hours       = 168

  dynamic "default_encryption_configuration" {
    for_each = var.encryption_key == "" ? [] : [var.encryption_key]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }

  depends_on = [google_project_service.this]
}
