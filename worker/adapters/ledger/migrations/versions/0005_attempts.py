"""How often a message has failed and why, so that a restart does not begin to count anew; what became of a requeue."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create a table and columns that may be empty; older workers do not notice."""
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("history", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_changed", "attempts", ["changed_at"])
    op.create_index("ix_inbox_received", "inbox", ["received_at"])
    op.add_column("dead_letters", sa.Column("message_id", sa.Text()))
    op.add_column("dead_letters", sa.Column("history", sa.Text()))
    op.add_column("dead_letters", sa.Column("requeued_at", sa.BigInteger()))
    op.add_column("dead_letters", sa.Column("requeued_as", sa.Text()))
