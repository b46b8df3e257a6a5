"""Templates: YAML → validated steps → compiled PipelineSpec, found again by content hash."""
