"""Where metrics go; the table names the backends."""

BACKENDS: dict[str, str] = {
    "local": "worker.adapters.metrics.local",
    "monitoring": "worker.adapters.metrics.monitoring",
}
