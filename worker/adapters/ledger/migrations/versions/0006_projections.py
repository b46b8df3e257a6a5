"""What is being done so that a registry of models elsewhere shows what the ledger says."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create a table; older workers do not notice."""
    op.create_table(
        "projections",
        sa.Column("bee", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("since", sa.BigInteger()),
        sa.Column("operation", sa.Text()),
        sa.Column("faults", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("again_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("bee", "kind", "subject", name="pk_projections"),
    )
