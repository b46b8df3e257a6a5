"""What a run was thought to cost and why, what it cost by the price list, and what it cost by the bill."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add columns; older workers do not notice."""
    op.add_column("runs", sa.Column("estimate_basis", sa.Text()))
    op.add_column("runs", sa.Column("settled_cost", sa.Float()))
    op.add_column("runs", sa.Column("cost_basis", sa.Text()))
    op.add_column("runs", sa.Column("billed_cost", sa.Float()))
    op.add_column("runs", sa.Column("billed_at", sa.BigInteger()))
    op.add_column("runs", sa.Column("rows", sa.BigInteger()))
    op.add_column("run_steps", sa.Column("machine", sa.Text()))
