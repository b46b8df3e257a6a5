# Feature groups and views are made by `colony features init`: the provider has no argument for dense groups, and each
# group needs the entity's table, which that command makes first.
resource "google_vertex_ai_feature_online_store" "this" {
  count = var.online_store ? 1 : 0

  name          = var.feature_store_name
  region        = var.region
  force_destroy = false

  bigtable {
    auto_scaling {
      min_node_count         = 1
      max_node_count         = var.online_nodes_max
      cpu_utilization_target = 50
    }
  }

  depends_on = [google_project_service.this]
}
