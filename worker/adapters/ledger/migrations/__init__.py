"""Where Alembic finds the revisions."""
