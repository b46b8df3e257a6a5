# Vertex AI logs each change of a pipeline job's state. The sink sends the last one to the intake, so that a run is
# settled within seconds of its end. The entry is a hint: the worker asks Vertex AI, and looks at runs now and then, too.
resource "google_logging_project_sink" "run_states" {
  name                   = "colony-run-states"
  destination            = "pubsub.googleapis.com/${google_pubsub_topic.this[var.intake_topic].id}"
  unique_writer_identity = true

  filter = join(" AND ", [
    "resource.type=\"aiplatform.googleapis.com/PipelineJob\"",
    "jsonPayload.state=(\"PIPELINE_STATE_SUCCEEDED\" OR \"PIPELINE_STATE_FAILED\" OR \"PIPELINE_STATE_CANCELLED\")",
  ])
}

resource "google_pubsub_topic_iam_member" "run_states" {
  topic  = google_pubsub_topic.this[var.intake_topic].id
  role   = "roles/pubsub.publisher"
  member = google_logging_project_sink.run_states.writer_identity
}
