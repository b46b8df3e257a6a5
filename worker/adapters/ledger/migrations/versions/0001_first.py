"""The first schema."""

import sqlalchemy as sa
from alembic import op

from worker.adapters.ledger.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table; later revisions change them step by step, and this one is then written out."""
    connection: sa.Connection = op.get_bind()
    metadata.create_all(connection, checkfirst=True)
