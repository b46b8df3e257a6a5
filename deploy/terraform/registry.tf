resource "google_artifact_registry_repository" "images" {
  location      = var.region
  repository_id = "colony"
  format        = "DOCKER"
  description   = "The one image of worker, API, pipeline steps and model server."

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "7776000s"
    }
  }

  depends_on = [google_project_service.this]
}
