"""Model storage: backend word → module with `from_options`; one format, skops, for all of them."""

BACKENDS: dict[str, str] = {"local": "worker.adapters.models.local", "vertex": "worker.adapters.models.vertex"}
