"""Where messages come from and events go; the table names the backends."""

BACKENDS: dict[str, str] = {"local": "worker.adapters.bus.local", "pubsub": "worker.adapters.bus.pubsub"}
