"""What deciding remembers of each bee, what an incident waits for, and what a run costs."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add columns that may be empty; older workers do not notice."""
    op.add_column("bee_state", sa.Column("memory", sa.Text()))
    op.add_column("incidents", sa.Column("detail", sa.Text()))
    op.add_column("runs", sa.Column("estimate", sa.Float()))
    op.add_column("runs", sa.Column("cost", sa.Float()))
