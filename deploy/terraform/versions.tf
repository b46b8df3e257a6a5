terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.0"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region

  default_labels = {
    app = "colony-mlops"
  }
}

data "google_project" "this" {
  project_id = var.project
}
