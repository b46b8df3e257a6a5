"""The PipelineSpec's semantics, pure: graph, conditions, placeholders, task states (ENGINE: the local adapter runs it)."""
