resource "google_cloud_run_v2_worker_pool" "worker" {
  for_each = toset(local.runs_pool)

  name                = "colony-worker"
  location            = var.region
  deletion_protection = var.deletion_protection

  scaling {
    scaling_mode          = "MANUAL"
    manual_instance_count = var.worker_instances
  }

  template {
    service_account = google_service_account.this["worker"].email

    containers {
      image   = var.image
      command = ["colony"]
      args    = ["run"]

      resources {
        limits = { cpu = "1", memory = "1Gi" }
      }

      dynamic "env" {
        for_each = merge(local.environment, { COLONY_HEALTH_PORT = "8080" })
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.worker_secrets
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.this[env.value].secret_id
              version = "latest"
            }
          }
        }
      }

      # 24 × 5 s: the port answers within a second; ready it is when the libraries are loaded and the ledger answers.
      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 3
        failure_threshold = 24
        http_get {
          path = "/readyz"
          port = 8080
        }
      }

      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 4
        http_get {
          path = "/livez"
          port = 8080
        }
      }
    }
  }

  depends_on = [google_project_iam_member.this, google_secret_manager_secret_iam_member.this]
}

resource "google_cloud_run_v2_service" "api" {
  for_each = toset(local.runs)

  name                = "colony-api"
  location            = var.region
  deletion_protection = var.deletion_protection
  ingress             = "INGRESS_TRAFFIC_ALL"

  template {
    service_account                  = google_service_account.this["api"].email
    max_instance_request_concurrency = 80
    timeout                          = "300s"

    scaling {
      min_instance_count = var.api_instances_min
      max_instance_count = var.api_instances_max
    }

    containers {
      image   = var.image
      command = ["colony"]
      args    = ["serve"]

      ports {
        container_port = 8080
      }

      resources {
        limits            = { cpu = "1", memory = "1Gi" }
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge(local.environment, {
          COLONY_HOST = "0.0.0.0"
          COLONY_PORT = "8080"
          # Cloud Run hands requests on from link-local addresses, with the caller's own at the end of X-Forwarded-For.
          COLONY_TRUSTED_PROXIES = "169.254.0.0/16"
          COLONY_AUTH_AUDIENCE   = var.api_audience
          COLONY_AUTH_EMAILS     = var.api_emails
          COLONY_PUSH_AUDIENCE   = var.push ? var.api_audience : ""
          COLONY_PUSH_EMAIL      = var.push ? google_service_account.this["push"].email : ""
        })
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.api_secrets
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = google_secret_manager_secret.this[env.value].secret_id
              version = "latest"
            }
          }
        }
      }

      startup_probe {
        period_seconds    = 5
        timeout_seconds   = 3
        failure_threshold = 24
        http_get {
          path = "/healthz"
          port = 8080
        }
      }

      liveness_probe {
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 4
        http_get {
          path = "/healthz"
          port = 8080
        }
      }
    }
  }

  depends_on = [google_project_iam_member.this, google_secret_manager_secret_iam_member.this]
}

resource "google_cloud_run_v2_service_iam_member" "callers" {
  for_each = var.image == "" ? toset([]) : toset(var.api_invokers)

  name     = google_cloud_run_v2_service.api["this"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = each.value
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  for_each = toset(local.runs_push)

  name     = google_cloud_run_v2_service.api["this"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.this["push"].member
}

resource "google_cloud_run_v2_job" "drain" {
  for_each = toset(local.runs)

  name                = "colony-drain"
  location            = var.region
  deletion_protection = var.deletion_protection

  template {
    parallelism = 1
    task_count  = 1

    template {
      service_account = google_service_account.this["worker"].email
      timeout         = "1800s"
      # What is left (exit code 3) is taken up by the next run.
      max_retries = 0

      containers {
        image   = var.image
        command = ["colony"]
        args    = ["drain", "--max-seconds", "1500", "--idle-seconds", "10"]

        resources {
          limits = { cpu = "1", memory = "1Gi" }
        }

        dynamic "env" {
          for_each = local.environment
          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = local.worker_secrets
          content {
            name = env.key
            value_source {
              secret_key_ref {
                secret  = google_secret_manager_secret.this[env.value].secret_id
                version = "latest"
              }
            }
          }
        }
      }
    }
  }

  depends_on = [google_project_iam_member.this, google_secret_manager_secret_iam_member.this]
}

resource "google_cloud_scheduler_job" "drain" {
  for_each = toset(local.runs_job)

  name             = "colony-drain"
  region           = var.region
  schedule         = var.drain_schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "60s"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.drain["this"].id}:run"

    oauth_token {
      service_account_email = google_service_account.this["scheduler"].email
    }
  }
}

resource "google_cloud_run_v2_job_iam_member" "scheduler" {
  for_each = toset(local.runs_job)

  name     = google_cloud_run_v2_job.drain["this"].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.this["scheduler"].member
}
