"""Questions to people and their answers, what was sent to people and what could not be, and decisions by run."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NOTED = (
    "type IN ('approval.requested', 'breaker.opened', 'budget.exceeded', 'evaluation.missing', 'incident.escalated')"
)
_UNNOTICED = sa.text(f"noticed_at IS NULL AND {_NOTED}")


def upgrade() -> None:
    """Create two tables, a column that may be empty, and indexes; older workers do not notice."""
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("bee", sa.String(length=63), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("on_expiry", sa.String(length=16), nullable=False),
        sa.Column("incident_id", sa.String(length=64)),
        sa.Column("run_id", sa.String(length=128)),
        sa.Column("version", sa.String(length=128)),
        sa.Column("against", sa.Integer()),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("ruled_by", sa.Text(), nullable=False),
        sa.Column("ruled_at", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_approvals"),
    )
    op.create_index("ix_approvals_asked", "approvals", ["asked_at", "id"])
    op.create_index("ix_approvals_incident", "approvals", ["incident_id"])
    op.create_index("uq_approvals_run", "approvals", ["run_id"], unique=True)
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("bee", sa.String(length=63), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
    )
    op.create_index("ix_notices_last", "notices", ["last_at"])
    op.add_column("outbox", sa.Column("noticed_at", sa.BigInteger()))
    # What was told before anybody listened is no news.
    outbox = sa.table("outbox", sa.column("noticed_at"), sa.column("time"))
    op.execute(outbox.update().where(sa.text(_NOTED)).values(noticed_at=outbox.c.time))
    op.create_index(
        "ix_outbox_unnoticed", "outbox", ["bee", "sequence"], sqlite_where=_UNNOTICED, postgresql_where=_UNNOTICED
    )
    by_run = sa.text("run_id IS NOT NULL")
    op.create_index("ix_decisions_run", "decisions", ["run_id"], sqlite_where=by_run, postgresql_where=by_run)
