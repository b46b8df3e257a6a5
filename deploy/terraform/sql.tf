# The ledger. No address is authorised: Cloud Run reaches it through Cloud SQL's connector, by IAM and TLS.
# The user `colony` and its password are made by hand (README.md, step 4), so that no secret is in Terraform's state.
resource "google_sql_database_instance" "ledger" {
  name                = "colony-ledger"
  region              = var.region
  database_version    = "POSTGRES_16"
  deletion_protection = var.deletion_protection

  settings {
    tier                        = var.sql_tier
    edition                     = "ENTERPRISE"
    availability_type           = var.sql_highly_available ? "REGIONAL" : "ZONAL"
    disk_autoresize             = true
    deletion_protection_enabled = var.deletion_protection

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      start_time                     = "03:00"
    }

    ip_configuration {
      ipv4_enabled = true
      ssl_mode     = "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"
    }

    maintenance_window {
      day  = 7
      hour = 4
    }

    insights_config {
      query_insights_enabled = true
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_sql_database" "ledger" {
  name     = "colony"
  instance = google_sql_database_instance.ledger.name
}
