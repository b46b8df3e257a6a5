# The tables in it, one for each entity, are made by `colony features init`, and changed by `colony features apply` alone.
resource "google_bigquery_dataset" "features" {
  dataset_id                 = var.feature_store_name
  location                   = var.region
  description                = "Feature values of the colony: append-only, one table for each entity."
  delete_contents_on_destroy = false
  max_time_travel_hours      = 168

  dynamic "default_encryption_configuration" {
    for_each = var.encryption_key == "" ? [] : [var.encryption_key]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }

  depends_on = [google_project_service.this]
}
