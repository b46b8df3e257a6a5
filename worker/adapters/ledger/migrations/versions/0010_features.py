"""What features were like, window by window, and what is wrong with them now."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add two tables; older workers do not notice."""
    op.create_table(
        "feature_profiles",
        sa.Column("feature", sa.String(length=128), nullable=False),
        sa.Column("period", sa.String(length=128), nullable=False),
        sa.Column("window", sa.Boolean(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("profile", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("feature", "period", name="pk_feature_profiles"),
    )
    op.create_index("ix_feature_profiles_end", "feature_profiles", ["feature", "end"])
    op.create_table(
        "feature_findings",
        sa.Column("feature", sa.String(length=128), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("since", sa.BigInteger()),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("feeds", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("feature", name="pk_feature_findings"),
    )
