output "image_repository" {
  description = "Where the image is pushed to, without its digest."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}/colony-mlops"
}

output "ledger_connection" {
  description = "The ledger's instance, as a URL's `cloudsql=` names it."
  value       = google_sql_database_instance.ledger.connection_name
}

output "api_url" {
  description = "Where the API answers; null before there is an image."
  value       = one([for service in google_cloud_run_v2_service.api : service.uri])
}

output "service_accounts" {
  description = "Role -> e-mail address of its service account."
  value       = { for role, account in google_service_account.this : role => account.email }
}

output "environment" {
  description = "Environment of a shell that acts on this colony; COLONY_LEDGER comes from Secret Manager."
  value       = local.environment
}
