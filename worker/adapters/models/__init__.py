"""Model storage: backend word → module with `build(directory)`; one format, skops, for all of them."""

BACKENDS: dict[str, str] = {"local": "worker.adapters.models.local"}
