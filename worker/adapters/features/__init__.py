"""The feature stores there are: name -> module."""

BACKENDS: dict[str, str] = {
    "local": "worker.adapters.features.local",
    "google": "worker.adapters.features.google.backend",
}
