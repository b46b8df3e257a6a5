"""Who changed what is served, and the numbers that it was changed on."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add columns; older workers do not notice."""
    op.add_column("deployments", sa.Column("by", sa.Text()))
    op.add_column("deployments", sa.Column("numbers", sa.Text()))
