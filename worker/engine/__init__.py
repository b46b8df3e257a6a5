"""The PipelineSpec's semantics, pure: graph, conditions, placeholders, task states; the local adapter runs it."""
