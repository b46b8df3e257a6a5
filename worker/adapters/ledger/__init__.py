"""The ledger on SQL: SQLite by default, PostgreSQL by URL, one implementation."""

BACKENDS: dict[str, str] = {"sql": "worker.adapters.ledger.sql"}
