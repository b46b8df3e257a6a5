"""What runs inside a pipeline: `python -m worker.steps TYPE --executor-input …`, one process per step."""
