"""The ledger's tables. Times are whole microseconds since 1970 UTC; JSON is text with sorted keys.

Binding to all rows: nothing here is a cache of another table, except `runs.status` of `engine_jobs` through *watch*.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from worker.adapters.ledger.words import Words

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

ACTIVE = "status IN ('pending', 'queued', 'running')"
#: Predicates of partial indexes; a query uses such an index only if it spells the predicate the same way.
OPEN = "state <> 'closed'"
#: What people are told of, beside whoever listens on the bus.
NOTED = (
    "type IN ('approval.requested', 'breaker.opened', 'budget.exceeded', 'evaluation.missing', 'incident.escalated')"
)
UNNOTICED = f"noticed_at IS NULL AND {NOTED}"
BY_RUN = "run_id IS NOT NULL"
UNSETTLED_SQLITE, UNSETTLED = "settled = 0", "NOT settled"
IN_FLIGHT_SQLITE, IN_FLIGHT = f"loop = 1 AND {UNSETTLED_SQLITE}", f"loop AND {UNSETTLED}"
TRIED_SQLITE, TRIED = "active = 1", "active"

installation = Table("installation", metadata, Column("id", String(40), primary_key=True))

inbox = Table(
    "inbox",
    metadata,
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", Words),
    Column("received_at", BigInteger, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Index("ix_inbox_received", "received_at"),
)

#: Messages that failed and are tried again, by the id that their dead letter would have.
attempts = Table(
    "attempts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("history", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Index("ix_attempts_changed", "changed_at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("source", Words, nullable=False),
    Column("event_id", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("message_id", Words),
    Column("history", Text),
    Column("requeued_at", BigInteger),
    Column("requeued_as", Words),
)

bee_state = Table(
    "bee_state",
    metadata,
    Column("bee", String(63), primary_key=True),
    Column("sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("memory", Text),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("bee", String(63), primary_key=True),
    Column("version", String(128), primary_key=True),
    Column("evaluated_at", BigInteger, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("bee", String(63), nullable=False),
    Column("model_version", String(128), nullable=False),
    Column("evaluated_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("action", String(16), nullable=False),
    Column("reason", Words, nullable=False),
    Column("rules", Text, nullable=False),
    Column("run_id", String(128)),
    Column("incident_id", String(64)),
    Column("policy_version", String(64), nullable=False),
    Column("evaluation", Text, nullable=False),
    Index("uq_decisions_event", "source", "event_id", unique=True),
    Index("ix_decisions_bee", "bee", "seq"),
    Index("ix_decisions_run", "run_id", sqlite_where=text(BY_RUN), postgresql_where=text(BY_RUN)),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("bee", String(63), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("version", String(128), nullable=False),
    Column("story", Text, nullable=False),
    Column("detail", Text),
    Index(
        "uq_incidents_open",
        "bee",
        unique=True,
        sqlite_where=text(OPEN),
        postgresql_where=text(OPEN),
    ),
    Index("ix_incidents_bee", "bee", "opened_at"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("template", String(63), nullable=False),
    Column("bee", String(63), nullable=False),
    Column("incident_id", String(64)),
    Column("attempt", Integer, nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("reason", Words, nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("frozen", Text),
    Column("status", String(16), nullable=False),
    Column("error", Words),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("transition", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("verdict", String(16)),
    Column("outcome", Text),
    Column("loop", Boolean, nullable=False),
    Column("estimate", Float),
    Column("cost", Float),
    Column("estimate_basis", Words),
    Column("settled_cost", Float),
    Column("cost_basis", Words),
    Column("billed_cost", Float),
    Column("billed_at", BigInteger),
    Column("rows", BigInteger),
    Column("lease_owner", Words),
    Column("lease_until", BigInteger, nullable=False, server_default=text("0")),
    Column("lease_epoch", BigInteger, nullable=False, server_default=text("0")),
    Index(
        "uq_runs_active_loop",
        "bee",
        unique=True,
        sqlite_where=text(IN_FLIGHT_SQLITE),
        postgresql_where=text(IN_FLIGHT),
    ),
    Index("ix_runs_bee", "bee", "created_at"),
    Index("ix_runs_created", "created_at", "id"),
    Index(
        "ix_runs_unsettled",
        "created_at",
        "lease_until",
        sqlite_where=text(UNSETTLED_SQLITE),
        postgresql_where=text(UNSETTLED),
    ),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("bee", String(63), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("on_expiry", String(16), nullable=False),
    Column("incident_id", String(64)),
    Column("run_id", String(128)),
    Column("version", String(128)),
    Column("against", Integer),
    Column("evidence", Text, nullable=False),
    Column("answer", String(16), nullable=False),
    Column("ruled_by", Words, nullable=False),
    Column("ruled_at", BigInteger),
    Column("reason", Words, nullable=False),
    Index("ix_approvals_asked", "asked_at", "id"),
    Index("ix_approvals_incident", "incident_id"),
    Index("uq_approvals_run", "run_id", unique=True),
)

notices = Table(
    "notices",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("bee", String(63), nullable=False),
    Column("type", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("error", Words, nullable=False),
    Index("ix_notices_last", "last_at"),
)

request_keys = Table(
    "request_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("run_id", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

run_steps = Table(
    "run_steps",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("step_id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("error", Words),
    Column("log_tail", Words, nullable=False),
    Column("machine", Words),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("bee", String(63), primary_key=True),
    Column("version", String(128), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("uri", Words, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("run_id", String(128)),
    Column("created_at", BigInteger, nullable=False),
    Column("gate_passed", Boolean, nullable=False),
    Column("metrics", Text, nullable=False),
    Column("lineage", Text, nullable=False),
    Column("forced", Words),
    Index("uq_model_versions_run", "run_id", unique=True),
)

deployments = Table(
    "deployments",
    metadata,
    Column("bee", String(63), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("version", String(128), nullable=False),
    Column("previous", String(128)),
    Column("at", BigInteger, nullable=False),
    Column("reason", Words, nullable=False),
    Column("run_id", String(128)),
    Column("divided", Text),
    Column("by", Words),
    Column("numbers", Text),
)

#: Rollouts and A/B tests: what is tried on a bee's live traffic, one at a time.
trials = Table(
    "trials",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("bee", String(63), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Index(
        "uq_trials_active",
        "bee",
        unique=True,
        sqlite_where=text(TRIED_SQLITE),
        postgresql_where=text(TRIED),
    ),
    Index("ix_trials_bee", "bee", "started_at"),
)

#: What is being done so that a registry of models elsewhere shows what the two tables above say.
projections = Table(
    "projections",
    metadata,
    Column("bee", String(63), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("subject", String(128), primary_key=True),
    Column("since", BigInteger),
    Column("operation", Words),
    Column("faults", Integer, nullable=False),
    Column("error", Words),
    Column("again_at", BigInteger),
)

outbox = Table(
    "outbox",
    metadata,
    Column("bee", String(63), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("type", String(64), nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("data", Text, nullable=False),
    Column("published_at", BigInteger),
    Column("noticed_at", BigInteger),
    Index("ix_outbox_unnoticed", "bee", "sequence", sqlite_where=text(UNNOTICED), postgresql_where=text(UNNOTICED)),
    Index(
        "ix_outbox_unpublished",
        "bee",
        "sequence",
        sqlite_where=text("published_at IS NULL"),
        postgresql_where=text("published_at IS NULL"),
    ),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(160), primary_key=True),
    Column("owner", Words),
    Column("until", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
)

schedules = Table(
    "schedules",
    metadata,
    Column("template", String(63), primary_key=True),
    Column("due", BigInteger, primary_key=True),
    Column("run_id", String(128)),
)

engine_jobs = Table(
    "engine_jobs",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("spec", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("output_dir", Text, nullable=False),
    Column("labels", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("error", Words),
    Column("cancel_requested", Boolean, nullable=False),
    Column("lease_owner", Words),
    Column("lease_until", BigInteger, nullable=False),
    Column("lease_epoch", BigInteger, nullable=False),
    Index("ix_engine_jobs_status", "status", "position"),
    Index("ix_engine_jobs_position", "position"),
)

engine_tasks = Table(
    "engine_tasks",
    metadata,
    Column("run_id", String(128), primary_key=True),
    Column("path", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("pid", BigInteger),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("exit_code", Integer),
    Column("error", Words),
    Column("log_tail", Words, nullable=False),
    Column("outputs", Text, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", Words, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("scopes", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
)

#: Of each feature's windows and of training snapshots, what they were like: `worker.monitor.profile`.
feature_profiles = Table(
    "feature_profiles",
    metadata,
    Column("feature", String(128), primary_key=True),
    Column("period", String(128), primary_key=True),
    Column("window", Boolean, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("profile", LargeBinary, nullable=False),
    Index("ix_feature_profiles_end", "feature", "end"),
)

#: What the newest window said of each feature.
feature_findings = Table(
    "feature_findings",
    metadata,
    Column("feature", String(128), primary_key=True),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("since", BigInteger),
    Column("found", Text, nullable=False),
    Column("feeds", Text, nullable=False),
)
