"""Where the bill comes from; the table names the backends."""

BACKENDS: dict[str, str] = {
    "local": "worker.adapters.billing.local",
    "bigquery": "worker.adapters.billing.bigquery",
}
