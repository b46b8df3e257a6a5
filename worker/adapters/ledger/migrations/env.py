"""Alembic's entry point; `worker.adapters.ledger.migrate` configures it, so there is nothing to do here."""
