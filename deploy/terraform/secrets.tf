# Only the containers; their values are added by hand (README.md, step 4), so that none is in Terraform's state.
resource "google_secret_manager_secret" "this" {
  for_each = toset(["ledger", "webhook", "link", "chat-key"])

  secret_id = "colony-${each.value}"

  replication {
    auto {}
  }

  depends_on = [google_project_service.this]
}
