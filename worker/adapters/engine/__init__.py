"""The pipeline engines: name in the settings → module that builds one."""

BACKENDS: dict[str, str] = {"local": "worker.adapters.engine.local", "vertex": "worker.adapters.engine.vertex"}
